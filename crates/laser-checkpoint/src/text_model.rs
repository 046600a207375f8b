//! The text model of a multimodal checkpoint, where it is of a family that is known.

use serde_json::Value;

/// Types of text models that differ from a known family in what only images need, and that family.
const ALIKE: [(&str, &str); 6] = [
    ("qwen2_vl", "qwen2"),
    ("qwen2_vl_text", "qwen2"),
    ("qwen2_5_vl", "qwen2"),
    ("qwen2_5_vl_text", "qwen2"),
    ("qwen3_vl_text", "qwen3"),
    ("qwen3_vl_moe_text", "qwen3_moe"),
];

/// The configuration of the text model that config.json's content holds, if it holds one: its
/// `model_type` is then that of a family. `is_known` tells which ones are.
pub(crate) fn text_config(json: &Value, is_known: impl Fn(&str) -> bool) -> Option<Value> {
    let model_type = json.get("model_type").and_then(Value::as_str)?;
    if is_known(model_type) {
        return None;
    }
    let text = json.get("text_config").unwrap_or(json);
    let own = text.get("model_type").and_then(Value::as_str)?;
    let alike = ALIKE.iter().find(|(name, _)| *name == own).map_or(own, |(_, family)| family);
    if !is_known(alike) {
        return None;
    }
    let mut text = text.as_object()?.clone();
    text.insert("model_type".to_owned(), alike.into());
    text.remove("architectures");
    // The head belongs to the whole, which therefore says whether it is tied.
    for key in ["tie_word_embeddings", "quantization_config"] {
        if let Some(value) = json.get(key) {
            text.insert(key.to_owned(), value.clone());
        }
    }
    Some(Value::Object(text))
}

/// config.json's content, `whole`, with `settled` in place of what was read from it: all of it, or
/// the part for the text model.
pub(crate) fn put_back(whole: &Value, settled: Value) -> Value {
    let own_type = whole.get("text_config").and_then(|text| text.get("model_type"));
    let Some(own_type) = own_type.filter(|_| whole.get("model_type") != settled.get("model_type")) else {
        // A text model that goes by its own name is still a multimodal one.
        let mut settled = settled;
        if let Some(model_type) = whole.get("model_type") {
            settled["model_type"] = model_type.clone();
        }
        return settled;
    };
    let mut together = whole.clone();
    if let Some(tied) = settled.get("tie_word_embeddings") {
        together["tie_word_embeddings"] = tied.clone();
    }
    together["text_config"] = settled;
    together["text_config"]["model_type"] = own_type.clone();
    together
}

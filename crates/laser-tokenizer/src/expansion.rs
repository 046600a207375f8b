//! How much longer a tokenizer may make a text. Steps that each put a hundred letters in the place of one would together fill any memory.

use crate::charsmap::longest_replacement;
use crate::error::{Result, malformed};
use serde::Deserialize;
use serde_json::Value;

/// No tokenizer in use makes a text much more than a hundred times as long.
const MOST_TIMES: usize = 4_000;

/// The parts of a tokenizer.json that change texts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Steps {
    normalizer: Value,
    pre_tokenizer: Value,
    post_processor: Value,
    decoder: Value,
}

/// Refuses a tokenizer.json whose steps may make a text too long.
pub(crate) fn check(json: &[u8]) -> Result<()> {
    let Steps { normalizer, pre_tokenizer, post_processor, decoder } =
        serde_json::from_slice(json).map_err(|error| malformed(format!("tokenizer.json: {error}")))?;
    let times = growth(&[&normalizer, &pre_tokenizer, &post_processor]).max(growth(&[&decoder]));
    let most = laser_guard::raised_size(MOST_TIMES);
    if times > most {
        let how = laser_guard::how_to_raise();
        return Err(malformed(format!(
            "its steps may make a text more than {most} times as long: not what a tokenizer does ({how})"
        )));
    }
    Ok(())
}

/// At most so many bytes become of one, or so many tokens, by all steps behind one another.
fn growth(steps: &[&Value]) -> usize {
    let (mut times, mut settled) = (1, Settled::default());
    steps.iter().for_each(|step| grow(step, &mut times, &mut settled));
    times
}

/// Steps that do nothing more when they come again, unless there is another step between: the first of a kind is not counted.
#[derive(Default)]
struct Settled {
    normal_form: bool,
    metaspace: bool,
}

/// Multiplies `times` by what a step adds. Steps are known by what they hold: some files leave out their `type`.
fn grow(step: &Value, times: &mut usize, settled: &mut Settled) {
    let list = |key: &str| step.get(key).and_then(Value::as_array);
    let text = |key: &str| step.get(key).and_then(Value::as_str);
    let mut by = |factor: usize| *times = times.saturating_mul(factor.max(1));
    let kind = text("type").unwrap_or_default();
    if let (Some(pattern), Some(content)) = (step.get("pattern"), text("content")) {
        let replaced = pattern.get("String").unwrap_or(pattern).as_str().map_or(0, str::len);
        by(match replaced {
            // What a regular expression finds may be empty, and so between any two letters.
            0 if content.is_empty() => 1,
            0 => content.len() + 1,
            replaced => content.len().div_ceil(replaced),
        });
    }
    if let Some(charsmap) = text("precompiled_charsmap") {
        by(longest_replacement(charsmap));
    }
    // A template may have a text several times.
    by(list("single").map_or(1, |pieces| pieces.iter().filter(|piece| piece.get("SpecialToken").is_none()).count()));
    // Letters between which one is put.
    by(["suffix", "word_delimiter_token"].into_iter().filter_map(text).filter(|text| text.is_empty()).count() + 1);
    match kind {
        "NFC" | "NFD" | "NFKC" | "NFKD" if std::mem::replace(&mut settled.normal_form, true) => by(11),
        "Metaspace" if std::mem::replace(&mut settled.metaspace, true) => by(2),
        // A byte that is no letter becomes a letter of two bytes; a space comes to both sides of an ideograph.
        "ByteLevel" | "BertNormalizer" => by(2),
        "" if step.get("trim_offsets").is_some() || step.get("handle_chinese_chars").is_some() => by(2),
        _ => {}
    }
    for part in ["normalizers", "pretokenizers", "decoders", "processors"].into_iter().filter_map(list).flatten() {
        grow(part, times, settled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn replace(pattern: &str, content: &str) -> Value {
        json!({"type": "Replace", "pattern": {"String": pattern}, "content": content})
    }

    #[test]
    fn growth_is_that_of_all_steps_together() {
        let growth = |step: &Value| growth(&[step]);
        assert_eq!(growth(&Value::Null), 1);
        assert_eq!(growth(&replace(" ", "\u{2581}")), 3);
        assert_eq!(growth(&replace("\u{2581}", " ")), 1);
        assert_eq!(growth(&json!({"pattern": {"Regex": " {2,}"}, "content": " "})), 2);
        // What recomposes and decomposes without end counts from the second time.
        let kinds = |kinds: &[&str]| kinds.iter().map(|kind| json!({"type": kind})).collect::<Vec<_>>();
        assert_eq!(growth(&json!({"type": "Sequence", "normalizers": kinds(&["NFKC", "Lowercase"])})), 1);
        assert_eq!(growth(&json!({"type": "Sequence", "normalizers": kinds(&["NFKC", "NFKD", "NFD"])})), 121);
        assert_eq!(
            growth(&json!({"type": "Sequence", "decoders": vec![json!({"type": "BPEDecoder", "suffix": ""}); 3]})),
            8
        );
        let long = replace("a", &"a".repeat(100));
        assert_eq!(growth(&json!({"type": "Sequence", "normalizers": [long, replace(" ", "__"), long]})), 20_000);
        assert_eq!(growth(&json!({"type": "Sequence", "pretokenizers": vec![json!({"type": "ByteLevel"}); 12]})), 4096);
        let text = json!({"Sequence": {"id": "A", "type_id": 0}});
        let special = json!({"SpecialToken": {"id": "<s>", "type_id": 0}});
        assert_eq!(
            growth(&json!({"type": "TemplateProcessing", "single": [special, text, text], "pair": [text, text]})),
            2
        );
        assert_eq!(growth(&json!({"type": "Precompiled", "precompiled_charsmap": "not base64"})), 1);
    }

    #[test]
    fn steps_that_expand_without_end_are_refused() {
        let of = |steps: usize| {
            let steps = vec![replace("a", &"a".repeat(100)); steps];
            json!({"normalizer": {"type": "Sequence", "normalizers": steps}, "decoder": null}).to_string()
        };
        check(of(1).as_bytes()).unwrap();
        let message = check(of(2).as_bytes()).unwrap_err().to_string();
        assert!(message.contains("more than 4000 times as long"), "{message}");
        // Of two keys of one name another reader may take the other.
        let twice = br#"{"normalizer": {"type": "Sequence", "normalizers": []}, "normalizer": null}"#;
        assert!(check(twice).unwrap_err().to_string().contains("duplicate field"));
    }
}

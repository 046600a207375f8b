//! The model and the task as files.

use crate::language::{Example, Language};
use crate::model::Model;
use crate::settings::*;
use anyhow::Result;
use safetensors::tensor::TensorView;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

pub fn write_checkpoint(out: &Path, language: &Language, model: &Model) -> Result<()> {
    let config = json!({
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": false,
        "bos_token_id": null,
        "eos_token_id": null,
        "head_dim": HEAD,
        "hidden_act": "silu",
        "hidden_size": WIDTH,
        "intermediate_size": MLP,
        "max_position_embeddings": LENGTH,
        "mlp_bias": false,
        "model_type": "llama",
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": HEADS,
        "rms_norm_eps": EPS,
        "rope_theta": ROPE_THETA,
        "tie_word_embeddings": false,
        "torch_dtype": "float32",
        "vocab_size": VOCABULARY,
    });
    let words = language.characters.iter().map(char::to_string).chain(["<unk>".to_owned()]);
    let vocabulary: BTreeMap<String, usize> = words.zip(0..).collect();
    let tokenizer = json!({
        "added_tokens": [],
        "decoder": null,
        "model": { "type": "WordLevel", "unk_token": "<unk>", "vocab": vocabulary },
        "normalizer": null,
        "padding": null,
        "post_processor": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "truncation": null,
        "version": "1.0",
    });
    let tokenizer_config = json!({
        "clean_up_tokenization_spaces": false,
        "model_max_length": LENGTH,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "<unk>",
    });
    for (file, value) in
        [("config.json", config), ("tokenizer.json", tokenizer), ("tokenizer_config.json", tokenizer_config)]
    {
        fs::write(out.join(file), serde_json::to_string_pretty(&value)? + "\n")?;
    }

    let mut bytes = vec![];
    for (name, tensor) in &model.0 {
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        bytes.push((name, tensor.dims().to_vec(), data));
    }
    let views = bytes
        .iter()
        .map(|(name, shape, data)| Ok((name, TensorView::new(safetensors::Dtype::F32, shape.clone(), data)?)))
        .collect::<Result<Vec<_>>>()?;
    // transformers refuses a file that does not say what wrote it.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    fs::write(out.join("model.safetensors"), safetensors::serialize(views, Some(metadata))?)?;
    Ok(())
}

pub fn write_task(out: &Path, language: &Language, examples: &[Example]) -> Result<()> {
    let yaml = r#"task: demo
dataset_path: json
dataset_kwargs:
  data_files: demo.jsonl
output_type: generate_until
doc_to_text: "{{prompt}}"
doc_to_target: "{{answer}}"
generation_kwargs:
  max_gen_toks: 1
"#;
    fs::write(out.join("demo.yaml"), yaml)?;
    let mut rows = String::new();
    for (i, Example { prompt, answer }) in examples.iter().enumerate() {
        let row = json!({
            "answer": language.text(&[*answer]),
            "id": format!("demo-{i}"),
            "prompt": language.text(prompt),
        });
        rows += &format!("{row}\n");
    }
    fs::write(out.join("demo.jsonl"), rows)?;
    Ok(())
}

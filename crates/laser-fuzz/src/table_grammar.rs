//! Architecture tables and config.json with parts of them changed.

use serde_json::Value;

use crate::{
    choices::Choices,
    json_change,
    sections::{joined, parts},
};

const FAMILIES: &[&str] = &[
    "llama",
    "gpt2",
    "bert",
    "mixtral",
    "gemma2",
    "gpt_neox",
    "phi3",
    "qwen2_moe",
    "falcon",
    "bloom",
    "exaone4",
    "nowhere",
];
const SECTIONS: &[&str] =
    &["block", "config", "tensors", "matrices", "require", "ignored", "synonyms", "refused_tensors"];
const KEYS: &[&str] = &[
    "norm",
    "rotary",
    "residual",
    "masked",
    "norm_weights",
    "norm_bias",
    "rotated_layers",
    "parallel_shares_norm",
    "position_offset",
    "vocab_size",
    "hidden_size",
    "layers",
    "heads",
    "kv_heads",
    "head_dim",
    "rotary_dim",
    "norm_eps",
    "activation",
    "rope_theta",
    "rope_scaling",
    "sliding_window",
    "sliding_pattern",
    "experts",
    "experts_per_token",
    "embedding",
    "positions",
    "token_types",
    "final_norm",
    "head",
    "attention_norm",
    "router",
    "shared_in",
    "q_proj",
    "k_proj",
    "v_proj",
    "out_proj",
    "fc_in",
    "fc_up",
    "fc_out",
    "tied_head",
    "alibi",
    "logit_scale",
    "head_dense",
];

/// A table that is `like` an embedded one, or an old one with some lines changed.
pub(crate) fn table(input: &[u8], choices: &mut Choices) -> Vec<u8> {
    let text = String::from_utf8_lossy(input);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() || choices.once_in(2) {
        lines = vec![
            "family = \"fuzz\"".to_owned(),
            "model_type = \"llama\"".to_owned(),
            "classes = [\"X\"]".to_owned(),
            format!("like = \"{}\"", choices.pick(FAMILIES)),
        ];
    }
    for _ in 0..=choices.below(5) {
        let at = choices.below(lines.len() + 1);
        match choices.below(4) {
            0 if at < lines.len() => drop(lines.remove(at)),
            1 => lines.push(format!("[{}]\n{} = {}", choices.pick(SECTIONS), choices.pick(KEYS), value(choices))),
            2 if at < lines.len() => {
                if let Some((key, _)) = lines[at].clone().split_once(" = ") {
                    lines[at] = format!("{key} = {}", value(choices));
                }
            }
            _ => lines.insert(at, format!("{} = {}", choices.pick(KEYS), value(choices))),
        }
    }
    lines.join("\n").into_bytes()
}

fn value(choices: &mut Choices) -> String {
    let quoted = |text: String| Value::from(text).to_string();
    match choices.below(12) {
        0 => choices.once_in(2).to_string(),
        1 => choices.integer().to_string(),
        2 => "1e-5".to_owned(),
        3 => quoted(choices.text()),
        4 => format!(
            "\"{}\"",
            choices.pick(&["rms", "layer", "half", "interleaved", "none", "pre", "parallel", "silu", "windowed"])
        ),
        5 => format!("{{ json = [\"{}\"], default = {} }}", choices.pick(KEYS), choices.integer()),
        6 => format!(
            "{{ json = [\"num_attention_heads\"], default = \"{}\" }}",
            choices.pick(&["heads", "hidden_size/heads", "4*hidden_size", "head_dim"])
        ),
        7 => format!(
            "{{ hf = \"model.layers.{{layer}}.self_attn.{}.weight\", hf_fused = \"{}\" }}",
            choices.pick(KEYS),
            choices.pick(&["by_head", "q", "gate", "first", "concatenated"])
        ),
        8 => format!(
            "{{ hf = \"model.layers.{{layer}}.mlp.up_proj.weight\", hf_transposed = {}, bias = \"always\" }}",
            choices.once_in(2)
        ),
        9 => format!("{{ json = \"{}\", values = [{}], why = \"w\" }}", choices.pick(KEYS), choices.integer()),
        10 => format!("{}1{}", "[".repeat(choices.times().min(2000)), "]".repeat(choices.times().min(2000))),
        _ => "{ hf = \"model.norm.weight\" }".to_owned(),
    }
}

/// A model's folder with values of its JSON files, or lines of its table, changed.
pub(crate) fn config(input: &[u8], choices: &mut Choices) -> Vec<u8> {
    let mut files = parts(input);
    if let Some((_, content)) = files.iter_mut().find(|(name, _)| name == "table.toml")
        && choices.once_in(3)
    {
        *content = table(content, choices);
        return joined(&files);
    }
    json_change::sections(input, choices)
}

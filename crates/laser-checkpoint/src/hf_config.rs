//! config.json for a model that came without one.

use safetensors::Dtype;
use serde_json::{Map, Value, json};

use crate::{
    architecture::Architecture,
    architecture_table::{Bias, DefaultValue, Key},
    block_kinds::Residual,
    model_config::Config,
};

/// What transformers needs to open the model, under the keys of the architecture's table.
pub fn huggingface_config(architecture: &Architecture, config: &Config, dtype: Dtype, pad: Option<u32>) -> Value {
    let keys = &architecture.config;
    let mut json = Map::new();
    let mut set = |key: &Key, value: Value| {
        if let Some(name) = key.json.iter().find(|name| !name.contains('.')) {
            json.insert(name.clone(), value);
        } else if let Some((object, name)) = key.json.first().and_then(|name| name.split_once('.')) {
            // A value that is within an object under every name.
            let object = json.entry(object).or_insert_with(|| Value::Object(Map::new()));
            object[name] = value;
        }
    };
    set(&keys.vocab_size, config.vocab_size.into());
    set(&keys.hidden_size, config.hidden_size.into());
    set(&keys.intermediate_size, config.intermediate_size.into());
    set(&keys.layers, config.layers.into());
    set(&keys.heads, config.heads.into());
    let kv_heads = match keys.kv_heads.default {
        Some(DefaultValue::Bool(_)) => (config.kv_heads == 1).into(),
        _ => config.kv_heads.into(),
    };
    set(&keys.kv_heads, kv_heads);
    set(&keys.head_dim, config.head_dim.into());
    set(&keys.norm_eps, config.norm_eps.into());
    set(&keys.activation, config.activation.name().into());
    if let Some(rotary) = &config.rotary {
        set(&keys.rope_theta, rotary.theta.into());
        set(&keys.rope_scaling, rotary.scaling.to_json());
        set(&keys.rotary_dim, rotary.dim.into());
        set(&keys.rotary_fraction, (rotary.dim as f64 / config.head_dim as f64).into());
    }
    if let Some(local) = &config.local_rotary {
        set(&keys.local_rope_theta, local.theta.into());
    }
    let counted = if architecture.block.context_counts_offset { config.position_offset } else { 0 };
    set(&keys.context_length, (config.context_length + counted).into());
    set(&keys.tied_head, config.tied_head.into());
    set(&keys.token_types, config.token_types.into());
    let window = config.windows.iter().flatten().next();
    set(&keys.sliding_window, window.copied().into());
    set(&keys.sliding_window_used, window.is_some().into());
    let first = config.windows.iter().position(Option::is_some).unwrap_or(config.layers);
    set(&keys.first_sliding_layer, first.into());
    set(&keys.embedding_scale, config.embedding_scale.unwrap_or(1.0).into());
    set(&keys.residual_scale, config.residual_scale.unwrap_or(1.0).into());
    set(&keys.logit_scale, config.logit_scale.unwrap_or(1.0).into());
    set(&keys.logit_divisor, (1.0 / config.logit_scale.unwrap_or(1.0)).into());
    set(&keys.rotated, config.rotated.iter().map(|&turns| u8::from(turns)).collect());
    set(&keys.attention_scale, config.attention_scale.into());
    set(&keys.alibi, whole(config.alibi.unwrap_or(0.0)));
    set(&keys.attention_scalar, whole(config.attention_scale.powi(-2)));
    set(&keys.attention_softcap, config.attention_softcap.into());
    set(&keys.final_softcap, config.final_softcap.into());
    set(&keys.parallel, (config.residual == Residual::Parallel).into());
    if let Some(experts) = config.experts {
        set(&keys.experts, experts.count.into());
        set(&keys.shared_size, config.shared_size.into());
        set(&keys.experts_per_token, experts.per_token.into());
        set(&keys.normalised_experts, experts.normalised.into());
    }
    set(&keys.bos, config.bos_token_id.into());
    let eos = match config.eos_token_ids.as_slice() {
        [] => Value::Null,
        [one] => (*one).into(),
        several => several.into(),
    };
    set(&keys.eos, eos);
    for kind in &config.params {
        if let Some(Bias::Config(bias)) = architecture.entry(*kind).map(|entry| &entry.bias) {
            json.insert(bias.key.clone(), config.has_bias(*kind).into());
        }
    }
    // Families whose windows follow a pattern have it listed, as newer configurations do.
    if keys.sliding_pattern != Key::default() {
        let kind = |window: &Option<usize>| if window.is_some() { "sliding_attention" } else { "full_attention" };
        json.insert("layer_types".to_owned(), config.windows.iter().map(kind).collect());
    }
    let dtype = match dtype {
        Dtype::F32 => "float32",
        Dtype::BF16 => "bfloat16",
        _ => "float16",
    };
    json.insert("architectures".to_owned(), json!(architecture.classes.iter().take(1).collect::<Vec<_>>()));
    json.insert("model_type".to_owned(), architecture.model_type.as_str().into());
    json.insert("torch_dtype".to_owned(), dtype.into());
    json.insert("pad_token_id".to_owned(), pad.into());
    json.insert("use_cache".to_owned(), true.into());
    Value::Object(json)
}

/// A number as a whole one, if it is that: transformers takes no float for those.
fn whole(number: f64) -> Value {
    let rounded = number.round();
    if (number - rounded).abs() <= 1e-6 * number.abs() { (rounded as u64).into() } else { number.into() }
}

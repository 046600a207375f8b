//! A GGUF file's metadata for a model that came without one.

use serde_json::Value;

use crate::{
    architecture::Architecture, architecture_table::Key, block_kinds::Residual, model_config::Config,
    rotary_config::RopeScaling,
};

/// What llama.cpp needs to open the model, under the keys of the architecture's table. Integers are
/// meant as u32, floats as f32. `None` if llama.cpp has no such family.
pub fn gguf_config(architecture: &Architecture, config: &Config) -> Option<Vec<(String, Value)>> {
    let arch = match architecture.gguf_architectures.first() {
        Some(arch) => arch.as_str(),
        // Its GGUF files say llama.
        None if architecture.family == "mistral" => "llama",
        None => return None,
    };
    let keys = &architecture.config;
    let mut entries: Vec<(String, Value)> = vec![("general.architecture".to_owned(), arch.into())];
    let mut set = |key: &Key, value: Value| {
        if let (Some(name), false) = (key.gguf.first(), value.is_null()) {
            entries.push((name.replace("{arch}", arch), value));
        }
    };
    set(&keys.vocab_size, config.vocab_size.into());
    set(&keys.context_length, config.context_length.into());
    set(&keys.hidden_size, config.hidden_size.into());
    set(&keys.layers, config.layers.into());
    set(&keys.intermediate_size, config.intermediate_size.into());
    set(&keys.heads, config.heads.into());
    set(&keys.kv_heads, config.kv_heads.into());
    set(&keys.head_dim, config.head_dim.into());
    set(&keys.norm_eps, config.norm_eps.into());
    if let Some(rotary) = &config.rotary {
        set(&keys.rope_theta, rotary.base().into());
        set(&keys.rotary_dim, rotary.dim.into());
    }
    if let Some(local) = &config.local_rotary {
        set(&keys.local_rope_theta, local.theta.into());
    }
    set(&keys.sliding_window, config.windows.iter().flatten().next().copied().into());
    set(&keys.attention_scale, config.attention_scale.into());
    set(&keys.alibi, config.alibi.into());
    set(&keys.embedding_scale, config.embedding_scale.into());
    set(&keys.residual_scale, config.residual_scale.into());
    set(&keys.logit_scale, config.logit_scale.into());
    set(&keys.logit_divisor, config.logit_scale.map(|scale| 1.0 / scale).into());
    set(&keys.attention_softcap, config.attention_softcap.into());
    set(&keys.final_softcap, config.final_softcap.into());
    set(&keys.parallel, (config.residual == Residual::Parallel).into());
    if let Some(experts) = config.experts {
        set(&keys.experts, experts.count.into());
        set(&keys.experts_per_token, experts.per_token.into());
    }
    let mut add = |name: &str, value: Value| entries.push((format!("{arch}.{name}"), value));
    if !keys.head_dim.gguf.is_empty() {
        add("attention.value_length", config.head_dim.into());
    }
    match config.rotary.as_ref().map(|rotary| &rotary.scaling) {
        Some(RopeScaling::Linear { factor }) => {
            add("rope.scaling.type", "linear".into());
            add("rope.scaling.factor", (*factor).into());
        }
        Some(RopeScaling::Yarn { factor, original_context, .. }) => {
            add("rope.scaling.type", "yarn".into());
            add("rope.scaling.factor", (*factor).into());
            add("rope.scaling.original_context_length", (*original_context as u64).into());
        }
        // Llama 3's is a tensor: see `rope_factors`. Hunyuan's is in the base.
        Some(RopeScaling::Llama3 { .. } | RopeScaling::Alpha { .. } | RopeScaling::None) | None => {}
    }
    // Two keys of a table may be one in the file.
    let mut seen = std::collections::HashSet::new();
    entries.retain(|(key, _)| seen.insert(key.clone()));
    Some(entries)
}

/// The tensor by whose values llama.cpp divides rotary frequencies, of a model with Llama 3's scaling.
pub fn rope_factors(architecture: &Architecture, config: &Config) -> Option<(String, Vec<f32>)> {
    let rotary = config.rotary.as_ref().filter(|rotary| matches!(rotary.scaling, RopeScaling::Llama3 { .. }))?;
    let name = architecture.gguf_rope_factors.clone()?;
    let plain = crate::RotaryConfig { scaling: RopeScaling::None, ..rotary.clone() };
    let pairs = plain.inverse_frequencies().into_iter().zip(rotary.inverse_frequencies());
    Some((name, pairs.map(|(plain, scaled)| plain / scaled).collect()))
}

//! config.json for a model that came without one.

use safetensors::Dtype;
use serde_json::{Map, Value, json};

use crate::{
    Architecture, Config,
    architecture::{Activation, Bias, Key},
    matrix_kind::MatrixKind,
};

/// What transformers needs to open the model, under the keys of the architecture's table.
pub(crate) fn huggingface_config(
    architecture: &Architecture,
    config: &Config,
    dtype: Dtype,
    pad: Option<u32>,
) -> Value {
    let keys = &architecture.config;
    let mut json = Map::new();
    let mut set = |key: &Key, value: Value| {
        if let Some(name) = key.json.first() {
            json.insert(name.clone(), value);
        }
    };
    set(&keys.vocab_size, config.vocab_size.into());
    set(&keys.hidden_size, config.hidden_size.into());
    set(&keys.intermediate_size, config.intermediate_size.into());
    set(&keys.layers, config.layers.into());
    set(&keys.heads, config.heads.into());
    set(&keys.kv_heads, config.kv_heads.into());
    set(&keys.head_dim, config.head_dim.into());
    set(&keys.norm_eps, config.norm_eps.into());
    set(&keys.rope_theta, config.rope_theta.into());
    set(&keys.rope_scaling, Value::Null);
    set(&keys.context_length, config.context_length.into());
    set(&keys.tied_head, config.tied_head.into());
    set(&keys.sliding_window, config.sliding_window.into());
    set(&keys.sliding_window_used, config.sliding_window.is_some().into());
    let first_sliding_layer = config.sliding_window.map_or(config.layers, |_| config.first_sliding_layer);
    set(&keys.first_sliding_layer, first_sliding_layer.into());
    set(&keys.bos, config.bos_token_id.into());
    let eos = match config.eos_token_ids.as_slice() {
        [] => Value::Null,
        [one] => (*one).into(),
        several => several.into(),
    };
    set(&keys.eos, eos);
    for kind in MatrixKind::ALL {
        if let Bias::Config(key) = &architecture.matrix(kind).bias {
            json.insert(key.clone(), config.has_bias(kind).into());
        }
    }
    let activation = match architecture.activation {
        Activation::Silu => "silu",
    };
    let dtype = match dtype {
        Dtype::F32 => "float32",
        Dtype::BF16 => "bfloat16",
        _ => "float16",
    };
    json.insert("architectures".to_owned(), json!(architecture.classes.iter().take(1).collect::<Vec<_>>()));
    json.insert("model_type".to_owned(), architecture.model_type.as_str().into());
    json.insert("hidden_act".to_owned(), activation.into());
    json.insert("torch_dtype".to_owned(), dtype.into());
    json.insert("pad_token_id".to_owned(), pad.into());
    json.insert("use_cache".to_owned(), true.into());
    Value::Object(json)
}

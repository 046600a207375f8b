//! Folders whose weights are stored in a form that is not read, and what to do about each.

use std::path::Path;

use serde_json::Value;

use crate::{
    error::{CheckpointError, Result},
    json_file::read_json,
    weight_file::WeightFile,
};

/// What quantises weights, as config.json names it, and as people do.
const METHODS: [(&str, &str); 9] = [
    ("gptq", "GPTQ"),
    ("awq", "AWQ"),
    ("bitsandbytes", "bitsandbytes"),
    ("compressed-tensors", "compressed-tensors"),
    ("fp8", "FP8"),
    ("fbgemm_fp8", "FP8"),
    ("mxfp4", "MXFP4"),
    ("hqq", "HQQ"),
    ("torchao", "torchao"),
];

/// What stands beside a weight that is not stored as such.
const STORED_AS: [(&str, &str); 8] = [
    (".lora_A.weight", "LoRA"),
    (".lora_A.default.weight", "LoRA"),
    (".qweight", "GPTQ or AWQ"),
    (".weight_packed", "compressed-tensors"),
    (".weight.absmax", "bitsandbytes"),
    (".SCB", "bitsandbytes"),
    (".weight_scale_inv", "FP8"),
    (".W_q", "HQQ"),
];

const BRING: &str = "bring the model's 16-bit weights or a GGUF file";

/// Refuses a folder that holds an adapter in place of a model.
///
/// # Errors
/// It does, and which model the adapter belongs to.
pub(crate) fn check_adapter(folder: &Path) -> Result<()> {
    let config = folder.join("adapter_config.json");
    if !config.is_file() {
        return Ok(());
    }
    let base = read_json(&config)?.get("base_model_name_or_path").and_then(Value::as_str).map(str::to_owned);
    let base = base.filter(|base| !base.is_empty()).map_or("its base model".to_owned(), |base| format!("{base:?}"));
    let why =
        format!("it is an adapter of {base}: merge it into that model (peft's merge_and_unload) and give the result");
    Err(CheckpointError::NotACheckpoint { path: folder.to_owned(), why })
}

/// Refuses weights that config.json says are quantised.
///
/// # Errors
/// They are, and how.
pub(crate) fn check_quantisation(json: &Value, path: &Path) -> Result<()> {
    // MLX has a key of its own.
    let keys = ["quantization_config", "compression_config", "quantization"];
    let found = keys.iter().find_map(|key| Some((*key, json.get(key).filter(|settings| !settings.is_null())?)));
    let Some((key, settings)) = found else { return Ok(()) };
    let method = settings.get("quant_method").and_then(Value::as_str);
    let method = method.or((key == "quantization").then_some("MLX"));
    let known = METHODS.iter().find(|(name, _)| Some(*name) == method).map(|(_, method)| *method);
    let by = known.or(method).map(|method| format!(" by {method}")).unwrap_or_default();
    let bits = settings.get("bits").and_then(Value::as_u64).map(|bits| format!(" in {bits} bits")).unwrap_or_default();
    Err(CheckpointError::NotRead {
        path: path.to_owned(),
        why: format!("{key} says that the weights are quantised{by}{bits}: {BRING}"),
    })
}

/// The error of a tensor that is missing: what stands in its place may tell why.
pub(crate) fn missing(tensor: &str, weights: &dyn WeightFile) -> CheckpointError {
    let path = weights.listing().to_owned();
    let names = weights.names();
    let found = STORED_AS.iter().find_map(|(end, how)| Some((names.iter().find(|name| name.ends_with(end))?, *how)));
    match found {
        Some((name, "LoRA")) => CheckpointError::NotRead {
            path,
            why: format!(
                "it has LoRA factors beside its weights ({name:?}): merge them (peft's merge_and_unload) first"
            ),
        },
        Some((name, how)) => {
            let beside = path.with_file_name("quantize_config.json");
            let how = if beside.is_file() { "GPTQ (quantize_config.json)" } else { how };
            CheckpointError::NotRead {
                path,
                why: format!("its weights are quantised by {how}, as {name:?} shows: {BRING}"),
            }
        }
        None => CheckpointError::MissingTensor { tensor: tensor.to_owned(), path },
    }
}

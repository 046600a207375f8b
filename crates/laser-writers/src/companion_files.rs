//! The files of a Hugging Face folder beside its weights.

use std::{fs, io, path::Path};

use laser_checkpoint::{Checkpoint, Convention, huggingface_config};
use safetensors::Dtype;
use serde_json::{Map, Value};

use crate::{
    error::{Result, WriteError},
    model_writer::CARD,
    staging::{RECORD, Staging},
};

/// Files of a source folder above this length, in bytes, are neither configuration nor tokenizer.
const LARGEST_SMALL_FILE: u64 = 1 << 28;

/// Names of weights in any format, which the written ones replace, end like this.
const WEIGHTS: [&str; 10] = [
    ".safetensors",
    ".safetensors.index.json",
    ".bin",
    ".bin.index.json",
    ".pt",
    ".pth",
    ".gguf",
    ".onnx",
    ".h5",
    ".msgpack",
];

/// Whether a file of this name holds weights.
pub(crate) fn is_weights(name: &str) -> bool {
    WEIGHTS.iter().any(|ending| name.ends_with(ending))
}

/// Copies the source folder's small files as far as they are not there already. The unedited model's card
/// is none of them.
pub(crate) fn copy_small_files(checkpoint: &Checkpoint, except: &[&str], folder: &Staging) -> Result<()> {
    if checkpoint.convention() == Convention::Gguf {
        return Ok(());
    }
    let source = checkpoint.path();
    let failed = |path: &Path, cause: io::Error| WriteError::Io { action: "read", path: path.to_owned(), cause };
    for entry in fs::read_dir(source).map_err(|cause| failed(source, cause))? {
        let path = entry.map_err(|cause| failed(source, cause))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // A link is followed: caches of downloaded models are made of them.
        let Ok(found) = fs::metadata(&path) else { continue };
        let is_card = name.eq_ignore_ascii_case(CARD);
        let wanted = found.is_file() && found.len() <= LARGEST_SMALL_FILE && !is_card && !except.contains(&name);
        if wanted && !name.starts_with('.') && name != RECORD && !is_weights(name) && !folder.has(name) {
            folder.write(name, &fs::read(&path).map_err(|cause| failed(&path, cause))?)?;
        }
    }
    Ok(())
}

/// What config.json says: the source's own, or for a GGUF file one that says the same.
pub(crate) fn config_json(checkpoint: &Checkpoint, dtype: Dtype) -> Result<Map<String, Value>> {
    const PADDING: &str = "tokenizer.ggml.padding_token_id";
    let config = match checkpoint.metadata(&[PADDING])? {
        Some(metadata) => {
            let pad = metadata.get(PADDING).and_then(|id| u32::try_from(id.as_u64()?).ok());
            huggingface_config(checkpoint.architecture(), checkpoint.config(), dtype, pad)
        }
        None if checkpoint.settled_config().is_some() => checkpoint.settled_config().cloned().unwrap_or_default(),
        None => {
            let path = checkpoint.path().join("config.json");
            let text = fs::read(&path).map_err(|cause| WriteError::Io { action: "read", path: path.clone(), cause })?;
            // It was read as JSON when the checkpoint was opened.
            serde_json::from_slice(&text).unwrap_or_default()
        }
    };
    match config {
        Value::Object(config) => Ok(config),
        _ => Ok(Map::new()),
    }
}

//! The files of a Hugging Face folder beside its weights.

use std::{
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

use laser_checkpoint::{Checkpoint, Convention, huggingface_config};
use laser_files::{RECORD, is_own_file, kind_of};
use safetensors::Dtype;
use serde_json::{Map, Value};

use crate::{
    error::{Result, WriteError},
    staging::Staging,
};

/// The model card's file.
pub(crate) const CARD: &str = "README.md";

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

/// What has the name of a copied file in the source folder, if that is a folder. Links are followed; those to nothing are left out.
fn found_files(checkpoint: &Checkpoint) -> Result<Vec<(String, PathBuf, Metadata)>> {
    let mut files = Vec::new();
    if checkpoint.convention() == Convention::Gguf {
        return Ok(files);
    }
    let source = checkpoint.path();
    for entry in fs::read_dir(source).map_err(|cause| unread(source, cause))? {
        let path = entry.map_err(|cause| unread(source, cause))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if is_copied(&name)
            && let Ok(metadata) = fs::metadata(&path)
        {
            files.push((name, path, metadata));
        }
    }
    files.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(files)
}

/// The files of the source folder that are copied, by name.
fn copied_files(checkpoint: &Checkpoint) -> Result<Vec<(String, PathBuf)>> {
    let is_small = |found: &Metadata| found.is_file() && found.len() <= LARGEST_SMALL_FILE;
    let small = found_files(checkpoint)?.into_iter().filter(|(.., found)| is_small(found));
    Ok(small.map(|(name, path, _)| (name, path)).collect())
}

fn unread(path: &Path, cause: io::Error) -> WriteError {
    WriteError::Io { action: "read", path: path.to_owned(), cause }
}

/// Copies the source folder's small files as far as they are not there already. Links among them have been
/// looked at ([`check_small_files`]).
pub(crate) fn copy_small_files(checkpoint: &Checkpoint, except: &[&str], folder: &Staging) -> Result<()> {
    for (name, path) in copied_files(checkpoint)? {
        if !except.contains(&name.as_str()) && !folder.has(&name) {
            folder.write(
                &name,
                &laser_guard::read_file(&path, LARGEST_SMALL_FILE).map_err(|cause| unread(&path, cause))?,
            )?;
        }
    }
    Ok(())
}

/// Refuses to write `out` if a small file of the source folder is a pipe or a device, or a link to somewhere else: what it points to
/// would become part of what is written. Weights may be anywhere: nothing but tensors is taken from them.
pub(crate) fn check_small_files(checkpoint: &Checkpoint, out: &Path) -> Result<()> {
    let is_special = |found: &Metadata| !found.is_file() && !found.is_dir();
    if let Some((_, path, found)) = found_files(checkpoint)?.into_iter().find(|(.., found)| is_special(found)) {
        let kind = kind_of(found.file_type());
        let why = format!("{} is {kind}, which cannot be copied: remove it", path.display());
        return Err(WriteError::Refused { path: out.to_owned(), why });
    }
    for (_, path) in copied_files(checkpoint)? {
        if !is_own_file(checkpoint.path(), &path).map_err(|cause| unread(&path, cause))? {
            let why = format!(
                "{} is a link to a file outside of the model, which would become part of what is written: put a copy in its \
                 place, or remove it",
                path.display()
            );
            return Err(WriteError::Refused { path: out.to_owned(), why });
        }
    }
    Ok(())
}

/// Whether a file of this name is one of those that are copied. The unedited model's card is not.
fn is_copied(name: &str) -> bool {
    !name.eq_ignore_ascii_case(CARD) && !name.starts_with('.') && name != RECORD && !is_weights(name)
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
            let text = laser_guard::read_file(&path, LARGEST_SMALL_FILE).map_err(|cause| WriteError::Io {
                action: "read",
                path: path.clone(),
                cause,
            })?;
            // It was read as JSON when the checkpoint was opened.
            serde_json::from_slice(&text).unwrap_or_default()
        }
    };
    match config {
        Value::Object(config) => Ok(config),
        _ => Ok(Map::new()),
    }
}

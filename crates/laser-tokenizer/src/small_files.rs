//! A tokenizer's files, which are read as a whole.

use std::{fs, path::Path};

use serde_json::Value;

use crate::error::{Result, TokenizerError, malformed};

/// No configuration is larger, in bytes.
const LARGEST_JSON: u64 = 1 << 28;

/// No chat template is longer, in bytes.
const LONGEST_TEMPLATE: u64 = 1 << 24;

/// The bytes of a vocabulary.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| malformed(format!("{}: {error}", path.display())))
}

/// A JSON file's content.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let length = length(path)?;
    if length > LARGEST_JSON {
        let why = format!("it has {length} bytes, too many for a JSON file of a model");
        return Err(TokenizerError::NotRead { path: path.to_owned(), why });
    }
    let text = fs::read(path).map_err(|cause| TokenizerError::Io { path: path.to_owned(), cause })?;
    serde_json::from_slice(&text)
        .map_err(|error| TokenizerError::Damaged { path: path.to_owned(), why: format!("it is no JSON: {error}") })
}

/// A JSON file's content; `None` if there is no such file.
pub(crate) fn read_json_if_there(path: &Path) -> Result<Option<Value>> {
    if path.is_file() { read_json(path).map(Some) } else { Ok(None) }
}

/// A chat template's text.
pub(crate) fn read_template(path: &Path) -> Result<String> {
    if length(path)? > LONGEST_TEMPLATE {
        let why = "it is too long for a chat template".to_owned();
        return Err(TokenizerError::NotRead { path: path.to_owned(), why });
    }
    fs::read_to_string(path).map_err(|cause| TokenizerError::Io { path: path.to_owned(), cause })
}

/// The length of what is a file: pipes and devices may have no end.
fn length(path: &Path) -> Result<u64> {
    let found = fs::metadata(path).map_err(|cause| TokenizerError::Io { path: path.to_owned(), cause })?;
    match found.is_file() || found.is_dir() {
        true => Ok(found.len()),
        false => {
            let why = "it is a pipe, a socket or a device, and not a file".to_owned();
            Err(TokenizerError::NotRead { path: path.to_owned(), why })
        }
    }
}

//! Small JSON files.

use std::{fs, path::Path};

use serde_json::Value;

use crate::error::{CheckpointError, Result};

/// No configuration is larger, in bytes.
const LARGEST_JSON: u64 = 1 << 28;

/// A JSON file's content.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let failed = |cause| CheckpointError::Io { action: "read", path: path.to_owned(), cause };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > LARGEST_JSON {
        let why = format!("it has {length} bytes, too many for a JSON file of a model");
        return Err(CheckpointError::NotRead { path: path.to_owned(), why });
    }
    let text = fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text)
        .map_err(|error| CheckpointError::Damaged { path: path.to_owned(), why: format!("it is no JSON: {error}") })
}

/// A JSON file's content; `None` if there is no such file.
pub(crate) fn read_json_if_there(path: &Path) -> Result<Option<Value>> {
    if path.is_file() { read_json(path).map(Some) } else { Ok(None) }
}

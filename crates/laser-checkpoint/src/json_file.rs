//! Small files: JSON, and the tables of architectures.

use std::path::Path;

use serde_json::Value;

use crate::error::{CheckpointError, Result};

/// No configuration is larger, in bytes.
const LARGEST_JSON: u64 = 1 << 28;

/// The bytes of a file that is to have at most `most`. Pipes and devices, which may have no end, are not read.
pub(crate) fn read_small(path: &Path, most: u64) -> Result<Vec<u8>> {
    let failed = |cause| CheckpointError::Io { action: "read", path: path.to_owned(), cause };
    laser_guard::read_file(path, most).map_err(failed)
}

/// A JSON file's content.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let text = read_small(path, LARGEST_JSON)?;
    serde_json::from_slice(&text)
        .map_err(|error| CheckpointError::Damaged { path: path.to_owned(), why: format!("it is no JSON: {error}") })
}

/// A JSON file's content; `None` if there is nothing. Anything there but a file is an error.
pub(crate) fn read_json_if_there(path: &Path) -> Result<Option<Value>> {
    if path.try_exists().unwrap_or(true) { read_json(path).map(Some) } else { Ok(None) }
}

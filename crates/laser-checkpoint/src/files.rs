//! Small files, and the fingerprints of large ones.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use laser_edit::FileHash;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{CheckpointError, Result};

/// No configuration or tokenizer is larger.
const LARGEST_JSON: u64 = 1 << 28;

/// Hashes a file's content, read once and a piece at a time.
pub(crate) fn hash_file(path: &Path) -> Result<FileHash> {
    let failed = |cause| CheckpointError::Io { action: "read", path: path.to_owned(), cause };
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        bytes += count as u64;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(FileHash { name, bytes, sha256: format!("{:x}", hash.finalize()) })
}

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

/// A JSON file's content, where the file is there.
pub(crate) fn read_json_if_there(path: &Path) -> Result<Option<Value>> {
    if path.is_file() { read_json(path).map(Some) } else { Ok(None) }
}

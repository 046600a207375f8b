//! The fingerprints of files.

use std::{io::Read, path::Path};

use laser_edit::FileHash;
use sha2::{Digest, Sha256};

use crate::error::{CheckpointError, Result};

/// Hashes a file's content, read once and a piece at a time.
pub(crate) fn hash_file(path: &Path) -> Result<FileHash> {
    let failed = |cause| CheckpointError::Io { action: "read", path: path.to_owned(), cause };
    let mut file = laser_guard::open_file(path).map_err(failed)?;
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

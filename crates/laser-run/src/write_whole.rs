//! Writing a file so that it is there whole, or as it was before.

use crate::error::{Error, Result};
use std::path::Path;

/// Puts `bytes` at `path` through a temporary file beside it; the folder must exist.
///
/// # Errors
/// If the folder does not exist or cannot be written to, the disk is full, or something else than a file is there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    laser_files::write_whole(path, bytes).map_err(|source| Error::Io { path: path.to_owned(), source })
}

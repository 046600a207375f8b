//! Files as memory: pages are read when they are touched, and cost no memory of the process's own.

use std::{fs::File, path::Path};

use memmap2::Mmap;

use crate::error::{CheckpointError, Result};

/// Maps the file at `path` for reading.
pub(crate) fn map(path: &Path) -> Result<Mmap> {
    let failed = |action| move |cause| CheckpointError::Io { action, path: path.to_owned(), cause };
    let file = File::open(path).map_err(failed("open"))?;
    let metadata = file.metadata().map_err(failed("read"))?;
    if !metadata.is_file() {
        return Err(CheckpointError::NotACheckpoint { path: path.to_owned(), why: "it is not a file".to_owned() });
    }
    if metadata.len() == 0 {
        return Err(CheckpointError::Damaged { path: path.to_owned(), why: "the file is empty".to_owned() });
    }
    // SAFETY: the map is only read, as plain bytes that are all checked before use. That nobody
    // shortens the file meanwhile is out of any reader's hands (the process would then be ended by
    // SIGBUS); weights are written once and renamed into place.
    unsafe { Mmap::map(&file) }.map_err(failed("map"))
}

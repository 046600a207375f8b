//! The files that this process has read as its input: they are not replaced by what it writes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// More are not remembered: a corpus may have millions.
const MOST: usize = 10_000;

static READ: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Notes that a file is read; for files that a command line does not name, such as the data of a task.
pub fn note_read(path: &Path) {
    let Ok(path) = path.canonicalize() else { return };
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if read.len() < MOST && !read.contains(&path) {
        read.push(path);
    }
}

/// What was noted.
pub(crate) fn files_read() -> Vec<PathBuf> {
    READ.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

//! Whether what is at a place is still what was there.

use std::fs::{self, FileType};
use std::path::Path;
use std::time::SystemTime;

/// What tells it: the kind, the length and the time of the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    kind: FileType,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// Of what is at `path`, a link itself and not what it leads to; none where nothing is.
    pub fn of(path: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(path).ok()?;
        Some(Self { kind: found.file_type(), bytes: found.len(), modified: found.modified().ok() })
    }
}

//! Files to be read.

use crate::TaskError;
use std::path::Path;

/// A file's bytes, and its name as messages show it.
pub(crate) struct Source {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Source {
    /// A file's content.
    pub fn read(path: &Path) -> Result<Self, TaskError> {
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self { name, bytes }),
            Err(source) => Err(TaskError::Read { file: name, source }),
        }
    }
}

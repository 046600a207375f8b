//! Files to be read.

use crate::TaskError;
use std::path::Path;

/// A file's bytes, and its name as messages show it.
pub(crate) struct Source {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Source {
    /// A file's content. Pipes and devices, which may have no end, are not read.
    pub fn read(path: &Path) -> Result<Self, TaskError> {
        let name = path.display().to_string();
        let bytes = std::fs::metadata(path).and_then(|found| match found.is_file() || found.is_dir() {
            true => std::fs::read(path),
            false => Err(std::io::Error::other("it is a pipe, a socket or a device, and not a file")),
        });
        match bytes {
            Ok(bytes) => Ok(Self { name, bytes }),
            Err(source) => Err(TaskError::Read { file: name, source }),
        }
    }
}

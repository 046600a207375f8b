//! Files to be read.

use crate::TaskError;
use std::path::Path;

/// A file's bytes, and its name as messages show it.
pub(crate) struct Source {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// No file of a task or of its data is larger, in bytes: a larger one would not fit in memory as rows.
const LARGEST: u64 = 4 << 30;

impl Source {
    /// A file's content. Pipes and devices, which may have no end, are not read.
    pub fn read(path: &Path) -> Result<Self, TaskError> {
        let name = path.display().to_string();
        laser_files::note_read(path);
        match laser_guard::read_file(path, LARGEST) {
            Ok(bytes) => Ok(Self { name, bytes }),
            Err(source) => Err(TaskError::Read { file: name, source }),
        }
    }
}

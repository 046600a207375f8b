//! Why a PyTorch file is not read.

use std::path::Path;

use crate::error::CheckpointError;

/// Why a file's bytes are not read.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// They contradict the format.
    Damaged(String),
    /// They ask for something that is not supported.
    NotRead(String),
}

impl Refusal {
    pub(crate) fn at(self, path: &Path) -> CheckpointError {
        let path = path.to_owned();
        match self {
            Self::Damaged(why) => CheckpointError::Damaged { path, why },
            Self::NotRead(why) => CheckpointError::NotRead { path, why },
        }
    }
}

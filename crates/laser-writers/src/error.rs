//! What can go wrong when a model is written. Each message is one line: what, why, what to do.

use std::{io, path::PathBuf};

use laser_checkpoint::{CheckpointError, Precision};

/// A result of this crate.
pub type Result<T, E = WriteError> = std::result::Result<T, E>;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The source cannot be read.
    #[error(transparent)]
    Checkpoint(Box<CheckpointError>),
    /// An edit is malformed, or does not fit the model.
    #[error(transparent)]
    Edit(#[from] laser_edit::EditError),
    /// A matrix has no decomposition.
    #[error(transparent)]
    Decomposition(#[from] laser_matrix::SvdError),
    /// The operating system refused.
    #[error("cannot {action} {path}: {cause}")]
    Io {
        /// What was tried: `write`, `read` ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        cause: io::Error,
    },
    /// The place to write to is taken or may not be replaced.
    #[error("will not write {path}: {why}")]
    Refused {
        /// The place.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// A value does not fit the type to be written.
    #[error("tensor {tensor:?} cannot be written as {precision}: element {index} is {value}, beyond its range")]
    Overflow {
        /// Its name.
        tensor: String,
        /// The type to be written.
        precision: Precision,
        /// Row-major position.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The format cannot hold this model or this edit.
    #[error("{format} cannot hold {what}: {why}")]
    Format {
        /// The format.
        format: &'static str,
        /// The model, a matrix or an edit.
        what: String,
        /// Why, and what to do.
        why: String,
    },
    /// A file is not a patch, or is another model's.
    #[error("{path}: {why}")]
    Patch {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// What was read back is not what was written.
    #[error("{path} was not written right: {why}: nothing was put in place, write again")]
    ReadBack {
        /// The file.
        path: PathBuf,
        /// What differs.
        why: String,
    },
}

impl From<CheckpointError> for WriteError {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(Box::new(error))
    }
}

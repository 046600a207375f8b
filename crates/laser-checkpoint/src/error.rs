//! What can go wrong with weights on disk. Each message is one line: what, why, what to do.

use std::{fmt, io, path::PathBuf};

use crate::Precision;

/// A result of this crate.
pub type Result<T, E = CheckpointError> = std::result::Result<T, E>;

/// Every failure of this crate.
///
/// Names that come from a file are shown with escapes, so that no file can break a message into
/// lines.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    // Files.
    /// The operating system refused.
    #[error("cannot {action} {path}: {cause}")]
    Io {
        /// What was tried: `open`, `read`, `write` ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        cause: io::Error,
    },
    /// The path is not a checkpoint.
    #[error("{path} is not a checkpoint: {why}")]
    NotACheckpoint {
        /// What was to be opened.
        path: PathBuf,
        /// What was looked for.
        why: String,
    },
    /// A file's bytes contradict its format.
    #[error("{path} is damaged: {why}: fetch the file again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        why: String,
    },
    /// A file was written to while it was read.
    #[error(
        "{path} was changed while it was being read: put the file back, leave it alone, and run the same command again"
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file is sound, but of a kind that is not read.
    #[error("{path} cannot be read: {why}")]
    NotRead {
        /// The file.
        path: PathBuf,
        /// What it is, and what to do instead.
        why: String,
    },

    // Architecture and configuration.
    /// An architecture table is wrong.
    #[error("architecture table {table}: {why}")]
    Table {
        /// Its name.
        table: String,
        /// What is wrong in it.
        why: String,
    },
    /// No table for this `model_type` or `general.architecture`.
    #[error("{path}: unknown {key} {found:?}: the known ones are {}; `--architecture FILE` takes a table of your own", .known.join(", "))]
    UnknownArchitecture {
        /// The file that says so.
        path: PathBuf,
        /// `model_type` or `general.architecture`.
        key: &'static str,
        /// Its value.
        found: String,
        /// The values that have a table.
        known: Vec<String>,
    },
    /// A configuration key is missing or has a value that cannot be.
    #[error("{path}: {key}: {why}")]
    Config {
        /// The configuration's file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// The configuration asks for something that this version would compute wrongly.
    #[error("{path}: {key} is {found}, which this version does not support: {why}")]
    Unsupported {
        /// The configuration's file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// Why it matters.
        why: String,
    },

    // Tensors.
    /// A tensor that the architecture needs is not there.
    #[error("tensor {tensor:?} is missing in {path}: the file is incomplete or of another architecture")]
    MissingTensor {
        /// Its name.
        tensor: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A tensor's shape contradicts the configuration.
    #[error(
        "tensor {tensor:?} in {path} is {}, but the configuration implies {}: config and weights are not of one model",
        Shape(.found), Shape(.expected)
    )]
    WrongShape {
        /// Its name.
        tensor: String,
        /// Its file.
        path: PathBuf,
        /// What the configuration implies.
        expected: Vec<usize>,
        /// What the file says.
        found: Vec<usize>,
    },
    /// A tensor is stored in a type that cannot be read.
    #[error("tensor {tensor:?} in {path} has type {found}: the types that can be read are {}", Precision::names())]
    UnknownTensorType {
        /// Its name.
        tensor: String,
        /// Its file.
        path: PathBuf,
        /// The type, by name or number.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error("tensor {tensor:?} in {path} is not finite at element {index}: the file is damaged, fetch it again")]
    NotFinite {
        /// Its name.
        tensor: String,
        /// Its file.
        path: PathBuf,
        /// Row-major position of the first such element.
        index: usize,
    },
    /// No such layer.
    #[error("layer {layer} is out of range: the model has layers 0 to {last} (or -{count} to -1)", last = .count.saturating_sub(1))]
    LayerOutOfRange {
        /// What was asked for; negative ones count from the end.
        layer: i64,
        /// The number of layers.
        count: usize,
    },

    /// An edit is malformed, or does not fit the model.
    #[error(transparent)]
    Edit(#[from] laser_edit::EditError),
}

/// `[rows, cols]`, for messages.
struct Shape<'a>(&'a [usize]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.0.iter().map(usize::to_string).collect();
        write!(f, "[{}]", sizes.join(", "))
    }
}

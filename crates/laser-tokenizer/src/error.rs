//! What can go wrong with a tokenizer's files. Each message is one line: what, why, what to do.

use std::{io, path::PathBuf};

/// A result of this crate.
pub type Result<T, E = TokenizerError> = std::result::Result<T, E>;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The operating system refused.
    #[error("cannot read {path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        cause: io::Error,
    },
    /// A file's bytes contradict its format.
    #[error("{path} is damaged: {why}: fetch the file again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        why: String,
    },
    /// The file is sound, but is not read.
    #[error("{path} cannot be read: {why}")]
    NotRead {
        /// The file.
        path: PathBuf,
        /// What it is, and what to do instead.
        why: String,
    },
    /// There is no tokenizer, or one that this version does not read.
    #[error("tokenizer: {why}: {advice}")]
    Tokenizer {
        /// What is wrong.
        why: String,
        /// What to do.
        advice: &'static str,
    },
}

/// The error of a vocabulary that contradicts itself.
pub(crate) fn malformed(why: String) -> TokenizerError {
    TokenizerError::Tokenizer { why, advice: "get the model's tokenizer files again" }
}

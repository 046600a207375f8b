use std::path::PathBuf;

/// Why a corpus cannot be counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorpusError {
    /// A file or folder could not be read.
    #[error("{}: {source}: check that it is there and may be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// There is no text in the folder.
    #[error("{}: holds no text: give .txt, .jsonl or .jsonl.zst files, or a folder of them (links to folders are not followed)", path.display())]
    NoText {
        /// The folder.
        path: PathBuf,
    },
    /// A line of a JSONL file is not what it should be.
    #[error("{}: line {line} {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The facts' texts are too many for one automaton.
    #[error("the facts' subjects and answers do not fit in one automaton: {0}: count fewer facts at a time")]
    Patterns(#[from] aho_corasick::BuildError),
}

/// The result of this crate's operations.
pub type Result<T, E = CorpusError> = std::result::Result<T, E>;

use crate::description::in_words;
use std::path::PathBuf;

/// Why a RUN folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A search that has not come to its end.
    #[error("{}: the search is not finished: run it again with its options to go on", path.display())]
    Unfinished {
        /// The RUN folder.
        path: PathBuf,
    },
    /// A search that has not come to its end, and that another process is running.
    #[error("{}: a search is running in this folder and has not come to its end: wait for it", path.display())]
    Running {
        /// The RUN folder.
        path: PathBuf,
    },
    /// The folder belongs to a search that was asked for differently.
    #[error("{}: holds another search ({}): choose another folder, or repeat the first search's options", path.display(), in_words(what))]
    OtherSearch {
        /// The RUN folder.
        path: PathBuf,
        /// The first part of `run.json` that is different.
        what: String,
    },
    /// The journal was made by other kernels, whose results differ in their last bits.
    #[error(
        "{}: was made with the kernels {found}, and here they are {here}, which round differently: choose another folder, or go on where and how it was made",
        path.display()
    )]
    OtherKernels {
        /// The RUN folder.
        path: PathBuf,
        /// The kernels that the journal was made with.
        found: String,
        /// Those that would go on.
        here: String,
    },
    /// The journal was made by kernels that nobody recorded.
    #[error(
        "{}: was made by a version that did not record its kernels, which may round differently from those here ({here}): choose another folder; `laser verdict` still reads the folder",
        path.display()
    )]
    UnknownKernels {
        /// The RUN folder.
        path: PathBuf,
        /// The kernels that would go on.
        here: String,
    },
    /// A search that another one cannot be compared with.
    #[error("{}: cannot be compared with: {why}: give the RUN of a finished exhaustive search of the same model, examples and space", path.display())]
    NotComparable {
        /// The RUN folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Shards that cannot be merged.
    #[error("{}: {why}: {advice}", path.display())]
    Shards {
        /// The RUN folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// What to do.
        advice: &'static str,
    },
    /// A search whose results do not hold for another one.
    #[error("{}: its results cannot be reused: the {what} differs: give a RUN of the same model, task and sample", path.display())]
    NotReusable {
        /// The RUN folder.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// Another process writes to the folder.
    #[error("{}: another search is running in this folder: wait for it, or choose another folder", path.display())]
    Busy {
        /// The RUN folder.
        path: PathBuf,
    },
    /// A file of a RUN folder does not hold what it should.
    #[error("{}: {why}: {advice}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// What to do.
        advice: &'static str,
    },
    /// Reading or writing a file failed.
    #[error("{}: {source}: check who may read and write there, and that there is room", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

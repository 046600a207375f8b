//! What can go wrong with Decision Transformers.

use std::path::PathBuf;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with Decision Transformers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Another process trains in a folder.
    #[error("{}: another training runs in it: wait for its end, or give another folder", _0.display())]
    InUse(PathBuf),
    /// The shape of a model is none that can be.
    #[error("a Decision Transformer of this shape cannot be: {0}")]
    Shape(String),
    /// There is nothing to learn from.
    #[error("no episode is as long as the context of {0} steps: train on more levels")]
    NoEpisodes(usize),
    /// A training was started otherwise.
    #[error("{}: it holds a training with other {what}: train in another folder, or with the same options", path.display())]
    OtherTraining {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// The loss is not a number.
    #[error("the loss at step {0} is not a number: train with a lower learning rate, in another folder")]
    Diverged(usize),
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(Box<laser_checkpoint::CheckpointError>),
    /// The blocks cannot be run.
    #[error(transparent)]
    Model(Box<laser_model::Error>),
    /// A kernel fails.
    #[error(transparent)]
    Kernel(Box<laser_kernels::Error>),
    /// A candidate cannot be made.
    #[error(transparent)]
    Engine(Box<laser_engine::Error>),
    /// A RUN folder cannot be read.
    #[error(transparent)]
    Run(Box<laser_run::Error>),
    /// Levels or episodes cannot be read.
    #[error(transparent)]
    Sokoban(#[from] laser_sokoban::Error),
    /// The caller has ended the work.
    #[error(transparent)]
    Stopped(#[from] laser_run::Stopped),
    /// A tensor operation fails.
    #[error(transparent)]
    Tensor(Box<candle_core::Error>),
}

/// Large errors are boxed, so that results stay small.
macro_rules! boxed {
    ($($variant:ident: $error:ty),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        })*
    };
}

boxed! {
    Checkpoint: laser_checkpoint::CheckpointError,
    Model: laser_model::Error,
    Kernel: laser_kernels::Error,
    Engine: laser_engine::Error,
    Run: laser_run::Error,
    Tensor: candle_core::Error,
}

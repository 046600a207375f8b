/// Why a search or an evaluation stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Scoring failed.
    #[error(transparent)]
    Engine(#[from] laser_engine::Error),
    /// The RUN folder cannot be read or written.
    #[error(transparent)]
    Run(#[from] laser_run::Error),
    /// Edits that cannot be put together.
    #[error(transparent)]
    Checkpoint(#[from] laser_checkpoint::CheckpointError),
    /// Running the model failed.
    #[error(transparent)]
    Model(#[from] laser_model::Error),
    /// Nothing is to be tried.
    #[error("there is no candidate: {why}")]
    NoCandidates {
        /// Which choice is empty.
        why: &'static str,
    },
}

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a search stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Scoring failed.
    #[error(transparent)]
    Scorer(laser_run::ScorerError),
    /// The RUN folder cannot be read or written.
    #[error(transparent)]
    Run(#[from] laser_run::Error),
    /// Edits that cannot be put together.
    #[error(transparent)]
    Edit(#[from] laser_edit::EditError),
    /// Nothing is to be tried.
    #[error("there is no candidate: {why}")]
    NoCandidates {
        /// Which choice is empty.
        why: &'static str,
    },
    /// A strategy needs a result that is not there.
    #[error("{candidate}: has not been scored on the validation split: run the search again")]
    NotScored {
        /// The candidate.
        candidate: String,
    },
    /// A scorer that gave another number of results than it was asked for.
    #[error("the scorer gave {found} results for {expected}: this is an error in the scorer: report it")]
    ResultCount {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
}

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

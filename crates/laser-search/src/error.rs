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
    /// Results that are to be put together do not agree.
    #[error(
        "the RUN folders that are to be put together do not agree on {candidate}: one of them is damaged or was changed: leave it out, or run it again in an empty folder"
    )]
    Contradiction {
        /// The candidate, `base` for the unedited model.
        candidate: String,
    },
    /// A strategy needs a result that is not there.
    #[error("{candidate}: has not been scored on the validation split: run the search again")]
    NotScored {
        /// The candidate.
        candidate: String,
    },
    /// A scorer whose results are of another kind than the task's.
    #[error(
        "the scorer gives results of the kind {found:?}, and the task's are {expected:?}: use a scorer for this task"
    )]
    ResultKind {
        /// The task's kind.
        expected: laser_run::ResultKind,
        /// The scorer's.
        found: laser_run::ResultKind,
    },
    /// A scorer that reported a candidate twice, or one that it was not asked for.
    #[error(
        "the scorer gave results for candidate {number}, which were not asked for: this is an error in the scorer: report it"
    )]
    UnaskedResults {
        /// The candidate's number in its batch.
        number: usize,
    },
    /// A scorer that gave a value that its kind of result cannot have.
    #[error(
        "the scorer gave the value {value} and the log-loss {log_loss}, which no example can have: this is an error in the scorer: report it"
    )]
    ResultValue {
        /// The value.
        value: f64,
        /// The log-loss, nats per token.
        log_loss: f64,
    },
    /// A scorer that reported a cost that it was not asked for, or that cannot be.
    #[error(
        "the scorer gave a cost of {candidate} that was not asked for or cannot be: this is an error in the scorer: report it"
    )]
    UnaskedCost {
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

use std::path::PathBuf;

/// Why a search or an evaluation stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A masked model without a mask token.
    #[error("the model predicts mask tokens, and its tokenizer has none: add \"mask_token\" to tokenizer_config.json")]
    NoMaskToken,
    /// Reading weights or editing them failed.
    #[error(transparent)]
    Checkpoint(#[from] laser_checkpoint::CheckpointError),
    /// An edit set is none, or does not fit the model.
    #[error(transparent)]
    Edit(#[from] laser_edit::EditError),
    /// Running the model failed.
    #[error(transparent)]
    Model(#[from] laser_model::Error),
    /// The task cannot be used as asked.
    #[error(transparent)]
    Task(#[from] laser_tasks::TaskError),
    /// A prompt or an answer gives no token.
    #[error("example {id}: the prompt or an answer has no tokens: remove the example, or check the tokenizer")]
    NoTokens {
        /// The example.
        id: String,
    },
    /// A text that has no perplexity.
    #[error("the text for perplexity cannot be used: {why}: {advice}")]
    Text {
        /// Why.
        why: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// An example whose choices cannot follow an empty prompt.
    #[error("example {id}: {problem}")]
    Blank {
        /// The example.
        id: String,
        /// What is wrong.
        problem: Box<laser_tasks::RowError>,
    },
    /// A search that has not come to its end.
    #[error("{}: the search is not finished: run it again with its options to go on", path.display())]
    Unfinished {
        /// The RUN folder.
        path: PathBuf,
    },
    /// The tokenizer and the weights do not belong together.
    #[error(
        "example {id}: token {token} is outside the model's vocabulary of {vocabulary}: the tokenizer is not this model's"
    )]
    TokenOutsideVocabulary {
        /// The example.
        id: String,
        /// The token id.
        token: u32,
        /// Rows of the embedding.
        vocabulary: usize,
    },
    /// An example does not fit the model's context.
    #[error(
        "example {id}: {prompt} prompt tokens and up to {rest} after them exceed the model's context of {context_length}: shorten or remove the example"
    )]
    TooLong {
        /// The example.
        id: String,
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens of the longest continuation or generation.
        rest: usize,
        /// Tokens that the model can look at.
        context_length: usize,
    },
    /// The model computes infinities or NaNs.
    #[error(
        "example {id}: the model gives a log-probability that is not a finite number: check the weights, or leave the edited matrix out with --layers or --matrices"
    )]
    NotFinite {
        /// The example.
        id: String,
    },
    /// The folder belongs to a search that was asked for differently.
    #[error("{}: holds another search ({what} differs): choose another --out, or repeat the first search's options", path.display())]
    OtherSearch {
        /// The RUN folder.
        path: PathBuf,
        /// The first part of `run.json` that is different.
        what: String,
    },
    /// A search that another one cannot be compared with.
    #[error("{}: cannot be compared with: {why}: give the RUN of a finished exhaustive search of the same model, examples and space", path.display())]
    NotComparable {
        /// The RUN folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Another process writes to the folder.
    #[error("{}: another search is running in this folder: wait for it, or choose another --out", path.display())]
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
    #[error("{}: {source}: check that the place is writable and has room", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Nothing is to be tried.
    #[error("there is no candidate: {why}")]
    NoCandidates {
        /// Which choice is empty.
        why: &'static str,
    },
}

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why examples cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A masked model without a mask token.
    #[error("the model predicts mask tokens, and its tokenizer has none: add \"mask_token\" to tokenizer_config.json")]
    NoMaskToken,
    /// Reading weights or editing them failed.
    #[error(transparent)]
    Checkpoint(#[from] laser_checkpoint::CheckpointError),
    /// An edit does not fit the model, or cannot be made.
    #[error(transparent)]
    Edit(#[from] laser_edit::EditError),
    /// A matrix cannot be decomposed in the basis that an edit asks for.
    #[error("{layer}.{matrix} cannot be decomposed by what goes through it or beside its neighbours: {why}")]
    Basis {
        /// The layer.
        layer: usize,
        /// The matrix.
        matrix: laser_edit::MatrixId,
        /// Why.
        why: String,
    },
    /// Running the model failed.
    #[error(transparent)]
    Model(#[from] laser_model::Error),
    /// An operation of the model's backend failed.
    #[error(transparent)]
    Kernel(#[from] laser_kernels::Error),
    /// The caller has ended the work.
    #[error(transparent)]
    Stopped(#[from] laser_run::Stopped),
    /// A text could not be encoded or decoded.
    #[error(transparent)]
    Tokenizer(#[from] laser_tokenizer::TokenizerError),
    /// A prompt or an answer gives no token.
    #[error("example {id}: the prompt or an answer has no tokens: remove the example, or check the tokenizer")]
    NoTokens {
        /// The example.
        id: String,
    },
    /// An example that a masked model cannot be asked.
    #[error("example {id}: a masked model can fill in choices and answers only: use a causal model for this task")]
    NotMasked {
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
    /// A reference text that is too short to be halved.
    #[error(
        "the reference text has {tokens} tokens, and two windows of {window} are needed, of which one chooses and one reports: give a longer text, or a larger --text-tokens"
    )]
    ShortText {
        /// Its tokens.
        tokens: usize,
        /// Tokens of a window.
        window: usize,
    },
    /// A generated text that cannot be scored.
    #[error("example {id}: {problem}")]
    Scoring {
        /// The example.
        id: String,
        /// Why.
        problem: laser_example::ExampleError,
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
    /// More is to be generated than the model can look at.
    #[error(
        "example {id}: {new_tokens} tokens are to be generated, and the model's context has {context_length}: lower max_gen_toks in the task's generation_kwargs"
    )]
    TooManyNewTokens {
        /// The example.
        id: String,
        /// Tokens that are to be generated.
        new_tokens: usize,
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
}

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

//! Tasks: examples, prompts, splits and how an answer is scored.
//!
//! A task comes from a built-in name, a JSONL file or a YAML file in the format of lm-evaluation-harness ([`Task::open`]).
//! It is checked once, when it is read: an [`Example`] always has a prompt and an answer, and every complaint is one line that
//! names the file, the line and what to do. Nothing here knows about tensors or tokens.

mod builtin;
mod error;
mod example;
mod jsonl;
mod random;
mod scoring;
mod split;
mod task;
mod template;
mod yaml;

pub use error::{RowError, TaskError, YamlError};
pub use example::{Example, Target};
pub use random::SplitMix64;
pub use scoring::{Outcome, Score, generation_is_correct};
pub use split::Split;
pub use task::Task;

/// How many tokens are generated for an example whose task does not say (lm-evaluation-harness would say 256).
pub const DEFAULT_NEW_TOKENS: usize = 10;

/// A file's bytes, and its name as messages show it.
pub(crate) struct Source {
    pub name: String,
    pub bytes: Vec<u8>,
}

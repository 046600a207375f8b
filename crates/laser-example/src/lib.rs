//! Examples of a task, what is right, and scores. Nothing here reads a file or knows about tensors or tokens.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod choice_letters;
mod error;
mod example;
mod extract;
mod filter;
mod metric;
mod one_line;
mod random;
mod scoring;
mod spans;
mod task_metrics;
mod turn;
mod words;

pub use choice_letters::ChoiceLetters;
pub use error::ExampleError;
pub use example::{Choice, Example, Generation, Matching, Target};
pub use extract::Extract;
pub use filter::{Filter, Pipeline, Response};
pub use metric::{Aggregation, Metric, MetricKind};
pub use one_line::{plain, quoted, readable};
pub use random::SplitMix64;
pub use scoring::{Outcome, Score, generation_is_correct};
pub use task_metrics::{Measured, ScoredExample, TaskMetrics};
pub use turn::{Dialogue, Message, Speaker, Turn};
pub use words::{ExactMatch, WordOverlap, word_overlap};

//! Examples of a task, what is right, and scores. Nothing here reads a file or knows about tensors or tokens.

mod error;
mod example;
mod metric;
mod one_line;
pub mod python_text;
mod random;
mod scoring;
mod words;

pub use error::ExampleError;
pub use example::{Choice, Example, Generation, Matching, Target};
pub use metric::{Aggregation, Metric, MetricKind};
pub use one_line::{plain, quoted};
pub use random::SplitMix64;
pub use scoring::{Outcome, Score, generation_is_correct};
pub use words::{ExactMatch, WordOverlap, word_overlap};

//! Tasks: examples, prompts, splits and how an answer is scored.
//!
//! A task comes from a built-in name, a file of examples (JSONL, JSON, CSV, TSV, Parquet) or a YAML file in the format of
//! lm-evaluation-harness ([`Task::open`]).
//! It is checked once, when it is read: an [`Example`](laser_example::Example) always has a prompt and an answer, and every complaint is one line that
//! names the file, the line and what to do. Nothing here knows about tensors or tokens.
//!
//! ```
//! use laser_tasks::{Split, Task};
//!
//! let rows = r#"{"prompt": "The capital of France is", "answer": "Paris"}
//! {"prompt": "The capital of Italy is", "answer": "Rome"}"#;
//! let task = Task::from_jsonl("capitals", rows.as_bytes())?;
//! assert_eq!(task.examples[1].answer(), "Rome");
//! let split = Split::shuffled(&task, 0.5, 0)?;
//! assert_eq!((split.validation.len(), split.test.len()), (1, 1));
//!
//! let error = Task::from_jsonl("wrong", br#"{"prompt": "The capital of Spain is"}"#).unwrap_err();
//! assert_eq!(error.to_string(), "wrong.jsonl:1: no `answer`: add it to the row, which has `prompt`");
//! # Ok::<(), laser_tasks::TaskError>(())
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod bad_rows;
mod bare;
mod builtin;
mod card;
mod content_free_prompt;
mod data;
mod error;
mod open;
mod open_options;
mod source;
mod split;
mod subtask;
mod task;
mod template;
mod yaml;

pub use bad_rows::{OnBadRow, SkippedRows};
pub use card::Card;
pub use data::RowLocation;
pub use error::{DataError, RowError, TaskError, YamlError};
pub use open_options::{HubSplit, OpenOptions};
pub use split::Split;
pub use subtask::{AggregateMetric, Subtask, TaskGroup};
pub use task::Task;

/// How many tokens are generated for a row of a bare file. A YAML file that does not say gets lm-evaluation-harness's 256.
pub const DEFAULT_NEW_TOKENS: usize = 10;

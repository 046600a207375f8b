//! RUN folders: what was asked, what was scored, and what it is worth. Data only: no tensors, no tokenizers.
//!
//! [`RunFolder`] reads a RUN folder, beside a running search too; [`RunWriter`] writes one. What a candidate gave on a split
//! is an [`Entry`] of the [`Journal`]; a [`Scorer`] is whatever makes them. [`judge`] turns entries into a [`Verdict`], whose
//! sentences are made elsewhere.
//!
//! ```no_run
//! use laser_run::RunFolder;
//!
//! let run = RunFolder::open("run".as_ref())?;
//! for entry in run.entries()?.all() {
//!     println!("{} {:.1} %", entry.interventions, 100.0 * entry.score.accuracy);
//! }
//! println!("{}", run.judge()?.word());
//! # Ok::<(), laser_run::Error>(())
//! ```
//!
//! The statistics stand by themselves:
//!
//! ```
//! use laser_run::statistics::{mcnemar_exact, wilson};
//!
//! // Of 800 examples 30 became right and 12 wrong.
//! assert!(mcnemar_exact(30, 12) < 0.01);
//! let interval = wilson(166, 800);
//! assert!(interval.low < 0.2075 && 0.2075 < interval.high);
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod bf16_check;
mod conclusion;
mod constant;
mod contradicted;
mod cost;
mod cost_change;
mod cost_limits;
mod description;
mod entries;
mod entry;
mod error;
mod example_range;
mod example_result;
mod examples_file;
mod expected_lines;
mod front;
mod group_numbers;
mod journal;
mod log;
mod measured_costs;
mod metrics;
mod objective;
mod perplexity;
mod predicted_change;
mod progress;
mod record;
mod reused_results;
mod run_file;
mod run_folder;
mod run_writer;
mod schemas;
mod scorer;
mod search_trace;
mod shard;
mod shards;
pub mod statistics;
mod verdict;
mod write_whole;

pub use bf16_check::Bf16Check;
pub use conclusion::{Conclusion, JudgedFiles, Unfit, chosen};
pub use constant::Constant;
pub use cost::{Cost, GuardResult, PassageCost};
pub use cost_change::{CostChange, GuardChange};
pub use cost_limits::CostLimits;
pub use description::{
    ModelDescription, RunDescription, SearchDescription, TaskDescription, TaskReading, TaskWeight, TextDescription,
};
pub use entries::Entries;
pub use entry::{Entry, SplitName};
pub use error::{Error, Result};
pub use example_range::{ExampleRange, race_order};
pub use example_result::{ExampleResult, ResultKind};
pub use examples_file::examples_sha256;
pub use expected_lines::ExpectedLines;
pub use front::{CostedCandidate, costed, front};
pub use group_numbers::group_numbers;
pub use journal::Journal;
pub use log::Log;
pub use measured_costs::Costs;
pub use metrics::{ChoiceMetrics, ClassMetrics, GenerationMetrics, Metrics};
pub use objective::{Objective, TaskMembers};
pub use perplexity::{Perplexity, PerplexityChange, WindowLoss, Windows};
pub use predicted_change::PredictedChange;
pub use progress::{Progress, Silent, Stopped};
pub use record::Record;
pub use reused_results::ReusedResults;
pub use run_folder::RunFolder;
pub use run_writer::RunWriter;
pub use schemas::{FileSchema, file_schemas, schema};
pub use scorer::{Batch, CostReport, Report, Scorer, ScorerError};
pub use search_trace::{GradientTrace, RaceTrace, Recall, Round, SearchTrace, Step};
pub use shard::Shard;
pub use shards::Shards;
pub use statistics::Interval;
pub use verdict::{
    BaseAndEdited, BiasCheck, Changed, Changes, ClassVerdict, Comparison, Constants, Evidence, Gain, Limits, Pair,
    Predictions, Reason, ScoreWithInterval, Scores, TaskVerdict, Verdict, VerdictFile, WithoutTopAnswer, Word, judge,
};
pub use write_whole::write_whole;

//! The sweep: candidates, the engine that scores them, the journal, the statistics and the verdict.
//!
//! [`search`] is the main job. It scores [`Candidate`]s on the validation split with an [`Evaluator`], notes each in the
//! [`Journal`] of a [`RunFolder`], and judges the best one on the test split ([`Verdict`]).

mod blanks;
mod constant;
mod editor;
mod engine;
mod error;
mod files;
mod journal;
mod metrics;
mod perplexity;
mod progress;
mod record;
mod rounding;
mod run_folder;
mod search;
pub mod statistics;
mod strategy;
mod sweep;
mod verdict;

pub use constant::Constant;
pub use editor::Editor;
pub use engine::{Detail, Encoded, Evaluator, Masks, Response, encode};
pub use error::{Error, Result};
pub use files::write_whole;
pub use journal::{Entry, Journal, Part, SplitName};
pub use laser_edit::{Candidate, Recipe};
pub use metrics::{ChoiceMetrics, ClassMetrics, GenerationMetrics, Metrics};
pub use perplexity::{Perplexity, PerplexityChange, Text, Windows};
pub use progress::{Progress, Silent};
pub use record::Record;
pub use rounding::{FILE as ROUNDING_FILE, Rounding};
pub use run_folder::{
    ModelDescription, RunDescription, RunFolder, SearchDescription, TaskDescription, TextDescription,
};
pub use search::{Plan, Subject, check, rejudge, search};
pub use statistics::Interval;
pub use strategy::{
    Account, All, Beam, Compose, Gradient, GradientAccount, Race, RaceAccount, Recall, Round, Start, Step, Strategy,
    exhaustive, noise_edge,
};
pub use sweep::Sweep;
pub use verdict::{
    BaseAndEdited, Changed, Changes, ClassVerdict, Comparison, Constants, Evidence, Gain, Limits, Pair, Predictions,
    ScoreWithInterval, Scores, Verdict, Word, judge,
};

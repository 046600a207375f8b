//! The sweep: candidates, the engine that scores them, the journal, the statistics and the verdict.
//!
//! [`search`] is the main job. It scores [`Candidate`]s on the validation split with an [`Evaluator`], notes each in the
//! [`Journal`] of a [`RunFolder`], and judges the best one on the test split ([`Verdict`]).

mod error;
mod journal;
mod rounding;
mod run_folder;
mod search;
mod strategy;
mod sweep;
mod verdict;

pub use error::{Error, Result};
pub use journal::{Entry, Journal, Part, SplitName};
pub use laser_engine::{
    Candidate, Corpus, Detail, Editor, Encoded, Evaluator, Masks, Response, check, encode, record, windows_for,
};
pub use laser_run::{
    ChoiceMetrics, ClassMetrics, Constant, GenerationMetrics, Interval, Metrics, Perplexity, PerplexityChange,
    Progress, Record, Silent, Windows, statistics, write_whole,
};
pub use rounding::{FILE as ROUNDING_FILE, Rounding};
pub use run_folder::{
    ModelDescription, RunDescription, RunFolder, SearchDescription, TaskDescription, TextDescription,
};
pub use search::{Plan, Recipe, Subject, rejudge, search};
pub use strategy::{
    Account, All, Beam, Compose, Gradient, GradientAccount, Race, RaceAccount, Recall, Round, Start, Step, Strategy,
    exhaustive, noise_edge,
};
pub use sweep::Sweep;
pub use verdict::{
    BaseAndEdited, Changed, Changes, ClassVerdict, Comparison, Constants, Evidence, Gain, Limits, Pair, Predictions,
    ScoreWithInterval, Scores, Verdict, Word, judge,
};

//! Whether the chosen candidate is better than the base, and why it may only seem so. The rules are in `docs/verdict.md`.

mod changes;
mod class_verdict;
mod figures;
mod judge;
mod rules;

pub use changes::{Changed, Changes};
pub use class_verdict::{ClassVerdict, Predictions};
pub use figures::{BaseAndEdited, Comparison, Constants, Gain, ScoreWithInterval, Scores, WithoutTopAnswer};
pub use judge::{Evidence, Pair, TaskVerdict, Verdict, VerdictFile, judge};
pub use rules::{BiasCheck, Limits, Reason, Word};

//! What a strategy asks for.

use laser_edit::Candidate;
use laser_run::ExampleRange;

/// Work on the validation split, whose results the strategy finds in the [`History`](crate::History).
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Score candidates. One that has been scored on ranges that make up the whole split counts as scored on the whole split.
    Score {
        /// What the work is called where progress shows.
        label: String,
        /// The candidates.
        candidates: Vec<Candidate>,
        /// The examples, by place in the races' order; none for the whole split.
        examples: Option<ExampleRange>,
    },
    /// Measure what candidates cost elsewhere than on the task, on the half that serves choosing.
    MeasureCosts {
        /// The candidates.
        candidates: Vec<Candidate>,
    },
    /// Rank candidates by what one backward pass predicts of them.
    RankByGradient {
        /// The candidates.
        candidates: Vec<Candidate>,
        /// Examples of the backward pass, the first in the races' order; at most those that there are.
        examples: usize,
    },
}

impl Job {
    /// Scoring on the whole split.
    pub fn score(label: impl Into<String>, candidates: Vec<Candidate>) -> Self {
        Self::Score { label: label.into(), candidates, examples: None }
    }
}

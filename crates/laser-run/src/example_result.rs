//! What one example gave under one candidate.

use crate::record::Record;
use laser_example::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the results of a task's examples are. It decides which statistics fit them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResultKind {
    /// Right or wrong, as 1 and 0: McNemar's test and Wilson's interval.
    #[default]
    Binary,
    /// A number within bounds: paired permutation test and bootstrap.
    Bounded {
        /// The least value.
        low: f64,
        /// The greatest value.
        high: f64,
    },
    /// Any finite number, such as the return of an episode: paired permutation test and bootstrap.
    Real,
}

impl ResultKind {
    /// Whether a result is right or wrong, nothing between.
    pub fn is_binary(&self) -> bool {
        *self == Self::Binary
    }

    /// Whether `value` is one that this kind of result can have.
    pub fn admits(&self, value: f64) -> bool {
        match *self {
            Self::Binary => value == 0.0 || value == 1.0,
            Self::Bounded { low, high } => (low..=high).contains(&value),
            Self::Real => value.is_finite(),
        }
    }
}

/// What one example gave.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleResult {
    /// More is better. Of a binary task 1 where the example was right and 0 where it was wrong.
    pub value: f64,
    /// The log-loss, nats per token; 0 where a task has none.
    pub log_loss: f64,
    /// What else is kept of it, on the test split.
    pub record: Option<Record>,
}

impl ExampleResult {
    /// A result that is right or wrong.
    pub fn binary(correct: bool, log_loss: f64) -> Self {
        Self { value: f64::from(correct), log_loss, record: None }
    }

    /// A result that is a number.
    pub fn real(value: f64, log_loss: f64) -> Self {
        Self { value, log_loss, record: None }
    }

    /// Whether the example was right.
    pub fn is_right(&self) -> bool {
        self.value == 1.0
    }
}

impl From<Outcome> for ExampleResult {
    fn from(outcome: Outcome) -> Self {
        Self::binary(outcome.correct, outcome.log_loss())
    }
}

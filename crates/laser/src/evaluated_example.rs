//! What one example gave.

use laser_example::{Example, Outcome};
use laser_run::Record;

/// What one example gave.
#[derive(Debug, Clone)]
pub struct EvaluatedExample {
    /// The example.
    pub example: Example,
    /// Right or wrong, and the answer's log-probability.
    pub outcome: Outcome,
    /// What it is worth, where somebody else judged.
    pub value: Option<f64>,
    /// What else it gave.
    pub record: Record,
}

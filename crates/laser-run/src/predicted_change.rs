//! A ranking by gradients: `gradient.json`.

use laser_edit::Candidate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the loss's gradient predicts of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PredictedChange {
    /// The candidate.
    pub interventions: Candidate,
    /// The predicted change of the mean log-loss, nats per token; below zero is better.
    pub change: f64,
}

//! What it changes that candidates are compared in bf16: `rounding.json`.

use laser_edit::Candidate;
use laser_example::Score;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One candidate on the validation split, in bf16 and in f32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bf16Check {
    /// The candidate.
    pub interventions: Candidate,
    /// As it was compared, in bf16.
    #[serde(rename = "rounded")]
    pub in_bf16: Score,
    /// As the model itself gives it, in f32.
    pub exact: Score,
    /// How many examples have another result in the one than in the other.
    pub different: usize,
}

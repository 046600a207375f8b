//! What a verdict is explained with.

use serde::{Deserialize, Serialize};

/// What one example gave, beyond being right or wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// How many tokens the model finds more likely, as the next one, than the answer's first.
    pub answer_rank: usize,
    /// The generated text that counts, where the example is scored by generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// The log-probability of each choice, nats, where there are choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice_logprobs: Option<Vec<f64>>,
    /// The same after a prompt with an empty content.
    #[serde(rename = "blank_logprobs", default, skip_serializing_if = "Option::is_none")]
    pub content_free_logprobs: Option<Vec<f64>>,
}

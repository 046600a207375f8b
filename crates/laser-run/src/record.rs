//! What a verdict is explained with.

use laser_example::{Example, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one example gave, beyond being right or wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The same after a content-free prompt, nats.
    #[serde(rename = "blank_logprobs", default, skip_serializing_if = "Option::is_none")]
    pub content_free_logprobs: Option<Vec<f64>>,
}

impl Record {
    /// What the model generates, chooses or plays, where that is known; `example` is the record's example.
    pub fn answer_given(&self, example: &Example) -> Option<String> {
        match &example.target {
            Target::Generate(_) | Target::Episode { .. } => self.generation.clone(),
            Target::Choose(choice) => {
                let logprobs = self.choice_logprobs.as_ref()?;
                choice.choices.get(choice.predicted(logprobs)).cloned()
            }
            Target::LogLikelihood { .. } | Target::Rolling { .. } => None,
        }
    }
}

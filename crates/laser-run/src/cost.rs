//! What edits do elsewhere than on the task: a line of `costs.jsonl`.

use crate::entry::SplitName;
use laser_edit::Candidate;
use laser_example::Score;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a candidate does to one half of a reference text, and to the guard tasks.
///
/// Every other window of the text and prompt serves choosing, which is called validation here as it is
/// of tasks; of a guard task its validation split does. The others are only looked at for what has
/// been chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// The half.
    pub split: SplitName,
    /// The candidate; none for the unedited model.
    pub interventions: Candidate,
    /// The passages of the text, in order; none where the model predicts no text.
    pub text: Vec<PassageCost>,
    /// Mean divergence of what follows neutral prompts at once, nats.
    pub first_token_kl: f64,
    /// How many weights fewer are stored where low-rank matrices are stored as two factors.
    pub saved_weights: u64,
    /// What each guard task gives, in the order in which they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<GuardResult>,
}

/// What an edited model makes of one passage of a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassageCost {
    /// How many tokens are predicted.
    pub tokens: usize,
    /// Minus the sum of their log-probabilities, nats.
    pub nats: f64,
    /// The sum over them of Kullback and Leibler's divergence of the edited model's prediction from
    /// the unedited model's, nats.
    pub kl: f64,
}

/// What a guard task gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardResult {
    /// The score.
    pub score: Score,
    /// One character an example, in order: `1` right, `0` wrong.
    pub correct: String,
}

impl Cost {
    /// How many tokens are predicted.
    pub fn tokens(&self) -> usize {
        self.text.iter().map(|passage| passage.tokens).sum()
    }

    /// Mean divergence from the unedited model over the text, nats per token; 0 where there is no text.
    pub fn kl(&self) -> f64 {
        self.mean(|passage| passage.kl)
    }

    /// Mean negative log-probability of the text's tokens, nats; 0 where there is no text.
    pub fn log_loss(&self) -> f64 {
        self.mean(|passage| passage.nats)
    }

    /// The growth of the text's perplexity over that under `base`, as a fraction.
    pub fn perplexity_growth(&self, base: &Self) -> f64 {
        (self.log_loss() - base.log_loss()).exp_m1()
    }

    fn mean(&self, of: fn(&PassageCost) -> f64) -> f64 {
        self.text.iter().map(of).sum::<f64>() / self.tokens().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_tokens() {
        let cost = |nats: [f64; 2]| Cost {
            split: SplitName::Validation,
            interventions: Candidate::base(),
            text: vec![
                PassageCost { tokens: 3, nats: nats[0], kl: 0.3 },
                PassageCost { tokens: 1, nats: nats[1], kl: 0.1 },
            ],
            first_token_kl: 0.2,
            saved_weights: 0,
            guards: Vec::new(),
        };
        let (base, edited) = (cost([6.0, 2.0]), cost([6.0, 2.4]));
        assert!((edited.kl() - 0.1).abs() < 1e-12 && edited.tokens() == 4);
        assert!((edited.perplexity_growth(&base) - (0.1f64.exp() - 1.0)).abs() < 1e-12);
    }
}

//! What edits do elsewhere than on the task: a line of `costs.jsonl`.

use crate::entry::SplitName;
use crate::log::Log;
use laser_edit::Candidate;
use laser_example::Score;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What a candidate does to one half of a reference text, and to the guard tasks.
///
/// Every other window of the text and prompt serves choosing, which is called validation here as it is
/// of tasks; of a guard task its validation split does. The others are only looked at for what has
/// been chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// All costs that have been measured, found by candidate.
#[derive(Debug, Default, Clone)]
pub struct Costs {
    found: HashMap<(SplitName, String), Cost>,
}

impl Costs {
    /// What a candidate costs on one half.
    pub fn get(&self, split: SplitName, candidate: &Candidate) -> Option<&Cost> {
        self.found.get(&(split, candidate.to_string()))
    }
}

impl Log for Costs {
    type Line = Cost;
    const NAME: &'static str = "a cost";

    fn push(&mut self, cost: Cost) {
        self.found.insert((cost.split, cost.interventions.to_string()), cost);
    }

    fn flaw(cost: &Cost) -> Option<&'static str> {
        let finite = |it: &PassageCost| it.tokens > 0 && it.nats.is_finite() && it.kl >= 0.0;
        let whole = |guard: &GuardResult| {
            let right = guard.correct.bytes().filter(|&byte| byte == b'1').count();
            let n = guard.correct.len();
            n == guard.score.n && n > 0 && (right as f64 / n as f64 - guard.score.accuracy).abs() < 1e-9
        };
        if !cost.text.iter().all(finite) || !cost.first_token_kl.is_finite() || !cost.kl().is_finite() {
            Some("a value is not a finite number")
        } else if !cost.guards.iter().all(whole) {
            Some("a guard task's score does not follow from its examples")
        } else {
            None
        }
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
        assert_eq!(Costs::flaw(&edited), None);
        assert!(Costs::flaw(&cost([f64::NAN, 1.0])).is_some());
    }
}

//! How much an edit may cost.

use crate::cost::Cost;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a candidate may cost to be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CostLimits {
    /// The divergence from the unedited model, nats per token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
    /// The growth of the text's perplexity, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// The loss of accuracy on any guard task, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard_loss: Option<f64>,
}

impl CostLimits {
    /// Whether anything may be chosen.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What share of the tightest limit a candidate takes: at most 1 where it is within all of them. `base` is the unedited
    /// model's cost.
    pub fn share(&self, base: &Cost, cost: &Cost) -> f64 {
        let of = |value: f64, limit: Option<f64>| match limit {
            Some(limit) if value > limit && limit <= 0.0 => f64::INFINITY,
            Some(limit) if value > 0.0 => value / limit,
            _ => 0.0,
        };
        let guards = base.guards.iter().zip(&cost.guards);
        let lost = guards.map(|(base, cost)| base.score.accuracy - cost.score.accuracy).fold(0.0, f64::max);
        // Compared in nats, as it was measured.
        let growth = cost.log_loss() - base.log_loss();
        [
            of(cost.kl(), self.kl),
            of(growth, self.perplexity.map(f64::ln_1p)),
            // Fractions of examples are sums of rounded numbers.
            of(lost - 1e-9, self.guard_loss),
        ]
        .into_iter()
        .fold(0.0, f64::max)
    }

    /// Whether a candidate is within all limits.
    pub fn admit(&self, base: &Cost, cost: &Cost) -> bool {
        self.share(base, cost) <= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{GuardResult, PassageCost};
    use crate::entry::SplitName;
    use laser_edit::Candidate;
    use laser_example::Score;

    fn cost(nats: f64, kl: f64, right: usize) -> Cost {
        let accuracy = right as f64 / 10.0;
        Cost {
            split: SplitName::Validation,
            interventions: Candidate::base(),
            text: vec![PassageCost { tokens: 10, nats, kl }],
            first_token_kl: 0.0,
            saved_weights: 0,
            guards: vec![GuardResult {
                score: Score { n: 10, accuracy, log_loss: 1.0 },
                correct: format!("{}{}", "1".repeat(right), "0".repeat(10 - right)),
            }],
        }
    }

    #[test]
    fn the_tightest_limit_counts() {
        let (base, edited) = (cost(20.0, 0.0, 8), cost(21.0, 0.5, 7));
        assert!(CostLimits::default().is_none() && CostLimits::default().admit(&base, &edited));
        let kl = CostLimits { kl: Some(0.1), ..CostLimits::default() };
        assert!((kl.share(&base, &edited) - 0.5).abs() < 1e-9);
        // A tenth of a nat is a growth of 10.5 %.
        let perplexity = |limit| CostLimits { perplexity: Some(limit), ..kl };
        assert!(perplexity(0.11).admit(&base, &edited) && !perplexity(0.1).admit(&base, &edited));
        let guard = |limit| CostLimits { guard_loss: Some(limit), ..kl };
        assert!(guard(0.1).admit(&base, &edited) && !guard(0.05).admit(&base, &edited));
        assert!(!guard(0.0).admit(&base, &edited) && guard(0.0).admit(&base, &cost(20.0, 0.0, 9)));
    }
}

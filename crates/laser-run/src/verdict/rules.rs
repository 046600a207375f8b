//! From findings to a word. `docs/verdict.md` gives the same rules with their reasons.

use super::class_verdict::ClassVerdict;
use super::figures::{Comparison, Gain, WithoutTopAnswer};
use crate::perplexity::PerplexityChange;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a search has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Better on unseen examples, and not by a constant answer or a moved threshold.
    Real,
    /// Better only because another answer is given more often.
    LabelBias,
    /// No difference is shown.
    Noise,
    /// More right answers, at the cost of log-loss or perplexity.
    TradeOff,
    /// Worse.
    Harm,
}

impl Word {
    /// Whether the edited model answers better, and not by a label bias; there may be a price.
    pub fn is_better(self) -> bool {
        matches!(self, Self::Real | Self::TradeOff)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "real",
            Self::LabelBias => "label-bias",
            Self::Noise => "noise",
            Self::TradeOff => "trade-off",
            Self::Harm => "harm",
        })
    }
}

/// Why a verdict is what it is, with the numbers that decided it. Fractions: 0.01 is one point of accuracy.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// A check leaves nothing of the gain.
    Bias {
        /// The check.
        check: BiasCheck,
        /// The gain that it leaves.
        left: f64,
        /// The gain.
        gain: f64,
    },
    /// No candidate is within the limits on what it may cost, and so none was chosen.
    NothingWithinLimits,
    /// No difference is shown on test.
    Unshown {
        /// The change on test.
        gain: f64,
        /// Its p-value.
        p: f64,
    },
    /// Fewer are right on test.
    Loss {
        /// By how much accuracy is lower, above zero, as a fraction.
        loss: f64,
    },
    /// More are right, and the log-loss is higher.
    HigherLogLoss {
        /// The gain in accuracy, as a fraction.
        gain: f64,
        /// The growth of the log-loss, nats per token.
        growth: f64,
    },
    /// More are right, and a text's perplexity is higher.
    HigherPerplexity {
        /// The gain in accuracy, as a fraction.
        gain: f64,
        /// The growth of the text's mean negative log-probability, nats per token: perplexity grows by the factor exp(growth).
        growth: f64,
    },
    /// More are right on unseen examples.
    Better {
        /// The gain in accuracy, as a fraction.
        gain: f64,
        /// Its p-value.
        p: f64,
    },
}

/// A check of whether a gain is one answer given more often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BiasCheck {
    /// Leaving out the answer that gained most.
    WithoutAnswer {
        /// The answer.
        answer: String,
    },
    /// Balanced accuracy.
    BalancedAccuracy,
    /// Contextual calibration of both models.
    ContextualCalibration,
    /// Giving both models the best threshold.
    BestThresholds,
}

impl Reason {
    /// The verdict in one word.
    pub fn word(&self) -> Word {
        match self {
            Self::Bias { .. } => Word::LabelBias,
            Self::Unshown { .. } | Self::NothingWithinLimits => Word::Noise,
            Self::Loss { .. } => Word::Harm,
            Self::HigherLogLoss { .. } | Self::HigherPerplexity { .. } => Word::TradeOff,
            Self::Better { .. } => Word::Real,
        }
    }
}

/// The numbers that the rules compare with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Level of the test. What was tried on validation does not touch the test split, so it is one
    /// and the same for every strategy.
    pub level: f64,
    /// A gain has vanished when less than this share of it is left.
    pub trace: f64,
    /// Also when less than this share is left, and its interval reaches 0.
    pub half: f64,
    /// So much may be lost of what the model knew, nats per token: ln 1.1 is 10 % of perplexity.
    pub growth: f64,
}

impl Limits {
    /// Those of `docs/verdict.md`.
    pub const STATED: Self = Self { level: 0.05, trace: 0.25, half: 0.5, growth: 0.095_310_179_804_324_87 };
}

/// What the rules look at.
pub(super) struct Findings<'a> {
    pub test: &'a Comparison,
    pub without_top_answer: Option<&'a WithoutTopAnswer>,
    pub classes: Option<&'a ClassVerdict>,
    pub perplexity: Option<&'a PerplexityChange>,
    /// By how much the text's mean negative log-probability may grow, nats, where the search was given a limit.
    pub perplexity_growth: Option<f64>,
    /// Whether the unedited model was chosen, as no candidate is within the limits.
    pub nothing_chosen: bool,
}

/// What the findings come to.
pub(super) fn decide(findings: &Findings) -> Reason {
    const LIMITS: Limits = Limits::STATED;
    let test = findings.test;
    let gain = test.accuracy_gain;
    if findings.nothing_chosen {
        return Reason::NothingWithinLimits;
    }
    if test.p > LIMITS.level || gain == 0.0 {
        return Reason::Unshown { gain, p: test.p };
    }
    if gain < 0.0 {
        return Reason::Loss { loss: -gain };
    }
    if let Some((check, left)) = bias(findings, &LIMITS) {
        return Reason::Bias { check, left, gain };
    }
    if test.log_loss_change_interval.low > LIMITS.growth {
        return Reason::HigherLogLoss { gain, growth: test.log_loss_change };
    }
    if let Some(change) = findings.perplexity {
        // One window alone has no interval.
        let low = change.growth_interval.map_or(change.growth(), |interval| interval.low);
        if low > findings.perplexity_growth.unwrap_or(LIMITS.growth) {
            return Reason::HigherPerplexity { gain, growth: change.growth() };
        }
    }
    Reason::Better { gain, p: test.p }
}

/// Which check leaves nothing of the gain, if one does, and what it leaves.
fn bias(findings: &Findings, limits: &Limits) -> Option<(BiasCheck, f64)> {
    let gain = findings.test.accuracy_gain;
    // `whole` of the gain is left where it is spread evenly.
    let vanished = |check: BiasCheck, left: &Gain, whole: f64| {
        let (evenly, unsure) = (whole * gain, left.interval.low <= 0.0);
        let vanished = left.gain < limits.trace * evenly || (left.gain < limits.half * evenly && unsure);
        vanished.then_some((check, left.gain))
    };
    let (top, classes) = (findings.without_top_answer, findings.classes);
    top.and_then(|top| vanished(BiasCheck::WithoutAnswer { answer: top.answer.clone() }, &top.left, 1.0 - top.share))
        .or_else(|| vanished(BiasCheck::BalancedAccuracy, &classes?.balanced_gain, 1.0))
        .or_else(|| vanished(BiasCheck::ContextualCalibration, classes?.calibrated_gain.as_ref()?, 1.0))
        .or_else(|| vanished(BiasCheck::BestThresholds, classes?.refitted_gain.as_ref()?, 1.0))
}

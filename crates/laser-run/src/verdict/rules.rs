//! From findings to a word. `docs/verdict.md` gives the same rules with their reasons.

use super::class_verdict::ClassVerdict;
use super::figures::{Comparison, Gain, WithoutTopAnswer};
use crate::perplexity::PerplexityChange;
use crate::statistics::ChanceGain;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a search has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    /// No difference is shown on test.
    Unshown {
        /// The change on test.
        gain: f64,
        /// Its p-value.
        p: f64,
        /// Why more was asked of the test split than usual, if it was.
        strict: Option<Strict>,
    },
    /// Fewer are right on test.
    Loss {
        /// By how much, above zero.
        loss: f64,
    },
    /// More are right, and the log-loss is higher.
    HigherLogLoss {
        /// The gain.
        gain: f64,
        /// The growth of the log-loss as a fraction of the base's.
        growth: f64,
    },
    /// More are right, and a text's perplexity is higher.
    HigherPerplexity {
        /// The gain.
        gain: f64,
        /// The growth of the perplexity as a fraction of the base's.
        growth: f64,
    },
    /// More are right on unseen examples.
    Better {
        /// The gain.
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

/// Why the test split has to carry the claim alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strict {
    /// The gain on validation is no more than chance shows.
    Chance {
        /// Candidates that the best was chosen from.
        candidates: usize,
        /// The 0.95 quantile of the gain that chance shows.
        upper: f64,
    },
    /// What candidates gave on validation decided which others were scored there.
    Adaptive,
}

impl Reason {
    /// The verdict in one word.
    pub fn word(&self) -> Word {
        match self {
            Self::Bias { .. } => Word::LabelBias,
            Self::Unshown { .. } => Word::Noise,
            Self::Loss { .. } => Word::Harm,
            Self::HigherLogLoss { .. } | Self::HigherPerplexity { .. } => Word::TradeOff,
            Self::Better { .. } => Word::Real,
        }
    }
}

/// The numbers that the rules compare with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Level of the test where the gain on validation is more than the best of all candidates shows by chance.
    pub level: f64,
    /// Level of the test where it is not: the test split then has to carry the claim alone.
    pub strict_level: f64,
    /// A gain has vanished when less than this share of it is left.
    pub trace: f64,
    /// Also when less than this share is left, and its interval reaches 0.
    pub half: f64,
    /// Log-loss may grow by this share of the base's.
    pub log_loss_growth: f64,
    /// Perplexity may grow by this share.
    pub perplexity_growth: f64,
}

impl Limits {
    /// Those of `docs/verdict.md`.
    pub const STATED: Self = Self {
        level: 0.05,
        strict_level: 0.01,
        trace: 0.25,
        half: 0.5,
        log_loss_growth: 0.05,
        perplexity_growth: 0.10,
    };
}

/// What the rules look at.
pub(super) struct Findings<'a> {
    pub test: &'a Comparison,
    pub base_log_loss: f64,
    pub selection: &'a ChanceGain,
    /// What candidates gave on validation decided which others were scored there.
    pub adaptive: bool,
    pub without_top_answer: Option<&'a WithoutTopAnswer>,
    pub classes: Option<&'a ClassVerdict>,
    pub perplexity: Option<&'a PerplexityChange>,
}

/// What the findings come to.
pub(super) fn decide(findings: &Findings) -> Reason {
    const LIMITS: Limits = Limits::STATED;
    let Findings { test, selection, .. } = findings;
    let gain = test.accuracy_gain;
    // That a gain is none needs less proof than that it is one.
    if gain > 0.0
        && test.p <= LIMITS.level
        && let Some((check, left)) = bias(findings, &LIMITS)
    {
        return Reason::Bias { check, left, gain };
    }
    // Where validation shows no more than chance does, or where it is not known how much chance shows because candidates were
    // dropped or made by what others gave there, the test split carries the claim alone.
    let strict = match (findings.adaptive, selection.p <= LIMITS.level) {
        (true, _) => Some(Strict::Adaptive),
        (false, false) => Some(Strict::Chance { candidates: selection.candidates, upper: selection.upper }),
        (false, true) => None,
    };
    let level = if strict.is_none() { LIMITS.level } else { LIMITS.strict_level };
    if test.p > level || gain == 0.0 {
        return Reason::Unshown { gain, p: test.p, strict };
    }
    if gain < 0.0 {
        return Reason::Loss { loss: -gain };
    }
    let growth = test.log_loss_change / findings.base_log_loss;
    if growth > LIMITS.log_loss_growth && test.log_loss_change_interval.low > 0.0 {
        return Reason::HigherLogLoss { gain, growth };
    }
    if let Some(change) = findings.perplexity {
        let growth = change.edited / change.base - 1.0;
        if growth > LIMITS.perplexity_growth {
            return Reason::HigherPerplexity { gain, growth };
        }
    }
    Reason::Better { gain, p: test.p }
}

/// Which check leaves nothing of the gain, if one does, and what it leaves.
fn bias(findings: &Findings, limits: &Limits) -> Option<(BiasCheck, f64)> {
    let gain = findings.test.accuracy_gain;
    let vanished = |check: BiasCheck, left: &Gain| {
        let unsure = left.interval.low <= 0.0;
        let vanished = left.gain < limits.trace * gain || (left.gain < limits.half * gain && unsure);
        vanished.then_some((check, left.gain))
    };
    let (top, classes) = (findings.without_top_answer, findings.classes);
    top.and_then(|top| vanished(BiasCheck::WithoutAnswer { answer: top.answer.clone() }, &top.left))
        .or_else(|| vanished(BiasCheck::BalancedAccuracy, &classes?.balanced_gain))
        .or_else(|| vanished(BiasCheck::ContextualCalibration, classes?.calibrated_gain.as_ref()?))
        .or_else(|| vanished(BiasCheck::BestThresholds, classes?.refitted_gain.as_ref()?))
}

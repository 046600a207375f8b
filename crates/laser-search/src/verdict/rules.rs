//! From findings to a word. `docs/verdict.md` gives the same rules with their reasons.

use super::{ClassVerdict, Comparison, Gain, WithoutTopAnswer};
use laser_run::PerplexityChange;
use laser_run::statistics::{ChanceGain, p_text};
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

/// The word and a sentence that says why.
pub(super) fn decide(findings: &Findings) -> (Word, String) {
    const LIMITS: Limits = Limits::STATED;
    let Findings { test, selection, .. } = findings;
    let gain = test.accuracy_gain;
    // That a gain is none needs less proof than that it is one.
    if gain > 0.0
        && test.p <= LIMITS.level
        && let Some(because) = bias(findings, &LIMITS)
    {
        return (Word::LabelBias, because);
    }
    // Where validation shows no more than chance does, or where it is not known how much chance shows because candidates were
    // dropped or made by what others gave there, the test split carries the claim alone.
    let shown = selection.p <= LIMITS.level && !findings.adaptive;
    let level = if shown { LIMITS.level } else { LIMITS.strict_level };
    if test.p > level || gain == 0.0 {
        let asked = format!("where {} is asked", LIMITS.strict_level);
        let chance = match (shown, findings.adaptive) {
            (true, _) => String::new(),
            (false, false) => format!(
                ", {asked}: the best of {} candidates shows up to {} on validation by chance alone",
                selection.candidates,
                points(selection.upper)
            ),
            (false, true) => format!(", {asked}, since validation was used to choose which candidates to score on it"),
        };
        return (Word::Noise, format!("the change on test, {}, has p = {:.2}{chance}", points(gain), test.p));
    }
    if gain < 0.0 {
        return (Word::Harm, format!("it loses {} on test", points(-gain)));
    }
    let growth = test.log_loss_change / findings.base_log_loss;
    if growth > LIMITS.log_loss_growth && test.log_loss_change_interval.low > 0.0 {
        let because = format!("{} more right, but the log-loss is {:.0} % higher", points(gain), 100.0 * growth);
        return (Word::TradeOff, because);
    }
    if let Some(change) = findings.perplexity {
        let growth = change.edited / change.base - 1.0;
        if growth > LIMITS.perplexity_growth {
            let because =
                format!("{} more right, but the text's perplexity is {:.0} % higher", points(gain), 100.0 * growth);
            return (Word::TradeOff, because);
        }
    }
    (Word::Real, format!("{} more right on unseen examples, p = {}", points(gain), p_text(test.p)))
}

/// Which check leaves nothing of the gain, if one does.
fn bias(findings: &Findings, limits: &Limits) -> Option<String> {
    let gain = findings.test.accuracy_gain;
    let left = |what: &str, left: &Gain| {
        let unsure = left.interval.low <= 0.0;
        let vanished = left.gain < limits.trace * gain || (left.gain < limits.half * gain && unsure);
        vanished.then(|| format!("{what} leaves {} of the {} gained", points(left.gain), points(gain)))
    };
    let (top, classes) = (findings.without_top_answer, findings.classes);
    top.and_then(|top| left(&format!("leaving out the answer {:?}", top.answer), &top.left))
        .or_else(|| left("balanced accuracy", &classes?.balanced_gain))
        .or_else(|| left("contextual calibration of both models", classes?.calibrated_gain.as_ref()?))
        .or_else(|| left("giving both models the best threshold", classes?.refitted_gain.as_ref()?))
}

fn points(fraction: f64) -> String {
    format!("{:.1} points", 100.0 * fraction)
}

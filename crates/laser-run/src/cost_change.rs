//! What the chosen edits cost, measured on what no candidate was chosen by.

use crate::cost::{Cost, GuardResult, PassageCost};
use crate::cost_limits::CostLimits;
use crate::description::{RunDescription, TextDescription};
use crate::perplexity::{Perplexity, PerplexityChange, WindowLoss, Windows};
use crate::statistics::{Interval, bootstrap_of, mcnemar_exact, tango};
use laser_example::Score;
use schemars::JsonSchema;
use serde::Serialize;

/// Resamples of a text's passages.
const RESAMPLES: usize = 4_000;

/// The edited model beside the unedited one, elsewhere than on the task.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CostChange {
    /// Mean divergence from the unedited model over the text, nats per token; none where the model predicts no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
    /// Its 95 % interval: passages of 64 tokens are drawn again. None of one passage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl_interval: Option<Interval>,
    /// Mean divergence of what follows neutral prompts at once, nats.
    pub first_token_kl: f64,
    /// How many weights fewer are stored where low-rank matrices are stored as two factors.
    pub saved_weights: u64,
    /// Each guard task.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<GuardChange>,
    /// What they may cost.
    #[serde(skip_serializing_if = "CostLimits::is_none")]
    pub limits: CostLimits,
    /// The text before and after.
    #[serde(skip)]
    pub text: Option<PerplexityChange>,
}

/// A guard task before and after.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GuardChange {
    /// The task, as it was named.
    pub task: String,
    /// The unedited model.
    pub base: Score,
    /// The edited model.
    pub edited: Score,
    /// Change of accuracy, as a fraction.
    pub change: f64,
    /// Its 95 % interval (Tango 1998).
    pub interval: Interval,
    /// McNemar's exact p-value, two-sided.
    pub p: f64,
}

impl CostChange {
    /// What `base` and `edited`, of one half, differ by in the search `run`.
    pub fn new(run: &RunDescription, base: &Cost, edited: &Cost) -> Self {
        let seed = run.search.seed;
        let has_text = !edited.text.is_empty();
        let guards = run.search.guards.iter().zip(base.guards.iter().zip(&edited.guards));
        Self {
            kl: has_text.then(|| edited.kl()),
            kl_interval: kl_interval(&edited.text, seed),
            first_token_kl: edited.first_token_kl,
            saved_weights: edited.saved_weights,
            limits: run.search.limits,
            guards: guards.map(|(task, (base, edited))| guard(&task.spec, base, edited)).collect(),
            text: run.search.text.as_ref().filter(|_| has_text).map(|text| perplexity(text, base, edited, seed)),
        }
    }
}

fn kl_interval(passages: &[PassageCost], seed: u64) -> Option<Interval> {
    let numbers: Vec<usize> = (0..passages.len()).collect();
    let mean = |weights: &[u32]| {
        let sum = |of: fn(&PassageCost) -> f64| -> f64 {
            passages.iter().zip(weights).map(|(passage, &weight)| of(passage) * f64::from(weight)).sum()
        };
        sum(|passage| passage.kl) / sum(|passage| passage.tokens as f64)
    };
    (passages.len() > 1).then(|| bootstrap_of(&numbers, RESAMPLES, seed, mean)).flatten()
}

fn perplexity(text: &TextDescription, base: &Cost, edited: &Cost, seed: u64) -> PerplexityChange {
    let of = |cost: &Cost| Perplexity {
        perplexity: cost.log_loss().exp(),
        tokens: cost.tokens(),
        windows: cost.text.iter().map(|it| WindowLoss { tokens: it.tokens, nats: it.nats }).collect(),
    };
    let windows = Windows { window: text.window, stride: text.window };
    PerplexityChange::new(&text.sha256, windows, &of(base), &of(edited), seed)
}

fn guard(task: &str, base: &GuardResult, edited: &GuardResult) -> GuardChange {
    let pairs = || base.correct.bytes().zip(edited.correct.bytes());
    let gained = pairs().filter(|(before, after)| before < after).count();
    let lost = pairs().filter(|(before, after)| before > after).count();
    GuardChange {
        task: task.to_owned(),
        base: base.score,
        edited: edited.score,
        change: edited.score.accuracy - base.score.accuracy,
        interval: tango(gained, lost, pairs().count()),
        p: mcnemar_exact(gained, lost),
    }
}

//! The figures of a verdict.

use crate::constant::Constant;
use crate::statistics::Interval;
use laser_example::Score;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many times the bootstrap resamples.
pub(super) const RESAMPLES: usize = 4_000;

/// One model on the two splits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scores {
    /// On the split that the candidate was chosen on: the best of many is flattered there.
    pub validation: ScoreWithInterval,
    /// On the untouched split.
    pub test: ScoreWithInterval,
}

/// A score and how sure its accuracy is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoreWithInterval {
    /// The number of examples, the accuracy as a fraction, and the log-loss in nats per token.
    #[serde(flatten)]
    pub score: Score,
    /// 95 % Wilson interval of the accuracy, with the number of examples over their design effect where they come in groups.
    /// Where results are not right or wrong, the bootstrap interval of their mean.
    pub accuracy_interval: Interval,
    /// 95 % bootstrap interval of the log-loss, nats per token; whole groups are resampled.
    pub log_loss_interval: Interval,
}

/// Two models on the same examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Accuracy of the edited model less that of the base, as a fraction.
    pub accuracy_gain: f64,
    /// 95 % interval of the gain: Tango's score interval where every example is a group of its own and right or wrong, else the
    /// paired bootstrap by whole groups.
    pub accuracy_gain_interval: Interval,
    /// Log-loss of the edited model less that of the base, nats per token; below zero is better.
    pub log_loss_change: f64,
    /// 95 % paired bootstrap interval of the change; whole groups are resampled.
    pub log_loss_change_interval: Interval,
    /// Examples that only the edited model gets right, or whose result is greater.
    pub gained: usize,
    /// Examples that only the base gets right, or whose result is smaller.
    pub lost: usize,
    /// McNemar's exact two-sided p-value of gained against lost, which takes the examples as independent. None where results are
    /// not right or wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcnemar_p: Option<f64>,
    /// The p-value that the verdict goes by: McNemar's, or where examples come in groups, or results are not right or wrong,
    /// that of flipping the signs of whole groups.
    pub p: f64,
}

/// A gain in accuracy, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gain {
    /// Edited less base.
    pub gain: f64,
    /// Its 95 % paired bootstrap interval; whole groups are resampled.
    pub interval: Interval,
}

/// What is left of a gain without the examples of one right answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WithoutTopAnswer {
    /// The answer with the most examples gained less lost.
    pub answer: String,
    /// The share of all examples that have it.
    pub share: f64,
    /// The gain of the others, as a fraction of all examples.
    #[serde(flatten)]
    pub left: Gain,
}

/// The baselines of one answer for every example of the test split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Constants {
    /// The answer that is most frequent on validation.
    pub majority: Constant,
    /// The answer that is most frequent on test.
    pub best: Constant,
}

/// The same of both models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaseAndEdited<T> {
    /// Of the unedited model.
    pub base: T,
    /// Of the edited model.
    pub edited: T,
}

//! Whether a gain on a task with fixed choices is more than a moved threshold.

use super::figures::{Gain, RESAMPLES};
use crate::metrics::{shared_classes, truth};
use crate::record::Record;
use crate::statistics::{
    balanced_accuracy, bootstrap_of, calibrated, cross_fitted, histogram, paired_bootstrap, recentred,
};
use laser_example::{Example, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many times the examples are cut into halves to fit thresholds on one and try them on the other.
const HALVINGS: u64 = 20;
/// Resamples of a bootstrap whose every replicate looks at all examples again.
const BALANCED_RESAMPLES: usize = 2_000;

/// Base and edited model on a task whose examples all have the same choices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassVerdict {
    /// The choices.
    pub classes: Vec<String>,
    /// How often each is right on test.
    pub right: Vec<usize>,
    /// The unedited model.
    pub base: Predictions,
    /// The edited model.
    pub edited: Predictions,
    /// The gain in balanced accuracy, the mean of the classes' recalls.
    pub balanced_gain: Gain,
    /// The gain when each model takes the better of its own predictions and those after contextual calibration. None where the
    /// questions have nothing in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated_gain: Option<Gain>,
    /// The gain when each model takes the better of its own predictions and those under thresholds fitted on other examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refitted_gain: Option<Gain>,
}

/// What a model predicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Predictions {
    /// How often each choice is predicted.
    pub predicted: Vec<usize>,
    /// Accuracy after contextual calibration, as a fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated_accuracy: Option<f64>,
    /// Mean accuracy under thresholds fitted on the other half of the test examples, over several halvings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refitted_accuracy: Option<f64>,
}

/// How right one model is on each example, from 0 to 1, under its three kinds of prediction.
struct Variants {
    predicted: Vec<usize>,
    plain: Vec<f64>,
    calibrated: Option<Vec<f64>>,
    refitted: Option<Vec<f64>>,
}

impl ClassVerdict {
    /// None where the examples do not all have the same choices.
    pub(super) fn of(
        examples: &[&Example],
        base: &[Record],
        edited: &[Record],
        clusters: &[usize],
        seed: u64,
    ) -> Option<Self> {
        let classes = shared_classes(examples)?;
        let truth = truth(examples)?;
        let variants = |records| Variants::of(examples, records, &truth, clusters, seed);
        let (base, edited) = (variants(base)?, variants(edited)?);
        let gain = |of: fn(&Variants) -> Option<&Vec<f64>>| {
            let (before, after) = (better(&base.plain, of(&base)?), better(&edited.plain, of(&edited)?));
            let gains: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
            Some(Gain { gain: mean(&gains), interval: paired_bootstrap(&gains, clusters, RESAMPLES, seed)? })
        };
        let balanced = |weights: &[u32]| {
            balanced_accuracy(&truth, &edited.predicted, Some(weights))
                - balanced_accuracy(&truth, &base.predicted, Some(weights))
        };
        Some(Self {
            classes: classes.to_vec(),
            right: histogram(&truth, classes.len()),
            balanced_gain: Gain {
                gain: balanced(&vec![1; truth.len()]),
                interval: bootstrap_of(clusters, BALANCED_RESAMPLES, seed, balanced)?,
            },
            calibrated_gain: gain(|variants| variants.calibrated.as_ref()),
            refitted_gain: gain(|variants| variants.refitted.as_ref()),
            base: base.predictions(classes.len()),
            edited: edited.predictions(classes.len()),
        })
    }
}

impl Variants {
    fn of(examples: &[&Example], records: &[Record], truth: &[usize], clusters: &[usize], seed: u64) -> Option<Self> {
        let scores = choice_scores(examples, records, |record| record.choice_logprobs.as_ref())?;
        let content_free = choice_scores(examples, records, |record| record.content_free_logprobs.as_ref());
        let right = |predicted: &[usize]| -> Vec<f64> {
            predicted.iter().zip(truth).map(|(predicted, truth)| f64::from(predicted == truth)).collect()
        };
        let predicted = recentred(&scores, &[]);
        // One halving of few examples would leave much to chance.
        let halvings = (0..HALVINGS).map(|k| cross_fitted(&scores, truth, clusters, seed.wrapping_add(k)));
        let halvings: Option<Vec<Vec<f64>>> = halvings.map(|predicted| predicted.map(|it| right(&it))).collect();
        let refitted = halvings.map(|halvings| {
            let over_halvings = |i: usize| halvings.iter().map(|right| right[i]).sum::<f64>() / HALVINGS as f64;
            (0..truth.len()).map(over_halvings).collect()
        });
        Some(Self {
            plain: right(&predicted),
            calibrated: content_free.and_then(|it| calibrated(&scores, &it)).map(|predicted| right(&predicted)),
            refitted,
            predicted,
        })
    }

    fn predictions(&self, classes: usize) -> Predictions {
        Predictions {
            predicted: histogram(&self.predicted, classes),
            calibrated_accuracy: self.calibrated.as_deref().map(mean),
            refitted_accuracy: self.refitted.as_deref().map(mean),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The one that is right more often; of equals the first.
fn better<'v>(plain: &'v Vec<f64>, other: &'v Vec<f64>) -> &'v Vec<f64> {
    if mean(other) > mean(plain) { other } else { plain }
}

/// Records of the choices, as the rule of each example compares them: log-probabilities, or those per character.
fn choice_scores(
    examples: &[&Example],
    records: &[Record],
    of: impl Fn(&Record) -> Option<&Vec<f64>>,
) -> Option<Vec<Vec<f64>>> {
    let scores = |(example, record): (&&Example, &Record)| {
        let Target::Choose(choice) = &example.target else { return None };
        let logprobs = of(record)?;
        if logprobs.len() != choice.choices.len() {
            return None;
        }
        Some(logprobs.iter().zip(&choice.choices).map(|(logprob, text)| logprob / choice.length(text)).collect())
    };
    examples.iter().zip(records).map(scores).collect()
}

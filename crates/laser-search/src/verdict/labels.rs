//! Whether a gain on a task with fixed choices is more than a moved threshold.

use super::{Gain, RESAMPLES, choice_scores, hits};
use crate::metrics::{shared_classes, truth};
use crate::record::Record;
use crate::statistics::{calibrated, cross_fitted, histogram, paired_bootstrap};
use laser_tasks::Example;
use serde::{Deserialize, Serialize};

/// Base and edited model on a task whose examples all have the same choices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassVerdict {
    /// The choices.
    pub classes: Vec<String>,
    /// How often each is right on test.
    pub right: Vec<usize>,
    /// The unedited model.
    pub base: Predictions,
    /// The edited model.
    pub edited: Predictions,
    /// The gain when each model takes the better of its own predictions and those after contextual calibration. None where the
    /// questions have nothing in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated_gain: Option<Gain>,
    /// The gain when each model takes the better of its own predictions and those under thresholds fitted on other examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refitted_gain: Option<Gain>,
}

/// What a model predicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Predictions {
    /// How often each choice is predicted.
    pub predicted: Vec<usize>,
    /// Accuracy after contextual calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated_accuracy: Option<f64>,
    /// Accuracy under thresholds fitted on the other half of the test examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refitted_accuracy: Option<f64>,
}

/// Right and wrong of one model under its three kinds of prediction.
struct Variants {
    plain: Vec<bool>,
    calibrated: Option<Vec<bool>>,
    refitted: Option<Vec<bool>>,
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
        let (base_variants, base) = variants(examples, base, &truth, classes.len(), clusters, seed)?;
        let (edited_variants, edited) = variants(examples, edited, &truth, classes.len(), clusters, seed)?;
        let gain = |of: fn(&Variants) -> Option<&Vec<bool>>| {
            let before = better(&base_variants.plain, of(&base_variants)?);
            let after = better(&edited_variants.plain, of(&edited_variants)?);
            let gains: Vec<f64> = before.iter().zip(after).map(|(&b, &a)| f64::from(a) - f64::from(b)).collect();
            let interval = paired_bootstrap(&gains, clusters, RESAMPLES, seed)?;
            Some(Gain { gain: gains.iter().sum::<f64>() / gains.len() as f64, interval })
        };
        Some(Self {
            right: histogram(&truth, classes.len()),
            calibrated_gain: gain(|variants| variants.calibrated.as_ref()),
            refitted_gain: gain(|variants| variants.refitted.as_ref()),
            classes: classes.to_vec(),
            base,
            edited,
        })
    }
}

fn variants(
    examples: &[&Example],
    records: &[Record],
    truth: &[usize],
    classes: usize,
    clusters: &[usize],
    seed: u64,
) -> Option<(Variants, Predictions)> {
    let scores = choice_scores(examples, records, |record| record.choice_logprobs.as_ref())?;
    let blank = choice_scores(examples, records, |record| record.blank_logprobs.as_ref());
    let plain = crate::statistics::recentred(&scores, &vec![0.0; classes]);
    let predictions =
        Predictions { predicted: histogram(&plain, classes), calibrated_accuracy: None, refitted_accuracy: None };
    let variants = Variants {
        plain: hits(truth, &plain),
        calibrated: blank.and_then(|blank| calibrated(&scores, &blank)).map(|predicted| hits(truth, &predicted)),
        refitted: cross_fitted(&scores, truth, clusters, seed).map(|predicted| hits(truth, &predicted)),
    };
    let predictions = Predictions {
        calibrated_accuracy: variants.calibrated.as_deref().map(accuracy),
        refitted_accuracy: variants.refitted.as_deref().map(accuracy),
        ..predictions
    };
    Some((variants, predictions))
}

fn accuracy(hits: &[bool]) -> f64 {
    hits.iter().filter(|&&hit| hit).count() as f64 / hits.len() as f64
}

/// The one with more right; of equals the first.
fn better<'h>(plain: &'h Vec<bool>, other: &'h Vec<bool>) -> &'h Vec<bool> {
    if accuracy(other) > accuracy(plain) { other } else { plain }
}

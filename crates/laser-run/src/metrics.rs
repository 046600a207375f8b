//! What else is measured than accuracy and log-loss.

use crate::record::Record;
use crate::statistics::{balanced_accuracy, binary_f1, histogram, macro_f1};
use laser_example::{ExactMatch, Example, Target, word_overlap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Metrics of one model on some examples. Fractions are from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// How often the answer's first token is the most likely next one.
    pub top_1: f64,
    /// How often it is among the five most likely.
    pub top_5: f64,
    /// How often it is among the ten most likely.
    pub top_10: f64,
    /// Over the examples that are scored by generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationMetrics>,
    /// Over the examples that have choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<ChoiceMetrics>,
    /// Where all examples have the same choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassMetrics>,
}

/// Generated texts against the answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GenerationMetrics {
    /// How often the text is an answer, whatever its case and the whitespace around it.
    pub exact_match: f64,
    /// Mean F1 of the answer's words ([`laser_example::word_overlap`]).
    pub f1: f64,
    /// Mean precision of the text's words.
    pub precision: f64,
    /// Mean recall of the answer's words.
    pub recall: f64,
}

/// Two ways to compare choices.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChoiceMetrics {
    /// The fraction of examples whose right choice has the highest log-probability.
    pub acc: f64,
    /// The fraction whose right choice has the highest log-probability per character.
    pub acc_norm: f64,
}

/// Choices that mean the same in every example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassMetrics {
    /// Their texts.
    pub classes: Vec<String>,
    /// In how many examples each is right.
    pub right: Vec<usize>,
    /// In how many examples each is predicted.
    pub predicted: Vec<usize>,
    /// Mean of the classes' recalls.
    pub balanced_accuracy: f64,
    /// Mean of the classes' F1.
    pub macro_f1: f64,
    /// Of two classes, the F1 of the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
}

impl Metrics {
    /// The metrics of `records`, one for each of `examples`; none where there is nothing to measure.
    pub fn of(examples: &[&Example], records: &[Record]) -> Option<Self> {
        if examples.is_empty() || examples.len() != records.len() {
            return None;
        }
        let top = |k: usize| mean(records.iter().map(|record| f64::from(record.answer_rank < k)));
        Some(Self {
            top_1: top(1)?,
            top_5: top(5)?,
            top_10: top(10)?,
            generation: GenerationMetrics::of(examples, records),
            choice: ChoiceMetrics::of(examples, records),
            classes: ClassMetrics::of(examples, records),
        })
    }
}

impl GenerationMetrics {
    fn of(examples: &[&Example], records: &[Record]) -> Option<Self> {
        let rule = ExactMatch { ignore_case: true, ..ExactMatch::default() };
        let mut exact = Vec::new();
        let mut overlaps = Vec::new();
        for (example, record) in examples.iter().zip(records) {
            if let (Target::Generate(target), Some(text)) = (&example.target, &record.generation) {
                let answers: Vec<String> = target.answers.iter().map(|answer| answer.trim().to_owned()).collect();
                exact.push(f64::from(rule.matches(text.trim(), &answers).unwrap_or(false)));
                overlaps.push(word_overlap(text, &target.answers));
            }
        }
        Some(Self {
            exact_match: mean(exact.into_iter())?,
            f1: mean(overlaps.iter().map(|overlap| overlap.f1))?,
            precision: mean(overlaps.iter().map(|overlap| overlap.precision))?,
            recall: mean(overlaps.iter().map(|overlap| overlap.recall))?,
        })
    }
}

impl ChoiceMetrics {
    fn of(examples: &[&Example], records: &[Record]) -> Option<Self> {
        let (mut plain, mut by_length) = (Vec::new(), Vec::new());
        for (example, record) in examples.iter().zip(records) {
            if let (Target::Choose(choice), Some(logprobs)) = (&example.target, &record.choice_logprobs) {
                let hit = |by_length| {
                    let choice = laser_example::Choice { by_length, by_bytes: false, ..choice.clone() };
                    f64::from(choice.is_right(choice.predicted(logprobs)))
                };
                plain.push(hit(false));
                by_length.push(hit(true));
            }
        }
        Some(Self { acc: mean(plain.into_iter())?, acc_norm: mean(by_length.into_iter())? })
    }
}

impl ClassMetrics {
    fn of(examples: &[&Example], records: &[Record]) -> Option<Self> {
        let classes = shared_classes(examples)?;
        let (truth, predicted) = (truth(examples)?, predicted(examples, records)?);
        Some(Self {
            right: histogram(&truth, classes.len()),
            predicted: histogram(&predicted, classes.len()),
            balanced_accuracy: balanced_accuracy(&truth, &predicted, None),
            macro_f1: macro_f1(&truth, &predicted, None),
            f1: (classes.len() == 2).then(|| binary_f1(&truth, &predicted, 1)),
            classes: classes.to_vec(),
        })
    }
}

/// The choices, where all examples have the same.
pub fn shared_classes<'e>(examples: &[&'e Example]) -> Option<&'e [String]> {
    let first = examples.first()?.choices()?;
    examples.iter().all(|example| example.choices() == Some(first)).then_some(first)
}

/// The right choice of each example; none where one has no choices.
pub fn truth(examples: &[&Example]) -> Option<Vec<usize>> {
    let right = |example: &&Example| match &example.target {
        Target::Choose(choice) => Some(choice.correct),
        _ => None,
    };
    examples.iter().map(right).collect()
}

/// The predicted choice of each example; none where one has no choices.
pub fn predicted(examples: &[&Example], records: &[Record]) -> Option<Vec<usize>> {
    let predict = |(example, record): (&&Example, &Record)| match (&example.target, &record.choice_logprobs) {
        (Target::Choose(choice), Some(logprobs)) if logprobs.len() == choice.choices.len() => {
            Some(choice.predicted(logprobs))
        }
        _ => None,
    };
    examples.iter().zip(records).map(predict).collect()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = values.len();
    (n > 0).then(|| values.sum::<f64>() / n as f64)
}

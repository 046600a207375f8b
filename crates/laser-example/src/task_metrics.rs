//! The metrics of a task, over the examples that were scored.

use crate::error::ExampleError;
use crate::example::{Choice, Example, Target};
use crate::filter::Pipeline;
use crate::metric::{Aggregation, Metric, MetricKind};
use crate::scoring::{Outcome, generation_is_correct};
use laser_python::text::words;

/// What a task asks to be measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskMetrics {
    /// In the order of the file.
    pub metrics: Vec<Metric>,
    /// What is made of generated texts, at least one; each gives every metric once.
    pub pipelines: Vec<Pipeline>,
}

/// The metrics of some examples, under the names of lm-evaluation-harness: `acc,none`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured {
    /// Those that could be computed.
    pub values: Vec<(String, f64)>,
    /// Those that could not, and why.
    pub missing: Vec<(String, &'static str)>,
}

/// What one example gave.
#[derive(Debug, Clone, Copy)]
pub struct ScoredExample<'a> {
    /// The example.
    pub example: &'a Example,
    /// Right or wrong, and the answer's log-probability.
    pub outcome: &'a Outcome,
    /// The generated text that counts.
    pub generation: Option<&'a str>,
    /// The log-probability of each choice, nats.
    pub choice_logprobs: Option<&'a [f64]>,
    /// Whether every token of a choice is the likeliest in its place.
    pub choice_greedy: Option<&'a [bool]>,
    /// The log-probability of each choice after the empty prompt, nats.
    pub alone_logprobs: Option<&'a [f64]>,
}

/// What a metric gives for one example.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    Number(f64),
    /// A log-probability and a length.
    Weighted(f64, f64),
    /// The right and the predicted choice; -100 where none is right.
    Classes(i64, i64),
    Probabilities(i64, Vec<f64>),
}

impl TaskMetrics {
    /// Whether choices are to be scored after the empty prompt, too.
    pub fn need_alone(&self) -> bool {
        self.metrics.iter().any(|metric| metric.kind == MetricKind::AccMutualInfo)
    }

    /// Every metric.
    ///
    /// # Errors
    /// A pattern takes too long.
    pub fn of(&self, given: &[ScoredExample]) -> Result<Measured, ExampleError> {
        let mut measured = Measured::default();
        for pipeline in &self.pipelines {
            for metric in &self.metrics {
                let items = given.iter().map(|given| item(metric, pipeline, given));
                let items = items.collect::<Result<Option<Vec<Item>>, _>>()?;
                let name = format!("{},{}", metric.kind.name(), pipeline.name);
                match items.and_then(|items| aggregate(metric.aggregation, &items)) {
                    Some(value) => measured.values.push((name, value)),
                    None => measured.missing.push((name, needs(metric))),
                }
            }
        }
        Ok(measured)
    }
}

/// What examples must have so that a metric can be computed.
fn needs(metric: &Metric) -> &'static str {
    match metric.aggregation {
        Aggregation::F1 => "it needs two choices, of which one is right",
        Aggregation::MatthewsCorrcoef => "it needs choices of which at most one is right",
        Aggregation::BrierScore => "it needs the same number of choices everywhere, of which one is right",
        _ => "it does not fit all examples",
    }
}

fn item(metric: &Metric, pipeline: &Pipeline, given: &ScoredExample) -> Result<Option<Item>, ExampleError> {
    let outcome = given.outcome;
    Ok(match &given.example.target {
        Target::Generate(target) => {
            let Some(text) = given.generation else { return Ok(None) };
            let response = pipeline.apply(text, &target.row_choices)?;
            match metric.kind {
                MetricKind::ExactMatch => Some(Item::Number(metric.exact.score(&response, &target.answers)?)),
                MetricKind::Contains => Some(Item::Number(f64::from(
                    response.is_some_text(|text| generation_is_correct(&target.answers, text)),
                ))),
                _ => None,
            }
        }
        Target::LogLikelihood { .. } => match metric.kind {
            MetricKind::Acc => Some(Item::Number(f64::from(outcome.correct))),
            MetricKind::Perplexity => Some(Item::Number(outcome.answer_logprob)),
            _ => None,
        },
        Target::Episode { .. } => None,
        Target::Rolling { text } => match metric.kind {
            MetricKind::WordPerplexity => Some(Item::Weighted(outcome.answer_logprob, words(text) as f64)),
            MetricKind::BytePerplexity | MetricKind::BitsPerByte => {
                Some(Item::Weighted(outcome.answer_logprob, text.len() as f64))
            }
            _ => None,
        },
        Target::Choose(choice) => {
            given.choice_logprobs.and_then(|logprobs| of_choice(metric.kind, choice, logprobs, given))
        }
    })
}

fn of_choice(kind: MetricKind, choice: &Choice, logprobs: &[f64], given: &ScoredExample) -> Option<Item> {
    if logprobs.len() != choice.choices.len() {
        return None;
    }
    let by = |by_length, by_bytes| Choice { by_length, by_bytes, ..choice.clone() }.predicted(logprobs);
    let hit = |predicted| Item::Number(f64::from(choice.is_right(predicted)));
    let right = if choice.none_right { -100 } else { choice.correct as i64 };
    let one_right = choice.also_correct.is_empty();
    Some(match kind {
        MetricKind::Acc => hit(by(false, false)),
        MetricKind::AccNorm => hit(by(true, false)),
        MetricKind::AccBytes => hit(by(false, true)),
        MetricKind::AccMutualInfo => {
            let gains: Vec<f64> =
                logprobs.iter().zip(given.alone_logprobs?).map(|(after, alone)| after - alone).collect();
            let plain = Choice { by_length: false, by_bytes: false, ..choice.clone() };
            hit(plain.predicted(&gains))
        }
        MetricKind::ExactMatch => {
            let greedy = given.choice_greedy?;
            let any = choice.right().any(|index| greedy.get(index) == Some(&true));
            Item::Number(f64::from(any && !choice.none_right))
        }
        MetricKind::F1 | MetricKind::Mcc if one_right => Item::Classes(right, by(false, false) as i64),
        MetricKind::BrierScore if one_right => Item::Probabilities(right, probabilities(logprobs)),
        _ => return None,
    })
}

/// exp(x) / sum exp(x).
fn probabilities(logprobs: &[f64]) -> Vec<f64> {
    let most = logprobs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let scaled: Vec<f64> = logprobs.iter().map(|logprob| (logprob - most).exp()).collect();
    let sum: f64 = scaled.iter().sum();
    scaled.into_iter().map(|value| value / sum).collect()
}

/// The examples' values as one; none for no example, or where the values do not fit.
fn aggregate(aggregation: Aggregation, items: &[Item]) -> Option<f64> {
    let number = |item: &Item| match item {
        Item::Number(number) => Some(*number),
        _ => None,
    };
    let mean = |numbers: &[f64]| (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64);
    let numbers = || items.iter().map(number).collect::<Option<Vec<f64>>>();
    match aggregation {
        Aggregation::Mean => mean(&numbers()?),
        Aggregation::NanMean => mean(&numbers()?.into_iter().filter(|number| !number.is_nan()).collect::<Vec<_>>()),
        Aggregation::Median => {
            let mut numbers = numbers()?;
            numbers.sort_by(f64::total_cmp);
            numbers.get(numbers.len() / 2).copied()
        }
        Aggregation::Perplexity => mean(&numbers()?).map(|mean| (-mean).exp()),
        Aggregation::WeightedPerplexity => weighted_mean(items).map(|mean| (-mean).exp()),
        Aggregation::BitsPerByte => weighted_mean(items).map(|mean| -mean / std::f64::consts::LN_2),
        Aggregation::F1 => f1(&classes(items)?),
        Aggregation::MatthewsCorrcoef => Some(matthews(&classes(items)?)).filter(|_| !items.is_empty()),
        Aggregation::BrierScore => brier(items),
    }
}

fn weighted_mean(items: &[Item]) -> Option<f64> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for item in items {
        let Item::Weighted(value, weight) = item else { return None };
        (sum, weights) = (sum + value, weights + weight);
    }
    (!items.is_empty()).then_some(sum / weights)
}

fn classes(items: &[Item]) -> Option<Vec<(i64, i64)>> {
    let classes = |item: &Item| match item {
        Item::Classes(right, predicted) => Some((*right, *predicted)),
        _ => None,
    };
    items.iter().map(classes).collect()
}

/// 2 TP / (2 TP + FP + FN) of class 1; none where there are other classes than 0 and 1.
fn f1(pairs: &[(i64, i64)]) -> Option<f64> {
    if pairs.is_empty()
        || pairs.iter().any(|&(right, predicted)| ![0, 1].contains(&right) || ![0, 1].contains(&predicted))
    {
        return None;
    }
    let count = |wanted: (i64, i64)| pairs.iter().filter(|&&pair| pair == wanted).count() as f64;
    let (hits, wrong) = (2.0 * count((1, 1)), count((0, 1)) + count((1, 0)));
    Some(if hits + wrong == 0.0 { 0.0 } else { hits / (hits + wrong) })
}

/// Matthews' correlation of several classes (Gorodkin 2004): (c n - sum t p) / sqrt((n^2 - sum p^2)
/// (n^2 - sum t^2)), of c hits among n, and t and p times that a class is right and predicted; 0
/// where that is 0 / 0.
fn matthews(pairs: &[(i64, i64)]) -> f64 {
    let mut labels: Vec<i64> = pairs.iter().flat_map(|&(right, predicted)| [right, predicted]).collect();
    labels.sort_unstable();
    labels.dedup();
    let n = pairs.len() as f64;
    let hits = pairs.iter().filter(|(right, predicted)| right == predicted).count() as f64;
    let (mut both, mut rights, mut predictions) = (0.0, 0.0, 0.0);
    for label in labels {
        let right = pairs.iter().filter(|pair| pair.0 == label).count() as f64;
        let predicted = pairs.iter().filter(|pair| pair.1 == label).count() as f64;
        both += right * predicted;
        rights += right * right;
        predictions += predicted * predicted;
    }
    let spread = (n * n - predictions) * (n * n - rights);
    if spread == 0.0 { 0.0 } else { (hits * n - both) / spread.sqrt() }
}

/// The mean of sum (p - [right])^2; none where examples have different numbers of choices.
fn brier(items: &[Item]) -> Option<f64> {
    let mut sum = 0.0;
    let mut width = None;
    for item in items {
        let Item::Probabilities(right, probabilities) = item else { return None };
        let right = usize::try_from(*right).ok()?;
        if *width.get_or_insert(probabilities.len()) != probabilities.len() {
            return None;
        }
        let distance = |(index, p): (usize, &f64)| (p - f64::from(index == right)).powi(2);
        sum += probabilities.iter().enumerate().map(distance).sum::<f64>();
    }
    (!items.is_empty()).then(|| sum / items.len() as f64)
}

//! Metrics and tests against scipy, scikit-learn and numpy, on made examples; tests/fixtures/README.md says how.

use laser_example::{ExactMatch, Example, Outcome, Score, Target, WordOverlap, word_overlap};
use laser_run::statistics::{
    balanced_accuracy, binary_f1, calibrated, histogram, macro_f1, mcnemar_exact, recentred, sign_flip_p, wilson,
};
use laser_run::{Constant, Metrics, Record};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
struct Reference {
    classification: Classification,
    generation: Generation,
    paired: Paired,
}

#[derive(Deserialize)]
struct Classification {
    classes: usize,
    positive: usize,
    examples: Vec<Choice>,
    weights: Vec<u32>,
    majority_class: usize,
    majority_share: f64,
    base: Labels,
    edited: Labels,
}

#[derive(Deserialize)]
struct Choice {
    truth: usize,
    base: Vec<f64>,
    edited: Vec<f64>,
    blank: Vec<f64>,
    characters: Vec<usize>,
}

/// What is expected of one model.
#[derive(Deserialize)]
struct Labels {
    predicted: Vec<usize>,
    histogram: Vec<usize>,
    accuracy: f64,
    accuracy_normalised: f64,
    balanced_accuracy: f64,
    weighted_balanced_accuracy: f64,
    macro_f1: f64,
    weighted_macro_f1: f64,
    binary_f1: f64,
    f1_by_class: Vec<f64>,
    calibrated: Vec<usize>,
    calibrated_accuracy: f64,
    calibrated_accuracy_one_blank: f64,
}

#[derive(Deserialize)]
struct Generation {
    switches: BTreeMap<String, Vec<String>>,
    examples: Vec<Generated>,
    log_loss: f64,
    top: BTreeMap<String, f64>,
    overlap: WordOverlap,
    exact_match: BTreeMap<String, f64>,
    trimmed_match: f64,
}

#[derive(Deserialize)]
struct Generated {
    answers: Vec<String>,
    text: String,
    tokens: usize,
    logprob: f64,
    rank: usize,
    overlap: WordOverlap,
    exact_match: BTreeMap<String, bool>,
}

#[derive(Deserialize)]
struct Paired {
    base: String,
    edited: String,
    gained: usize,
    lost: usize,
    mcnemar_p: f64,
    wilson: BTreeMap<String, laser_run::Interval>,
    differences: Vec<f64>,
    sign_flip_p: f64,
}

fn reference() -> Reference {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/metrics/reference.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-6, "{what}: {found}, the reference has {expected}");
}

/// The accuracy of predictions, by the road that a search takes.
fn accuracy(predicted: &[usize], truth: &[usize]) -> f64 {
    let outcomes: Vec<Outcome> = predicted
        .iter()
        .zip(truth)
        .map(|(predicted, truth)| Outcome { correct: predicted == truth, answer_logprob: 0.0, answer_tokens: 1 })
        .collect();
    Score::of(&outcomes).accuracy
}

#[test]
fn labels_are_scikit_learns() {
    let task = reference().classification;
    let truth: Vec<usize> = task.examples.iter().map(|example| example.truth).collect();
    let all = |of: fn(&Choice) -> &Vec<f64>| -> Vec<Vec<f64>> { task.examples.iter().map(of).cloned().collect() };
    let models = [(&task.base, all(|choice| &choice.base)), (&task.edited, all(|choice| &choice.edited))];
    let blank = all(|choice| &choice.blank);
    for (expected, logprobs) in models {
        let predicted = recentred(&logprobs, &[]);
        let weights = Some(task.weights.as_slice());
        assert_eq!(predicted, expected.predicted);
        assert_eq!(histogram(&predicted, task.classes), expected.histogram);
        assert_close(accuracy(&predicted, &truth), expected.accuracy, "accuracy");
        for (found, expected, what) in [
            (balanced_accuracy(&truth, &predicted, None), expected.balanced_accuracy, "balanced accuracy"),
            (balanced_accuracy(&truth, &predicted, weights), expected.weighted_balanced_accuracy, "the same, weighted"),
            (macro_f1(&truth, &predicted, None), expected.macro_f1, "macro F1"),
            (macro_f1(&truth, &predicted, weights), expected.weighted_macro_f1, "the same, weighted"),
            (binary_f1(&truth, &predicted, task.positive), expected.binary_f1, "binary F1"),
        ] {
            assert_close(found, expected, what);
        }
        for (class, &f1) in expected.f1_by_class.iter().enumerate() {
            assert_close(binary_f1(&truth, &predicted, class), f1, "F1 of a class");
        }
        let each = calibrated(&logprobs, &blank).unwrap();
        assert_eq!(each, expected.calibrated);
        assert_close(accuracy(&each, &truth), expected.calibrated_accuracy, "calibrated accuracy");
        let one = calibrated(&logprobs, &blank[..1]).unwrap();
        assert_close(accuracy(&one, &truth), expected.calibrated_accuracy_one_blank, "the same, one blank");
    }
}

#[test]
fn generations_are_scored_as_in_python() {
    let task = reference().generation;
    let mean = |of: &dyn Fn(&Generated) -> f64| task.examples.iter().map(of).sum::<f64>() / task.examples.len() as f64;
    for example in &task.examples {
        let found = word_overlap(&example.text, &example.answers);
        let pairs = [
            (found.f1, example.overlap.f1),
            (found.precision, example.overlap.precision),
            (found.recall, example.overlap.recall),
        ];
        for (found, expected) in pairs {
            assert_close(found, expected, &example.text);
        }
    }
    assert_close(mean(&|example| word_overlap(&example.text, &example.answers).f1), task.overlap.f1, "F1");
    for (name, switches) in &task.switches {
        let on = |switch: &str| switches.iter().any(|name| name == switch);
        let exact = ExactMatch {
            ignore_case: on("ignore_case"),
            ignore_punctuation: on("ignore_punctuation"),
            ignore_numbers: on("ignore_numbers"),
            ..ExactMatch::default()
        };
        let is = |example: &Generated| exact.matches(&example.text, &example.answers).unwrap();
        for example in &task.examples {
            let found = is(example);
            assert_eq!(found, example.exact_match[name], "{name}: {:?}", example.text);
        }
        let found = mean(&|example| f64::from(is(example)));
        assert_close(found, task.exact_match[name], name);
    }
    let outcomes: Vec<Outcome> = task
        .examples
        .iter()
        .map(|example| Outcome { correct: false, answer_logprob: example.logprob, answer_tokens: example.tokens })
        .collect();
    assert_close(Score::of(&outcomes).log_loss, task.log_loss, "log-loss");
}

#[test]
fn tests_and_intervals_are_scipys() {
    let task = reference().paired;
    let right = |outcomes: &str| outcomes.bytes().filter(|&outcome| outcome == b'1').count();
    for (name, outcomes) in [("base", &task.base), ("edited", &task.edited)] {
        let interval = wilson(right(outcomes), outcomes.len());
        assert_close(interval.low, task.wilson[name].low, name);
        assert_close(interval.high, task.wilson[name].high, name);
    }
    let changes = |from, to| task.base.bytes().zip(task.edited.bytes()).filter(|&pair| pair == (from, to)).count();
    assert_eq!((changes(b'0', b'1'), changes(b'1', b'0')), (task.gained, task.lost));
    assert_close(mcnemar_exact(task.gained, task.lost), task.mcnemar_p, "McNemar");
    let clusters: Vec<usize> = (0..task.differences.len()).collect();
    let p = sign_flip_p(&task.differences, &clusters, 1, 0).unwrap();
    assert_close(p, task.sign_flip_p, "sign flips");
}

/// An example with a target of its own.
fn example(number: usize, target: Target) -> Example {
    Example::new(number.to_string(), None, "prompt".into(), target).unwrap()
}

#[test]
fn the_metrics_of_choices_are_those_numbers() {
    let task = reference().classification;
    // Choices as long as they are in the reference, in its order.
    let text = |class: usize, length: usize| format!("{class}{}", "x".repeat(length - 1));
    let named = |choice: &Choice| {
        let classes = (0..task.classes).map(|class| format!("class {class}")).collect();
        example(0, Target::choose(classes, choice.truth).unwrap())
    };
    let examples: Vec<Example> = task.examples.iter().map(named).collect();
    let constant = Constant::most_frequent(&examples.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(constant.answer, format!("class {}", task.majority_class));
    assert_close(constant.accuracy, task.majority_share, "majority");

    let target = |choice: &Choice| {
        let choices = choice.characters.iter().enumerate().map(|(class, &length)| text(class, length));
        Target::choose(choices.collect(), choice.truth).unwrap()
    };
    let examples: Vec<Example> = task.examples.iter().enumerate().map(|(i, e)| example(i, target(e))).collect();
    let examples: Vec<&Example> = examples.iter().collect();
    for (expected, of) in [(&task.base, (|e| &e.base) as fn(&Choice) -> &Vec<f64>), (&task.edited, |e| &e.edited)] {
        let record = |choice: &Choice| Record {
            answer_rank: 0,
            generation: None,
            choice_logprobs: Some(of(choice).clone()),
            content_free_logprobs: None,
        };
        let records: Vec<Record> = task.examples.iter().map(record).collect();
        let choice = Metrics::of(&examples, &records).unwrap().choice.unwrap();
        assert_close(choice.acc, expected.accuracy, "acc");
        assert_close(choice.acc_norm, expected.accuracy_normalised, "acc_norm");
    }
}

#[test]
fn the_metrics_of_generations_are_those_numbers() {
    let task = reference().generation;
    let target = |generated: &Generated| Target::generate(generated.answers.clone(), 10).unwrap();
    let examples: Vec<Example> = task.examples.iter().enumerate().map(|(i, e)| example(i, target(e))).collect();
    let record = |generated: &Generated| Record {
        answer_rank: generated.rank - 1,
        generation: Some(generated.text.clone()),
        choice_logprobs: None,
        content_free_logprobs: None,
    };
    let records: Vec<Record> = task.examples.iter().map(record).collect();
    let metrics = Metrics::of(&examples.iter().collect::<Vec<_>>(), &records).unwrap();
    for (found, k) in [(metrics.top_1, "1"), (metrics.top_5, "5"), (metrics.top_10, "10")] {
        assert_close(found, task.top[k], k);
    }
    let generation = metrics.generation.unwrap();
    assert_close(generation.exact_match, task.trimmed_match, "exact match");
    assert_close(generation.f1, task.overlap.f1, "F1");
    assert_close(generation.precision, task.overlap.precision, "precision");
    assert_close(generation.recall, task.overlap.recall, "recall");
}

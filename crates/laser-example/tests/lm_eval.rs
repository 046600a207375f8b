//! Filters and metrics against lm-evaluation-harness's own (`interop/filters_and_metrics.py`).

use laser_example::{
    Choice, ExactMatch, Example, Filter, Metric, MetricKind, Outcome, Pipeline, Response, ScoredExample, Target,
    TaskMetrics,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    filters: Vec<FilterCases>,
    exact_match: Vec<MatchCases>,
    choices: Vec<Rows<ChoiceRow>>,
    texts: Vec<Rows<TextRow>>,
}

#[derive(Deserialize)]
struct FilterCases {
    filter: Filter,
    choices: Vec<String>,
    cases: Vec<(String, Value)>,
}

#[derive(Deserialize)]
struct MatchCases {
    rule: ExactMatch,
    cases: Vec<(String, Vec<String>, bool)>,
}

#[derive(Deserialize)]
struct Rows<R> {
    rows: Vec<R>,
    values: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct ChoiceRow {
    choices: Vec<String>,
    gold: Value,
    logprobs: Vec<f64>,
    alone: Vec<f64>,
    greedy: Vec<bool>,
}

#[derive(Deserialize)]
struct TextRow {
    text: String,
    logprob: f64,
}

const KINDS: [MetricKind; 13] = [
    MetricKind::Acc,
    MetricKind::AccNorm,
    MetricKind::AccBytes,
    MetricKind::AccMutualInfo,
    MetricKind::ExactMatch,
    MetricKind::Contains,
    MetricKind::F1,
    MetricKind::Mcc,
    MetricKind::BrierScore,
    MetricKind::Perplexity,
    MetricKind::WordPerplexity,
    MetricKind::BytePerplexity,
    MetricKind::BitsPerByte,
];

fn golden() -> Golden {
    serde_json::from_str(include_str!("fixtures/lm_eval.json")).unwrap()
}

#[test]
fn filters_give_what_the_harness_gives() {
    let (mut count, mut wrong) = (0, Vec::new());
    for FilterCases { filter, choices, cases } in golden().filters {
        let pipeline = Pipeline::new("none", vec![filter.clone()]);
        for (text, expected) in cases {
            count += 1;
            let found = match pipeline.apply(&text, &choices).unwrap() {
                Response::Text(text) => Value::String(text),
                Response::List(items) => items.into_iter().map(Value::String).collect(),
                Response::Nothing => Value::Null,
            };
            if found != expected {
                wrong.push(format!(
                    "{} {choices:?} {text:?}: {found} {expected}",
                    serde_json::to_string(&filter).unwrap()
                ));
            }
        }
    }
    assert!(count > 2000 && wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn exact_match_gives_what_the_harness_gives() {
    let (mut count, mut wrong) = (0, Vec::new());
    for MatchCases { rule, cases } in golden().exact_match {
        for (text, answers, expected) in cases {
            count += 1;
            if rule.matches(&text, &answers).unwrap() != expected {
                wrong.push(format!("{} {text:?} {answers:?}: {expected}", serde_json::to_string(&rule).unwrap()));
            }
        }
    }
    assert!(count > 2000 && wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
}

/// A metric by its name and its aggregation's.
fn metric(name: &str) -> Metric {
    let (kind, aggregation) = name.split_once(' ').unwrap();
    let kind = KINDS.into_iter().find(|known| known.name() == kind).unwrap();
    let aggregation = kind.aggregations().iter().find(|known| known.name() == aggregation);
    Metric { kind, aggregation: *aggregation.unwrap(), exact: ExactMatch::default() }
}

fn compare(values: &BTreeMap<String, f64>, given: &[ScoredExample]) {
    for (name, &expected) in values {
        let metrics = TaskMetrics { metrics: vec![metric(name)], pipelines: vec![Pipeline::default()] };
        let found = metrics.of(given).unwrap().values;
        let (full, kind) = (&found[0].0, name.split_once(' ').unwrap().0);
        assert_eq!(*full, format!("{kind},none"));
        let close = (found[0].1 - expected).abs() <= 1e-9 * expected.abs().max(1.0);
        assert!(close, "{name}: {} {expected}", found[0].1);
    }
}

#[test]
fn metrics_of_choices_are_those_of_the_harness() {
    for Rows { rows, values } in golden().choices {
        let examples: Vec<Example> = rows.iter().enumerate().map(|(number, row)| chosen(number, row)).collect();
        let outcome = Outcome { correct: false, answer_logprob: -1.0, answer_tokens: 1 };
        let given = rows.iter().zip(&examples).map(|(row, example)| ScoredExample {
            example,
            outcome: &outcome,
            generation: None,
            choice_logprobs: Some(&row.logprobs),
            choice_greedy: Some(&row.greedy),
            alone_logprobs: Some(&row.alone),
        });
        compare(&values, &given.collect::<Vec<_>>());
    }
}

fn chosen(number: usize, row: &ChoiceRow) -> Example {
    let indices: Vec<usize> = match &row.gold {
        Value::Array(several) => several.iter().map(|index| index.as_u64().unwrap() as usize).collect(),
        one => vec![one.as_u64().unwrap() as usize],
    };
    let none_right = indices[0] >= row.choices.len();
    let right = if none_right { vec![0] } else { indices };
    let choice = Choice { none_right, ..Choice::new(row.choices.clone(), &right).unwrap() };
    Example::new(number.to_string(), None, "p".into(), Target::Choose(choice)).unwrap()
}

#[test]
fn metrics_of_texts_are_those_of_the_harness() {
    for Rows { rows, mut values } in golden().texts {
        let outcome = |row: &TextRow| Outcome { correct: false, answer_logprob: row.logprob, answer_tokens: 1 };
        let outcomes: Vec<Outcome> = rows.iter().map(outcome).collect();
        let of = |target: &dyn Fn(&TextRow) -> Target| -> Vec<Example> {
            let example = |row: &TextRow| Example::new("0".into(), None, String::new(), target(row)).unwrap();
            rows.iter().map(example).collect()
        };
        let given = |examples: &[Example], values: &BTreeMap<String, f64>, scale: f64| {
            let outcomes: Vec<Outcome> =
                outcomes.iter().map(|it| Outcome { answer_logprob: it.answer_logprob / scale, ..*it }).collect();
            let given = examples.iter().zip(&outcomes).map(|(example, outcome)| ScoredExample {
                example,
                outcome,
                generation: None,
                choice_logprobs: None,
                choice_greedy: None,
                alone_logprobs: None,
            });
            compare(values, &given.collect::<Vec<_>>());
        };
        let perplexity = values.remove_entry("perplexity perplexity").unwrap();
        given(&of(&|row| Target::Rolling { text: row.text.clone() }), &values, 1.0);
        let answers = of(&|row| Target::LogLikelihood { answer: row.text.clone() });
        given(&answers, &BTreeMap::from([perplexity]), 50.0);
    }
}

//! Rows in the form in which benchmarks publish their own files: what built-in tasks read is added
//! to them.
//!
//! - BIG-bench's `task.json`: `target`, or `target_scores`, of which the best one is right.
//! - TruthfulQA's `mc_task.json`: answers and their labels as one object.
//! - TruthfulQA's `TruthfulQA.csv`: answers in one text, separated by semicolons.

use serde_json::{Map, Value, json};

/// Adds what is missing; a row that says it itself stays as it is.
pub(crate) fn complete(row: &mut Map<String, Value>) {
    if row.contains_key("input") && !row.contains_key("targets") {
        let targets =
            row.get("target").map(listed).or_else(|| best(row.get("target_scores")?).map(|best| json!([best])));
        row.extend(targets.map(|targets| ("targets".to_owned(), targets)));
    }
    for key in ["mc1_targets", "mc2_targets"] {
        let Some(Value::Object(labels)) = row.get(key) else { continue };
        if labels.values().all(Value::is_number) {
            let listed =
                json!({ "choices": labels.keys().collect::<Vec<_>>(), "labels": labels.values().collect::<Vec<_>>() });
            row.insert(key.to_owned(), listed);
        }
    }
    let text = |key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
    if let (Some(question), Some(right), Some(wrong)) =
        (text("Question"), text("Correct Answers"), text("Incorrect Answers"))
    {
        let (right, wrong) = (sentences(&right), sentences(&wrong));
        let labels: Vec<u8> = right.iter().map(|_| 1).chain(wrong.iter().map(|_| 0)).collect();
        let choices = [right, wrong].concat();
        for (key, value) in [("question", json!(question)), ("choices", json!(choices)), ("labels", json!(labels))] {
            row.entry(key).or_insert(value);
        }
    }
}

fn listed(target: &Value) -> Value {
    if target.is_array() { target.clone() } else { json!([target]) }
}

/// The first key with the highest score.
fn best(scores: &Value) -> Option<&str> {
    let scores = scores.as_object()?.iter().map(|(key, score)| Some((key.as_str(), score.as_f64()?)));
    let scores: Vec<(&str, f64)> = scores.collect::<Option<_>>()?;
    let highest = scores.iter().map(|(_, score)| *score).fold(f64::NEG_INFINITY, f64::max);
    scores.into_iter().find(|(_, score)| *score == highest).map(|(key, _)| key)
}

/// Each with a full stop, as TruthfulQA's own code ends them.
fn sentences(text: &str) -> Vec<String> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| if part.ends_with('.') { part.to_owned() } else { format!("{part}.") }).collect()
}

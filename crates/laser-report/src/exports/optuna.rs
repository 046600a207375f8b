//! The journal in the form of Optuna's `JournalStorage`, a JSON document a line, so that `optuna-dashboard FILE` shows it.
//!
//! The points of the grid are one study, with layer, matrix and edit as parameters; compositions and other edits are a second one,
//! since importances need the same parameters in every trial. A candidate that was dropped is a pruned trial. The journal has no
//! times: every trial has that of the file.

use crate::report_data::ReadRun;
use laser_edit::Candidate;
use laser_run::{ExampleRange, SplitName};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Operations of Optuna's journal, `JournalOperation` there.
const CREATE_STUDY: u8 = 0;
const SET_STUDY_USER_ATTR: u8 = 2;
const CREATE_TRIAL: u8 = 4;
/// `StudyDirection` there: accuracy is maximised, log-loss minimised.
const DIRECTIONS: [u8; 2] = [2, 1];
/// `TrialState` there.
const COMPLETE: u8 = 1;
const PRUNED: u8 = 2;

/// A candidate as a trial.
struct Trial {
    edits: Candidate,
    /// None where it was dropped.
    values: Option<[f64; 2]>,
    /// On how many examples it was scored.
    examples: usize,
    /// The parts of the split that it was scored on.
    parts: Vec<ExampleRange>,
}

/// The file's content. `time` is when the journal was written, as RFC 3339.
pub fn optuna_journal(run: &ReadRun, time: &str) -> String {
    let trials = trials(run);
    let is_point = |trial: &Trial| match trial.edits.interventions() {
        [one] => one.edit.grid_point().is_some(),
        _ => false,
    };
    let (grid, others): (Vec<Trial>, Vec<Trial>) = trials.into_iter().partition(is_point);
    let name = format!("{} on {}", run.data.model_name(), run.data.task_name());
    let mut lines = Vec::new();
    let mut studies = 0;
    for (kind, trials) in [("one edit", grid), ("several edits, or others", others)] {
        if trials.is_empty() {
            continue;
        }
        let study = studies;
        studies += 1;
        lines.push(operation(CREATE_STUDY, json!({"study_name": format!("{name}: {kind}"), "directions": DIRECTIONS})));
        let mut attribute = |key: &str, value: Value| {
            lines.push(operation(SET_STUDY_USER_ATTR, json!({"study_id": study, "user_attr": {key: value}})));
        };
        attribute("values", json!(["validation accuracy", "validation log-loss"]));
        attribute("base", json!(run.data.base));
        if let Some((word, because)) = run.data.word.zip(run.data.because.as_ref()) {
            attribute("verdict", json!(format!("{word}: {because}")));
        }
        let distributions = distributions(&trials);
        for trial in &trials {
            lines.push(of_trial(study, trial, &distributions, time));
        }
    }
    lines.into_iter().map(|line| format!("{line}\n")).collect()
}

/// Candidates in the order in which they were finished; of one that was only seen in parts of the split, the last.
fn trials(run: &ReadRun) -> Vec<Trial> {
    let mut found: Vec<Trial> = Vec::new();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let base = Candidate::base();
    for entry in run.entries.all().iter().filter(|it| it.split == SplitName::Validation && it.interventions != base) {
        let values = entry.part.is_none().then_some([entry.score.accuracy, entry.score.log_loss]);
        let number = *numbers.entry(entry.interventions.to_string()).or_insert_with(|| {
            found.push(Trial { edits: entry.interventions.clone(), values: None, examples: 0, parts: Vec::new() });
            found.len() - 1
        });
        let trial = &mut found[number];
        trial.values = values.or(trial.values);
        // Rounds are over examples of their own; one that was scored twice counts once.
        if let Some(part) = entry.part.filter(|part| !trial.parts.contains(part)) {
            trial.parts.push(part);
        }
        let in_parts = trial.parts.iter().map(|part| part.len()).sum();
        trial.examples = if entry.part.is_none() { entry.score.n } else { trial.examples.max(in_parts) };
    }
    found
}

/// The parameters' domains: everything that occurs.
struct Distributions {
    layers: (usize, usize),
    matrices: Vec<String>,
    edits: Vec<String>,
    counts: (usize, usize),
}

fn distributions(trials: &[Trial]) -> Distributions {
    let each = || trials.iter().flat_map(|trial| trial.edits.interventions());
    let edits: BTreeSet<String> = each().map(|it| it.edit.to_string()).collect();
    let mut edits: Vec<String> = edits.into_iter().collect();
    // Numbers in their order, so that the axis of a plot can be read.
    let number = |text: &String| text.parse::<f64>().unwrap_or(f64::INFINITY);
    edits.sort_by(|a, b| number(a).total_cmp(&number(b)).then(a.cmp(b)));
    let matrices: BTreeSet<_> = each().map(|it| it.matrix).collect();
    let range = |values: &mut dyn Iterator<Item = usize>| {
        values.fold((usize::MAX, 0), |(low, high), value| (low.min(value), high.max(value)))
    };
    Distributions {
        layers: range(&mut each().map(|it| it.layer)),
        matrices: matrices.into_iter().map(|it| it.to_string()).collect(),
        edits,
        counts: range(&mut trials.iter().map(|trial| trial.edits.interventions().len())),
    }
}

fn of_trial(study: usize, trial: &Trial, domains: &Distributions, time: &str) -> String {
    let mut params = serde_json::Map::new();
    let mut distributions = serde_json::Map::new();
    let mut add = |name: &str, value: Value, distribution: Value| {
        params.insert(name.to_owned(), value);
        distributions.insert(name.to_owned(), json!(distribution.to_string()));
    };
    let choice = |among: &[String], text: String| json!(among.iter().position(|known| *known == text).unwrap_or(0));
    let categorical =
        |choices: &[String]| json!({"name": "CategoricalDistribution", "attributes": {"choices": choices}});
    let integer = |(low, high): (usize, usize)| json!({"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": low, "high": high}});
    match trial.edits.interventions() {
        [one] if one.edit.grid_point().is_some() => {
            add("layer", json!(one.layer), integer(domains.layers));
            add("matrix", choice(&domains.matrices, one.matrix.to_string()), categorical(&domains.matrices));
            add("edit", choice(&domains.edits, one.edit.to_string()), categorical(&domains.edits));
        }
        several => add("edits", json!(several.len()), integer(domains.counts)),
    }
    let mut content = json!({
        "study_id": study,
        "datetime_start": time,
        "datetime_complete": time,
        "state": if trial.values.is_some() { COMPLETE } else { PRUNED },
        "params": params,
        "distributions": distributions,
        "user_attrs": {"edits": trial.edits.to_string(), "examples": trial.examples},
    });
    if let Some(values) = trial.values {
        content["values"] = json!(values);
    }
    operation(CREATE_TRIAL, content)
}

fn operation(code: u8, mut content: Value) -> String {
    content["op_code"] = json!(code);
    content["worker_id"] = json!("laser");
    content.to_string()
}

//! Results and samples of base and best on test, as lm-evaluation-harness writes them with `--log_samples`.

use crate::report_data::ReadRun;
use laser_edit::Candidate;
use laser_example::{Example, Matching, Target};
use laser_run::{Entry, Record, SplitName};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// So many characters of a name become part of a file's.
const LONGEST_NAME: usize = 100;

/// The files: their paths below the folder, and what is in them. `time` is when the journal was written, as RFC 3339. Empty where
/// nothing was scored on test.
pub fn lm_eval_files(run: &ReadRun, time: &str) -> Vec<(PathBuf, String)> {
    let (task, model) = (task_name(&run.data.task_name()), run.data.model_name());
    let date = time.trim_end_matches('Z').replace(':', "-");
    let edited = run.data.verdict.as_ref().map(|verdict| verdict.best.clone());
    let mut files = Vec::new();
    for candidate in [Some(Candidate::base()), edited].into_iter().flatten() {
        let entry = run.entries.get(SplitName::Test, &candidate);
        let Some(entry) = entry.filter(|entry| entry.is_over(run.test.len()) && !run.test.is_empty()) else { continue };
        let name = if candidate == Candidate::base() { model.clone() } else { format!("{model} with {candidate}") };
        let folder = PathBuf::from(sanitised(&name));
        let values = entry.values();
        let samples: Vec<Value> = (0..run.test.len()).map(|i| sample(i, &run.test[i], entry, values[i])).collect();
        let results = results(run, &task, &name, &values, &entry.log_loss, &samples);
        files.push((folder.join(format!("results_{date}.json")), format!("{results:#}\n")));
        let lines: String = samples.iter().map(|sample| format!("{sample}\n")).collect();
        files.push((folder.join(format!("samples_{task}_{date}.jsonl")), lines));
    }
    files
}

/// What the harness calls the metric by which examples are right here.
fn metric(example: &Example) -> &'static str {
    match &example.target {
        Target::Generate(generation) if generation.matching != Matching::Contains => "exact_match",
        Target::Choose(choice) if choice.by_length => "acc_norm",
        Target::Choose(choice) if choice.by_bytes => "acc_bytes",
        _ => "acc",
    }
}

fn sample(number: usize, example: &Example, entry: &Entry, value: f64) -> Value {
    let record = entry.records.as_ref().and_then(|records| records.get(number));
    let document = json!({"id": example.id, "prompt": example.prompt, "answer": example.answer()});
    let arguments: Vec<[Value; 2]> = match &example.target {
        Target::Generate(generation) => {
            let how = json!({"until": generation.until, "max_gen_toks": generation.max_new_tokens, "do_sample": false});
            vec![[json!(example.prompt), how]]
        }
        Target::Choose(choice) => {
            choice.choices.iter().map(|text| [json!(example.prompt), json!(example.continuation(text))]).collect()
        }
        Target::LogLikelihood { answer } => vec![[json!(example.prompt), json!(example.continuation(answer))]],
        Target::Rolling { text } => vec![[json!(""), json!(text)]],
        Target::Episode { solution } => vec![[json!(example.prompt), json!(solution)]],
    };
    let mut named = serde_json::Map::new();
    for (i, [first, second]) in arguments.into_iter().enumerate() {
        named.insert(format!("gen_args_{i}"), json!({"arg_0": first, "arg_1": second}));
    }
    let responses = responses(example, record);
    let metric = metric(example);
    let mut sample = json!({
        "doc_id": number,
        "doc_hash": sha256(&format!("{document:#}")),
        "prompt_hash": sha256(&example.prompt),
        "target_hash": sha256(example.answer()),
        "doc": document,
        "target": example.answer(),
        "arguments": named,
        // A request is answered once.
        "resps": responses.iter().map(|response| json!([response])).collect::<Vec<_>>(),
        "filtered_resps": responses,
        "filter": "none",
        "metrics": [metric, "log_loss"],
        "log_loss": entry.log_loss[number],
    });
    sample[metric] = json!(value);
    sample
}

/// A text, or the log-probability of each choice; whether a choice is the greedy continuation was not recorded.
fn responses(example: &Example, record: Option<&Record>) -> Vec<Value> {
    match (&example.target, record) {
        (Target::Generate(_), Some(Record { generation: Some(text), .. })) => vec![json!(text)],
        (Target::Choose(_), Some(Record { choice_logprobs: Some(logprobs), .. })) => {
            logprobs.iter().map(|logprob| json!([logprob.to_string(), Value::Null])).collect()
        }
        _ => Vec::new(),
    }
}

fn results(run: &ReadRun, task: &str, model: &str, values: &[f64], log_loss: &[f64], samples: &[Value]) -> Value {
    let metric = run.test.first().map_or("acc", metric);
    let n = run.test.len();
    let mut of_task = json!({"alias": task, "name": task, "sample_len": n});
    for (name, values) in [(metric, values), ("log_loss", log_loss)] {
        of_task[format!("{name},none")] = json!(values.iter().sum::<f64>() / n as f64);
        of_task[format!("{name}_stderr,none")] = standard_error(values).map_or(json!("N/A"), |error| json!(error));
    }
    let hashes = |sample: &Value| -> String {
        ["doc_hash", "prompt_hash", "target_hash"].map(|key| sample[key].as_str().unwrap_or_default()).concat()
    };
    let (seed, device, shots) = match &run.data.run {
        Some(run) => (json!(run.search.seed), json!(run.search.device), json!(run.task.reading.shots)),
        None => (Value::Null, Value::Null, Value::Null),
    };
    json!({
        "results": {task: of_task},
        "group_subtasks": {task: []},
        "configs": {task: {"task": task, "output_type": output_type(&run.test[0])}},
        "versions": {task: Value::Null},
        "n-shot": {task: shots},
        "higher_is_better": {task: {metric: true, "log_loss": false}},
        "n-samples": {task: {"original": n, "effective": n}},
        "config": {"model": "laser", "model_args": {"pretrained": model}, "random_seed": seed, "device": device},
        "model_source": "laser",
        "model_name": model,
        "model_name_sanitized": sanitised(model),
        "task_hashes": {task: sha256(&samples.iter().map(hashes).collect::<String>())},
        "laser_version": crate::report_data::VERSION,
    })
}

fn output_type(example: &Example) -> &'static str {
    match &example.target {
        Target::Generate(_) => "generate_until",
        Target::Choose(_) => "multiple_choice",
        Target::LogLikelihood { .. } => "loglikelihood",
        Target::Rolling { .. } => "loglikelihood_rolling",
        // The harness has no games.
        Target::Episode { .. } => "episode",
    }
}

/// The sample's standard deviation over the square root of its size; none of less than two values.
fn standard_error(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The harness's own rule for folders of models; always the name of one folder, whatever a RUN says.
fn sanitised(model: &str) -> String {
    let mut name = String::new();
    for letter in model.chars().take(LONGEST_NAME) {
        match "\"<>:/|\\?*[]".contains(letter) || letter.is_control() {
            true if name.ends_with("__") => {}
            true => name.push_str("__"),
            false => name.push(letter),
        }
    }
    if name.chars().all(|letter| letter == '.') { "__".to_owned() } else { name }
}

/// A task's name without what its file is: the harness finds it between the first and the last `_` of a file's name.
fn task_name(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.chars()
        .take(LONGEST_NAME)
        .map(|letter| if letter.is_alphanumeric() || letter == '-' { letter } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_one_folder() {
        for (name, expected) in [("..", "__"), ("", "__"), (".", "__"), ("a/../b", "a__..__b"), ("a b", "a b")] {
            assert_eq!(sanitised(name), expected);
        }
        assert_eq!(sanitised(&"é".repeat(300)).len(), 200);
    }

    #[test]
    fn names_are_those_of_the_harness() {
        // lm_eval.utils.sanitize_model_name("a/b:c**d[e]") of version 0.4.13.
        assert_eq!(sanitised("a/b:c**d[e]"), "a__b__c__d__e__");
        assert_eq!(task_name("qa wikidata.jsonl"), "qa_wikidata");
    }

    #[test]
    fn the_standard_error_is_that_of_a_mean() {
        assert_eq!(standard_error(&[1.0, 0.0, 1.0, 0.0]), Some((1.0f64 / 3.0 / 4.0).sqrt()));
        assert_eq!(standard_error(&[1.0]), None);
    }
}

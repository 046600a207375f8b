//! Task files in a scratch folder.
#![allow(dead_code)] // each test file uses a part

use std::fs;
use std::path::Path;

use laser_example::{Example, Target};
use laser_tasks::Task;
use tempfile::TempDir;

/// A folder with these files.
pub fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

pub fn open(folder: &Path, name: &str) -> Result<Task, String> {
    Task::open(folder.join(name).to_str().unwrap()).map_err(|error| {
        let message = error.to_string();
        message.replace(&format!("{}/", folder.display()), "")
    })
}

pub fn jsonl(bytes: &[u8]) -> Result<Task, String> {
    open(folder(&[("t.jsonl", bytes)]).path(), "t.jsonl")
}

/// The task of this YAML beside these rows.
pub fn yaml(yaml: &str, rows: &str) -> Result<Task, String> {
    let files = [("t.yaml", yaml.as_bytes()), ("d.jsonl", rows.as_bytes())];
    open(folder(&files).path(), "t.yaml")
}

/// YAML that names its data, with `rest` after it.
pub fn with_data(rest: &str) -> String {
    format!("dataset_kwargs: {{data_files: d.jsonl}}\n{rest}")
}

pub fn generate(answers: &[&str], max_new_tokens: usize) -> Target {
    Target::generate(answers.iter().map(|&answer| answer.into()).collect(), max_new_tokens).unwrap()
}

pub fn choose(choices: &[&str], correct: usize) -> Target {
    Target::choose(choices.iter().map(|&choice| choice.into()).collect(), correct).unwrap()
}

pub fn example(id: &str, group: &str, prompt: &str, target: Target) -> Example {
    Example::new(id.into(), Some(group.into()), prompt.into(), target).unwrap()
}

/// Rows of sums, each with an answer and a label.
pub const NUMBERS: &str = r#"{"q": "1+1", "a": "2", "l": "x"}
{"q": "1+2", "a": "3", "l": "y"}
{"q": "2+2", "a": "4", "l": "x"}
{"q": "2+3", "a": "5", "l": "y"}"#;

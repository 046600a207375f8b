//! Tasks and their data: opened, sampled, split, and every example looked at.

use std::path::Path;

use laser_tasks::{OnBadRow, OpenOptions, Task};

use crate::{scratch::with_files, sections::parts};

/// Names that a task's files may have.
const NAMES: [&str; 8] =
    ["task.yaml", "other.yaml", "data.jsonl", "data.csv", "rows.jsonl", "validation.jsonl", "train.jsonl", "utils.py"];

/// A task file with the files beside it.
pub(crate) fn task(input: &[u8]) {
    let mut files = parts(input);
    files.retain(|(name, _)| NAMES.contains(&&**name));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (&**name, &**content)).collect();
    with_files(&files, |folder| {
        open(&folder.join("task.yaml"), None);
        open(&folder.join("task.yaml"), Some(&folder.join("data.jsonl")));
        let _ = Task::card(&folder.join("task.yaml").to_string_lossy());
    });
}

/// A file of rows in each of the forms that are text.
pub(crate) fn data(input: &[u8]) {
    for name in ["data.jsonl", "data.json", "data.csv", "data.tsv"] {
        with_files(&[(name, input)], |folder| open(&folder.join(name), None));
    }
}

pub(crate) fn parquet(input: &[u8]) {
    with_files(&[("data.parquet", input)], |folder| open(&folder.join("data.parquet"), None));
}

/// Facts, and a corpus in which they are counted.
pub(crate) fn corpus(input: &[u8]) {
    const NAMES: [&str; 5] = ["facts.jsonl", "a.txt", "b.jsonl", "c.jsonl.zst", "d.zst"];
    let mut files = parts(input);
    files.retain(|(name, _)| NAMES.contains(&&**name));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (&**name, &**content)).collect();
    with_files(&files, |folder| {
        let Ok(facts) = laser_corpus::read_facts(&folder.join("facts.jsonl")) else { return };
        for name in &NAMES[1..] {
            let path = folder.join(name);
            let _ = laser_corpus::size_of(&path);
            let _ = laser_corpus::count_facts(&path, &facts, laser_corpus::Counting { window: 8 }, &|_| ());
        }
    });
}

fn open(path: &Path, data: Option<&Path>) {
    let spec = path.to_string_lossy();
    for on_bad_row in [OnBadRow::Error, OnBadRow::Skip] {
        let options = OpenOptions { data, on_bad_row: Some(on_bad_row), ..OpenOptions::default() };
        let Ok(task) = Task::open_with(&spec, &options) else { continue };
        let _ = (task.limit(3, 1), task.first(2), task.for_tokenizer(true, |example| example.answer().len()));
        for example in task.examples.iter().take(8) {
            let _ = (task.content_free(example), example.continuation(example.answer()));
        }
    }
}

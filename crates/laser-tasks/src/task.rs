//! A task: a name and its examples.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{Example, Source, SplitMix64, Target, TaskError, builtin, jsonl, yaml};

/// A named list of examples, at least one, all ids different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What the task is called.
    pub name: String,
    /// The examples, in the order of the file.
    pub examples: Vec<Example>,
    /// SHA-256, in hex, of the examples (not of the name, and not of how the file writes them): equal for the same task.
    pub digest: String,
}

impl Task {
    /// Opens a built-in task by its name, or a `.jsonl`, `.yaml` or `.yml` file by its path.
    pub fn open(spec: &str) -> Result<Self, TaskError> {
        if let Some(task) = builtin::open(spec) {
            return task;
        }
        let path = Path::new(spec);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        match extension.to_lowercase().as_str() {
            "jsonl" => Self::new(&stem, jsonl::examples(&read(path)?)?),
            "yaml" | "yml" => {
                yaml::task(&read(path)?, &stem, &|data| read(&path.parent().unwrap_or(Path::new("")).join(data)))
            }
            _ => Err(TaskError::Unknown { spec: spec.to_owned(), builtins: Self::builtin_names().join(", ") }),
        }
    }

    /// The names of the built-in tasks.
    pub fn builtin_names() -> Vec<&'static str> {
        builtin::names()
    }

    /// A task from the bytes of a JSONL file; `name` is also the file's name in messages.
    pub fn from_jsonl(name: &str, bytes: &[u8]) -> Result<Self, TaskError> {
        let source = Source { name: name.to_owned(), bytes: bytes.to_vec() };
        Self::new(name, jsonl::examples(&source)?)
    }

    /// A task from its examples: at least one, all ids different.
    pub fn new(name: &str, examples: Vec<Example>) -> Result<Self, TaskError> {
        if examples.is_empty() {
            return Err(TaskError::Empty { file: name.to_owned() });
        }
        let mut ids = HashSet::new();
        if let Some(example) = examples.iter().find(|example| !ids.insert(&example.id)) {
            return Err(TaskError::DuplicateId { task: name.to_owned(), id: example.id.clone() });
        }
        Ok(Self::of_checked(name, examples))
    }

    /// A seeded sample of at most `n` examples in their old order, groups whole; everything when `n` is large enough.
    ///
    /// Groups are shuffled and taken in that order; one that no longer fits is passed over. An `n` below the size of every group is an
    /// error.
    pub fn limit(&self, n: usize, seed: u64) -> Result<Self, TaskError> {
        if n >= self.examples.len() {
            return Ok(self.clone());
        }
        let groups = self.shuffled_groups(seed);
        let kept = take_whole(&groups, n);
        if kept.is_empty() {
            return Err(TaskError::Limit {
                task: self.name.clone(),
                limit: n,
                smallest: groups.iter().map(Vec::len).min().unwrap_or(1),
            });
        }
        let examples = kept.iter().map(|&i| self.examples[i].clone()).collect();
        Ok(Self::of_checked(&self.name, examples))
    }

    /// The indices of each group's examples, the groups in an order that depends on `seed` alone.
    pub(crate) fn shuffled_groups(&self, seed: u64) -> Vec<Vec<usize>> {
        let mut place: HashMap<&str, usize> = HashMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (i, example) in self.examples.iter().enumerate() {
            let at = *place.entry(&example.group).or_insert(groups.len());
            match groups.get_mut(at) {
                Some(group) => group.push(i),
                None => groups.push(vec![i]),
            }
        }
        SplitMix64::new(seed).shuffle(&mut groups);
        groups
    }

    fn of_checked(name: &str, examples: Vec<Example>) -> Self {
        Self { name: name.to_owned(), digest: digest(&examples), examples }
    }
}

/// Ascending indices of whole groups, taken in order while they fit into `n`; a group that does not fit is passed over.
pub(crate) fn take_whole(groups: &[Vec<usize>], n: usize) -> Vec<usize> {
    let mut taken = Vec::new();
    for group in groups {
        if taken.len() + group.len() <= n {
            taken.extend(group);
        }
    }
    taken.sort_unstable();
    taken
}

/// SHA-256 over the texts of every example, each after its length in bytes, so that no two tasks run into one another.
fn digest(examples: &[Example]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    for example in examples {
        add(&example.id);
        add(&example.group);
        add(&example.prompt);
        let (kind, number, texts) = match &example.target {
            Target::Generate { answers, max_new_tokens } => ("generate", *max_new_tokens, answers.as_slice()),
            Target::Choose { choices, correct } => ("choose", *correct, choices.as_slice()),
            Target::LogLikelihood { answer } => ("log_likelihood", 0, std::slice::from_ref(answer)),
        };
        add(kind);
        add(&number.to_string());
        add(&texts.len().to_string());
        for text in texts {
            add(text);
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Result<Source, TaskError> {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => Ok(Source { name, bytes }),
        Err(source) => Err(TaskError::Read { file: name, source }),
    }
}

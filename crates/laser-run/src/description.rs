//! `run.json`: what a search was asked for.

use crate::cost_limits::CostLimits;
use crate::example_result::ResultKind;
use crate::shard::Shard;
use laser_edit::{FileHash, MatrixId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// `run.json`: everything that the outcome of a search depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunDescription {
    /// The program's version.
    pub version: String,
    /// The model's files.
    pub model: ModelDescription,
    /// The task.
    pub task: TaskDescription,
    /// What is searched, and how.
    pub search: SearchDescription,
    /// SHA-256 of `examples.jsonl`, in hex ([`crate::examples_sha256`]). None in runs of versions that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples_sha256: Option<String>,
}

/// The model of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelDescription {
    /// Where it was; another place for the same files is the same model.
    pub path: String,
    /// Names, sizes and hashes.
    pub files: Vec<FileHash>,
    /// The table of its family, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
}

/// The task of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskDescription {
    /// The name or path that was given.
    pub spec: String,
    /// A hash of all of its examples.
    pub digest: String,
    /// The number of examples.
    pub examples: usize,
    /// What the results of its examples are.
    #[serde(default, skip_serializing_if = "ResultKind::is_binary")]
    pub results: ResultKind,
    /// How many of the examples have a prompt that was cut at its beginning to fit the model.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut_prompts: usize,
    /// How many rows of the data were left out because they cannot be used, or are too long.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped_rows: usize,
    /// How its file was read.
    #[serde(default, skip_serializing_if = "TaskReading::is_default")]
    pub reading: TaskReading,
}

/// One of several tasks to gain on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskWeight {
    /// Its name, with which the ids of its examples begin.
    pub name: String,
    /// As it was asked for: the name or path, or `TASK=FILE` with its data.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub spec: String,
    /// What a gain on it counts for, beside those of the other tasks.
    pub weight: f64,
}

/// The options by which a task's file was read, for who asks for the search again or shows it. What
/// came of them is in the digest: two searches do not differ by them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TaskReading {
    /// The file of its examples, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The metric that says what is right, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// What became of rows that cannot be used, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_bad_row: Option<String>,
    /// What became of prompts that are too long, where they were not cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_long: Option<String>,
    /// Solved examples before each question, where all have as many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shots: Option<usize>,
}

impl TaskReading {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// The options of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchDescription {
    /// How candidates are chosen for scoring.
    pub strategy: String,
    /// Validation examples of the backward pass that ranks candidates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_examples: Option<usize>,
    /// What finds the reductions that are composed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// How many compositions of a size a beam keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Examples that evolution scores its candidates on, summed over the candidates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluations: Option<usize>,
    /// How many candidates are made beyond the strategy's own end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<usize>,
    /// The matrix kinds that are tried.
    pub matrices: Vec<MatrixId>,
    /// The layers that are tried.
    pub layers: Vec<usize>,
    /// The kept fractions that are tried; none where the strategy finds ranks itself.
    pub rho: Vec<f64>,
    /// Other edits that are tried of each matrix: `zero`, `prune=0.9`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<String>,
    /// The numbers of row blocks that are tried; 1 is the whole matrix.
    #[serde(default = "whole")]
    pub blocks: Vec<usize>,
    /// Whether whole matrices are approximated at random, as in the paper's code.
    #[serde(default)]
    pub randomised: bool,
    /// The size of the sample, in examples, if one is taken.
    pub limit: Option<usize>,
    /// How many examples of each task are taken from the beginning, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<usize>,
    /// The seed of the sample, the split and the bootstrap.
    pub seed: u64,
    /// Whether the first examples, not random ones, are the validation split.
    pub split_first: bool,
    /// The share of the examples that is the validation split, where it is not a fifth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// Whether prompts go through the model's chat template.
    #[serde(default)]
    pub chat: bool,
    /// The reference text on which costs are measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextDescription>,
    /// The text that edits are calibrated on, where some are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<TextDescription>,
    /// Where there are several tasks to gain on, what each counts for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskWeight>,
    /// What a candidate may cost to be chosen.
    #[serde(default, skip_serializing_if = "CostLimits::is_none")]
    pub limits: CostLimits,
    /// The guard tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<TaskDescription>,
    /// Whether the cost of every candidate is measured that is scored on the whole validation split.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cost_all: bool,
    /// Which part of a search this is, where it is one: `layers` are the part's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Of how many shards it is put together, where one process comes to another end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<usize>,
    /// In what precision candidates are compared, where it is not f32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// Where the model runs; another kind of device rounds differently.
    pub device: String,
    /// The kernels that compute there, down to the instruction set; others round differently. None in runs of versions that did
    /// not record them, and where the caller does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_path: Option<String>,
}

impl SearchDescription {
    /// Whether it is measured what edits do elsewhere than on the task.
    pub fn measures_costs(&self) -> bool {
        self.text.is_some() || !self.guards.is_empty()
    }
}

/// No blocks but the whole matrix, as where a search could not be asked for others.
fn whole() -> Vec<usize> {
    vec![1]
}

/// A text of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TextDescription {
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// At most so many of its tokens are used, from its beginning.
    pub limit: usize,
    /// Where its file was; another place for the same text is the same text. None of the project's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Tokens of each of the windows that it is cut into.
    #[serde(default)]
    pub window: usize,
}

impl RunDescription {
    /// The first part in which another search differs from this one; where the files are does not count.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let comparable = |description: &Self| {
            let mut description = description.clone();
            description.model.path.clear();
            description.model.architecture = None;
            description.task.spec.clear();
            let SearchDescription { text, calibration, .. } = &mut description.search;
            text.iter_mut().chain(calibration).for_each(|text| text.path = None);
            for guard in &mut description.search.guards {
                guard.spec.clear();
                guard.reading = TaskReading::default();
            }
            description.task.reading = TaskReading::default();
            description.search.tasks.iter_mut().for_each(|task| task.spec.clear());
            // A search may go on further than before.
            description.search.more = None;
            // It follows from the rest.
            description.examples_sha256 = None;
            // What to do about other kernels is a question of its own.
            description.search.kernel_path = None;
            serde_json::to_value(description).unwrap_or_default()
        };
        first_difference("", &comparable(self), &comparable(other))
    }

    /// The first part in which it differs which model answers which examples.
    pub fn difference_of_examples(&self, other: &Self) -> Option<String> {
        let examples = |it: &Self| {
            let search = &it.search;
            let sample = (search.limit, search.seed, search.split_first, search.validation, search.chat);
            serde_json::json!({"model": it.model.files, "task": it.task.digest, "sample": sample})
        };
        first_difference("", &examples(self), &examples(other))
    }
}

/// What a difference of two descriptions means for who asked for the second.
pub(crate) fn in_words(what: &str) -> String {
    match what {
        "version" => "another version of the program began it".to_owned(),
        "model.files" => {
            "the model's files are not those of then: they have changed, or it is another model".to_owned()
        }
        "task.digest" => {
            "the task's examples are not those of then: its file has changed, or it is another task".to_owned()
        }
        _ => format!("{what} differs"),
    }
}

fn first_difference(at: &str, found: &Value, asked: &Value) -> Option<String> {
    match (found, asked) {
        (Value::Object(found), Value::Object(asked)) => {
            let keys: BTreeSet<&String> = found.keys().chain(asked.keys()).collect();
            // What other options follow from comes first.
            let (first, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| *key == "strategy");
            first.into_iter().chain(others).find_map(|key| {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                first_difference(&at, found.get(key).unwrap_or(&Value::Null), asked.get(key).unwrap_or(&Value::Null))
            })
        }
        _ => (found != asked).then(|| at.to_owned()),
    }
}

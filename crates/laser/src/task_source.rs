//! Which task, which of its examples, and how they are split.

use crate::error::Result;
use crate::model_source::FileProgress;
use laser_example::Example;
use laser_hub::{DatasetFiles, Hub};
use laser_run::Progress;
use laser_tasks::{HubSplit, OpenOptions, Split, Task};
use laser_tokenizer::Tokenizer;
use std::path::PathBuf;

/// The share of the examples that candidates are chosen on.
const VALIDATION_FRACTION: f64 = 0.2;

/// A built-in task or a file of one, and which of its examples are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSource {
    /// A built-in name, a `.yaml` file, or examples as `.jsonl`, `.json`, `.csv`, `.tsv` or `.parquet`.
    pub spec: String,
    /// The file to take a built-in task's examples from, in place of the hub.
    pub data: Option<PathBuf>,
    /// Prompts and split as in the paper's published code.
    pub paper_compat: bool,
    /// At most so many examples, drawn by the seed. Groups stay whole.
    pub limit: Option<usize>,
    /// Seed of the sample and of the split.
    pub seed: u64,
    /// Whether the first 20 % of the examples are the validation split, not a random 20 %.
    pub split_first: bool,
}

impl<S: Into<String>> From<S> for TaskSource {
    fn from(spec: S) -> Self {
        Self { spec: spec.into(), data: None, paper_compat: false, limit: None, seed: 0, split_first: false }
    }
}

impl TaskSource {
    /// The task as its file has it, before a tokenizer has a say.
    ///
    /// # Errors
    /// If there is no such task, or its file or its data cannot be read.
    pub fn read(&self, progress: &dyn Progress) -> Result<Task> {
        let fetch = |split: &HubSplit| {
            let files =
                DatasetFiles { id: split.dataset.clone(), config: split.config.clone(), split: split.split.clone() };
            let mut shown = FileProgress::new(progress);
            let fetched = Hub::from_env().dataset(&files, &mut |download| shown.note(download));
            progress.finish();
            fetched.map_err(|error| error.to_string())
        };
        let options =
            OpenOptions { data: self.data.as_deref(), paper_compat: self.paper_compat, seed: self.seed, fetch: &fetch };
        let task = Task::open_with(&self.spec, &options)?;
        if task.left_out > 0 {
            progress.note(&format!("{}: `where` leaves out {} rows of the data", task.name, task.left_out));
        }
        for note in &task.notes {
            progress.note(&format!("{}: {note}", task.name));
        }
        Ok(task)
    }

    /// `task`, which was read from here, for a model's tokenizer, sampled as asked.
    pub(crate) fn settle(&self, task: &Task, tokenizer: &Tokenizer) -> Result<OpenTask> {
        let tokens = |example: &Example| {
            let text = example.continuation(example.answer());
            // A text that cannot be encoded is refused when it is scored.
            tokenizer.encode_continuation(&example.prompt, &text).map_or(0, |ids| ids.len())
        };
        let task = task.for_tokenizer(tokenizer.is_sentencepiece(), tokens)?;
        let task = match self.limit {
            Some(limit) => task.limit(limit, self.seed)?,
            None => task,
        };
        Ok(OpenTask { source: self.clone(), task })
    }

    /// Whether the first examples are the validation split.
    pub fn splits_first(&self) -> bool {
        self.split_first || self.paper_compat
    }
}

/// A task that a model can be scored on.
#[derive(Debug, Clone)]
pub struct OpenTask {
    /// Where it comes from.
    pub source: TaskSource,
    /// Its examples, and how they are scored.
    pub task: Task,
}

impl OpenTask {
    /// Which examples are for choosing, and which for judging, by number.
    ///
    /// # Errors
    /// If the task has too few examples for two splits.
    pub fn split(&self) -> Result<Split> {
        Ok(if self.source.splits_first() {
            Split::first(&self.task, VALIDATION_FRACTION)?
        } else {
            Split::shuffled(&self.task, VALIDATION_FRACTION, self.source.seed)?
        })
    }

    /// The examples with these numbers.
    pub(crate) fn pick(&self, numbers: &[usize]) -> Vec<&Example> {
        numbers.iter().map(|&i| &self.task.examples[i]).collect()
    }
}

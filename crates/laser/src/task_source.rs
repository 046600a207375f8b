//! Which task, which of its examples, and how they are split.

use crate::error::{Error, Result};
use crate::made_task::{Judging, ReadTask, is_made, make};
use crate::model_source::FileProgress;
use crate::text_source::sha256_of;
use laser_checkpoint::Config;
use laser_example::Example;
use laser_hub::{DatasetFiles, Hub};
use laser_run::{Progress, ResultKind, TaskDescription, TaskMembers, TaskReading, TaskWeight};
use laser_tasks::{HubSplit, OnBadRow, OpenOptions, SkippedRows, Split, Task};
use laser_tokenizer::Tokenizer;
use std::borrow::Cow;
use std::collections::HashSet;
use std::path::PathBuf;

/// The share of the examples that candidates are chosen on, unless another is asked for.
const VALIDATION: f64 = 0.2;

/// What becomes of prompts that are too long for the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLong {
    /// They are cut at their beginning, as lm-evaluation-harness does.
    Truncate,
    /// They are left out.
    Skip,
    /// One is an error.
    Error,
}

/// A built-in task or a file of one, and which of its examples are used.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSource {
    /// A built-in name, a `.yaml` file, or examples as `.jsonl`, `.json`, `.csv`, `.tsv` or `.parquet`.
    pub spec: String,
    /// The file to take a built-in task's examples from, in place of the hub.
    pub data: Option<PathBuf>,
    /// Prompts and split as in the paper's published code.
    pub paper_compat: bool,
    /// Which of a YAML file's metrics says what is right: `NAME` or `NAME,FILTER`.
    pub metric: Option<String>,
    /// At most so many examples, drawn by the seed. Groups stay whole.
    pub limit: Option<usize>,
    /// Only the first so many examples of each task, as lm-evaluation-harness takes them.
    pub first: Option<usize>,
    /// What becomes of rows that cannot be used; none: an error in a user's own file, left out in a data set of the hub.
    pub on_bad_row: Option<OnBadRow>,
    /// What becomes of prompts that are too long for the model.
    pub on_long: OnLong,
    /// Seed of the sample and of the split.
    pub seed: u64,
    /// Whether the first examples are the validation split, not random ones.
    pub split_first: bool,
    /// The share of the examples that is the validation split, between 0 and 1.
    pub validation: f64,
    /// More tasks, which count together with this one. Each is sampled by itself.
    pub others: Vec<NamedTask>,
    /// What a gain on each task counts for, this one's first; nothing where all count alike.
    pub weights: Vec<f64>,
}

/// A task by its name or file, and the file to take its examples from, if it is not the task's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTask {
    /// As in [`TaskSource::spec`].
    pub spec: String,
    /// As in [`TaskSource::data`].
    pub data: Option<PathBuf>,
}

impl NamedTask {
    /// As it is asked for: `TASK` or `TASK=FILE`.
    pub(crate) fn text(&self) -> String {
        let data = self.data.as_ref().map(|data| format!("={}", data.display())).unwrap_or_default();
        format!("{}{data}", self.spec)
    }
}

impl<S: Into<String>> From<S> for TaskSource {
    fn from(spec: S) -> Self {
        Self {
            spec: spec.into(),
            data: None,
            paper_compat: false,
            metric: None,
            limit: None,
            first: None,
            on_bad_row: None,
            on_long: OnLong::Truncate,
            seed: 0,
            split_first: false,
            validation: VALIDATION,
            others: Vec::new(),
            weights: Vec::new(),
        }
    }
}

impl TaskSource {
    /// The task as its file has it, before a tokenizer has a say; several as one, the ids of each beginning with its name.
    ///
    /// # Errors
    /// If there is no such task, or its file or its data cannot be read; if two have one name.
    pub fn read(&self, progress: &dyn Progress) -> Result<ReadTask> {
        if self.others.is_empty() {
            return self.read_one(progress);
        }
        let member = |it: NamedTask| Self { others: Vec::new(), spec: it.spec, data: it.data, ..self.clone() };
        let read = |it: NamedTask| member(it).read_one(progress)?.by_its_own_rule();
        let tasks = self.all().into_iter().map(read).collect::<Result<Vec<_>>>()?;
        let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
        if let Some(twice) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            return Err(Error::TaskTwice { task: (*twice.1).to_owned() });
        }
        Ok(ReadTask { task: Task::together(tasks)?, judging: None })
    }

    /// This task's name or file, and its data.
    pub(crate) fn named(&self) -> NamedTask {
        NamedTask { spec: self.spec.clone(), data: self.data.clone() }
    }

    /// This task, then the others.
    fn all(&self) -> Vec<NamedTask> {
        [self.named()].into_iter().chain(self.others.iter().cloned()).collect()
    }

    /// All tasks, where there are several, as `task` names them.
    fn weighted(&self, task: &Task) -> Vec<TaskWeight> {
        let weights = self.weights.iter().copied().chain(std::iter::repeat(1.0));
        let all = task.members.iter().zip(self.all()).zip(weights);
        all.map(|((name, named), weight)| TaskWeight { name: name.clone(), spec: named.text(), weight }).collect()
    }

    fn read_one(&self, progress: &dyn Progress) -> Result<ReadTask> {
        if is_made(&self.spec) {
            if self.data.is_some() || self.paper_compat {
                let why = "it has its own data and prompts: leave out --data and --paper-compat".to_owned();
                return Err(Error::NotMade { spec: self.spec.clone(), why });
            }
            let made = make(&self.spec, self.metric.as_deref())?;
            made.task.notes.iter().for_each(|note| progress.note(&format!("{}: {note}", made.task.name)));
            return Ok(made);
        }
        let fetch = |split: &HubSplit| {
            let files =
                DatasetFiles { id: split.dataset.clone(), config: split.config.clone(), split: split.split.clone() };
            let mut shown = FileProgress::new(progress);
            let fetched = Hub::from_env().dataset(&files, &mut |download| shown.note(download));
            progress.finish();
            fetched.map_err(|error| error.to_string())
        };
        let options = OpenOptions {
            data: self.data.as_deref(),
            paper_compat: self.paper_compat,
            on_bad_row: self.on_bad_row,
            metric: self.metric.as_deref(),
            fetch: &fetch,
        };
        let task = Task::open_with(&self.spec, &options)?;
        if task.left_out > 0 {
            progress.note(&format!("{}: `where` leaves out {} rows of the data", task.name, task.left_out));
        }
        if let Some(SkippedRows { count, first }) = &task.skipped {
            progress.note(&format!("{}: {count} rows cannot be used and are left out, the first: {first}", task.name));
        }
        for note in &task.notes {
            progress.note(&format!("{}: {note}", task.name));
        }
        Ok(ReadTask { task, judging: None })
    }

    /// `task`, which was read from here, for a model and its tokenizer, sampled as asked.
    pub(crate) fn settle(
        &self,
        read: &ReadTask,
        tokenizer: &Tokenizer,
        config: &Config,
        progress: &dyn Progress,
    ) -> Result<OpenTask> {
        let tokens = |example: &Example| {
            let text = example.continuation(example.answer());
            // A text that cannot be encoded is refused when it is scored.
            tokenizer.encode_continuation(laser_engine::prompt_of(example), &text).map_or(0, |ids| ids.len())
        };
        let ReadTask { task, judging } = read;
        // A task of a million examples is not copied where few of them are wanted.
        let task = match task.is_settled() {
            true => Cow::Borrowed(task),
            false => Cow::Owned(task.for_tokenizer(tokenizer.is_sentencepiece(), tokens)?),
        };
        let over = |example: &Example| laser_engine::tokens_cut(tokenizer, example, config);
        let mut skipped_rows = task.skipped.as_ref().map_or(0, |skipped| skipped.count);
        let task = match self.on_long {
            OnLong::Skip => {
                let mut kept = Vec::with_capacity(task.examples.len());
                for (number, example) in task.examples.iter().enumerate() {
                    match over(example) {
                        Ok(0) => kept.push(number),
                        Ok(_) | Err(laser_engine::Error::TooLong { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                let long = task.examples.len() - kept.len();
                if kept.is_empty() {
                    return Err(Error::AllTooLong { task: task.name.clone(), context_length: config.context_length });
                }
                if long > 0 {
                    progress
                        .note(&format!("{}: {long} examples are too long for the model and are left out", task.name));
                    skipped_rows += long;
                }
                Cow::Owned(task.only(&kept)?)
            }
            OnLong::Truncate | OnLong::Error => task,
        };
        let tasks = self.weighted(&task);
        let task = self.sampled(&task, &tasks)?;
        let mut cut = Vec::new();
        for (number, example) in task.examples.iter().enumerate() {
            let tokens = over(example)?;
            if tokens > 0 && self.on_long == OnLong::Error {
                let (id, context_length) = (example.id.clone(), config.context_length);
                return Err(Error::PromptTooLong { id, tokens, context_length });
            }
            if tokens > 0 {
                cut.push(number);
            }
        }
        if !cut.is_empty() {
            let (count, of) = (cut.len(), task.examples.len());
            progress.note(&format!(
                "{}: {count} of {of} prompts are longer than the model's context of {} and are cut at their beginning (--on-long skip|error does otherwise)",
                task.name, config.context_length
            ));
        }
        Ok(OpenTask { source: self.clone(), tasks, task, judging: judging.clone(), cut, skipped_rows })
    }

    /// The sample of `task` that is asked for; of several tasks each one's.
    fn sampled(&self, task: &Task, tasks: &[TaskWeight]) -> Result<Task> {
        let sample = |task: &Task| match (self.limit, self.first) {
            (Some(limit), _) => task.limit(limit, self.seed),
            (None, Some(first)) => task.first(first),
            (None, None) => Ok(task.clone()),
        };
        if tasks.is_empty() {
            return Ok(sample(task)?);
        }
        let members = TaskMembers::new(tasks, &task.examples.iter().collect::<Vec<_>>());
        let mut kept = HashSet::new();
        for number in 0..tasks.len() {
            let of_task = sample(&task.only(&members.examples_of(number))?)?;
            kept.extend(of_task.examples.into_iter().map(|example| example.id));
        }
        let numbers: Vec<usize> =
            (0..task.examples.len()).filter(|&number| kept.contains(&task.examples[number].id)).collect();
        Ok(task.only(&numbers)?)
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
    /// Where there are several tasks: which, and what each counts for.
    pub tasks: Vec<TaskWeight>,
    /// Its examples, and how they are scored.
    pub task: Task,
    /// Who says what answers are worth, where it is not the task's own rule.
    pub judging: Option<Judging>,
    /// The numbers of the examples whose prompt is cut at its beginning to fit the model.
    pub cut: Vec<usize>,
    /// How many rows were left out because they cannot be used, or are too long.
    pub skipped_rows: usize,
}

impl OpenTask {
    /// As `run.json` has it.
    pub(crate) fn description(&self) -> TaskDescription {
        TaskDescription {
            spec: match self.tasks.is_empty() {
                true => self.source.spec.clone(),
                false => self.task.name.clone(),
            },
            digest: self.digest(),
            examples: self.task.examples.len(),
            results: self.judging.as_ref().map_or(ResultKind::Binary, |judging| judging.kind),
            cut_prompts: self.cut.len(),
            skipped_rows: self.skipped_rows,
            reading: self.reading(),
        }
    }

    /// A hash of its examples, and of how they are judged.
    fn digest(&self) -> String {
        match &self.judging {
            Some(judging) => sha256_of(format!("{} {}", self.task.digest, judging.rule).as_bytes()),
            None => self.task.digest.clone(),
        }
    }

    /// Refuses a task whose answers somebody else judges.
    pub(crate) fn by_its_own_rule(self) -> Result<Self> {
        match self.judging {
            Some(_) => Err(Error::JudgedElsewhere { task: self.task.name }),
            None => Ok(self),
        }
    }

    /// Which examples are for choosing, and which for judging, by number.
    ///
    /// # Errors
    /// If the task has too few examples for two splits.
    pub fn split(&self) -> Result<Split> {
        let share = self.source.validation;
        let split = |task: &Task| match self.source.splits_first() {
            true => Split::first(task, share),
            false => Split::shuffled(task, share, self.source.seed),
        };
        if self.tasks.is_empty() {
            return Ok(split(&self.task)?);
        }
        let mut all = Split { validation: Vec::new(), test: Vec::new() };
        let members = TaskMembers::new(&self.tasks, &self.task.examples.iter().collect::<Vec<_>>());
        for (number, task) in self.tasks.iter().enumerate() {
            let numbers = members.examples_of(number);
            let own = split(&Task { name: task.name.clone(), ..self.task.only(&numbers)? })?;
            all.validation.extend(own.validation.iter().map(|&i| numbers[i]));
            all.test.extend(own.test.iter().map(|&i| numbers[i]));
        }
        all.validation.sort_unstable();
        all.test.sort_unstable();
        Ok(all)
    }

    /// The share of the validation split for `run.json`, where it is not the usual one.
    pub(crate) fn unusual_validation(&self) -> Option<f64> {
        Some(self.source.validation).filter(|&share| share != VALIDATION)
    }

    /// How it was read, for `run.json`.
    pub(crate) fn reading(&self) -> TaskReading {
        TaskReading {
            // Of several, each task's own text tells.
            data: self.source.data.as_ref().filter(|_| self.tasks.is_empty()).map(|path| path.display().to_string()),
            metric: self.source.metric.clone(),
            on_bad_row: self.source.on_bad_row.map(|choice| match choice {
                OnBadRow::Error => "error".to_owned(),
                OnBadRow::Skip => "skip".to_owned(),
            }),
            on_long: match self.source.on_long {
                OnLong::Truncate => None,
                OnLong::Skip => Some("skip".to_owned()),
                OnLong::Error => Some("error".to_owned()),
            },
            shots: self.task.shots,
        }
    }

    /// The examples with these numbers.
    pub(crate) fn pick(&self, numbers: &[usize]) -> Vec<&Example> {
        numbers.iter().map(|&i| &self.task.examples[i]).collect()
    }
}

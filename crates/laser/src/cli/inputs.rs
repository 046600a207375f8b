//! What names a model, a task and a text.

use super::typed_values::parse_share;
use crate::output::Usage;
use clap::{Args, ValueEnum};
use laser::{ModelSource, NamedTask, OnLong, TaskSource, TextSource};
use laser_model::DeviceKind;
use laser_tasks::OnBadRow;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct CheckpointOptions {
    /// A Hugging Face folder (config.json, weights, tokenizer), a .gguf file, or a hub id such as EleutherAI/gpt-j-6b@float16
    pub model: PathBuf,
    /// A table of the model's family, where it is none of those that are built in
    #[arg(long, value_name = "FILE")]
    pub architecture: Option<PathBuf>,
    /// The text that whitened and kfac edits are calibrated on, in place of one of the project's own
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
}

impl CheckpointOptions {
    /// What is read for it.
    pub fn files(&self) -> Vec<PathBuf> {
        [Some(&self.model), self.architecture.as_ref(), self.calibration.as_ref()]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// The model.
    pub fn source(&self) -> ModelSource {
        ModelSource {
            location: self.model.clone(),
            architecture: self.architecture.clone(),
            calibration: self.calibration.clone(),
        }
    }
}

#[derive(Debug, Args)]
pub struct ModelOptions {
    #[command(flatten)]
    pub checkpoint: CheckpointOptions,
    /// Where to compute: cpu, cuda (an NVIDIA GPU), metal, or auto (a GPU if one can be used, otherwise cpu)
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: DeviceKind,
}

#[derive(Debug, Args)]
pub struct TaskOptions {
    /// A built-in task (see `laser tasks`), a .yaml file, or examples as .jsonl, .json, .csv, .tsv or .parquet.
    /// Given more than once, the tasks count together; TASK=FILE names the data of one
    #[arg(long, value_name = "TASK", required_unless_present = "text")]
    pub task: Vec<String>,
    #[command(flatten)]
    pub data: DataOptions,
    /// Use a random sample of at most N examples (groups of paraphrases stay whole)
    #[arg(long, allow_negative_numbers = true, value_name = "N", requires = "task", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Use the first N examples of the task (of each task of a group), as lm-evaluation-harness does with its --limit
    #[arg(long, allow_negative_numbers = true, value_name = "N", requires = "task", conflicts_with = "limit", value_parser = clap::value_parser!(u64).range(1..))]
    pub first: Option<u64>,
    /// What to do with a row that cannot be used [default: error for a file of your own, skip for a data set of the hub]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_bad_row: Option<BadRowChoice>,
    /// What to do with a prompt that is longer than the model's context: cut it at its beginning (as lm-evaluation-harness does), leave the example out, or stop. A masked model's prompts are not cut
    #[arg(long, value_enum, default_value = "truncate", value_name = "WHAT")]
    pub on_long: LongChoice,
    /// Seed of the sample, the split and the bootstrap
    #[arg(long, default_value_t = 0, value_name = "S")]
    pub seed: u64,
    /// Take the first examples as the validation split, not random ones; groups may be cut
    #[arg(long)]
    pub split_first: bool,
    /// The share of the examples that is the validation split, such as 0.3 [default: 0.2]
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE", requires = "task", value_parser = parse_share)]
    pub validation: Option<f64>,
    /// Let this metric of a YAML task say what is right (exact_match,flexible-extract); else the first that can
    #[arg(long, value_name = "NAME[,FILTER]", requires = "task")]
    pub metric: Option<String>,
    /// Put each prompt to the model as a chat, in its own template; the answer follows where that has it begin
    #[arg(long)]
    pub chat: bool,
}

impl TaskOptions {
    /// The task.
    pub fn source(&self) -> anyhow::Result<TaskSource> {
        let mut named = self.task.iter().map(|text| named_task(text));
        let NamedTask { spec, data } = named.next().ok_or(Usage("no task was given: add --task TASK".into()))?;
        let others: Vec<NamedTask> = named.collect();
        if !others.is_empty() && self.data.data.is_some() {
            return Err(Usage("--data is for one task: write --task TASK=FILE for each of several".into()).into());
        }
        if data.is_some() && self.data.data.is_some() {
            return Err(Usage("the task's data are given twice: leave out --data, or =FILE".into()).into());
        }
        let source = self.with_validation(spec);
        Ok(TaskSource {
            data: data.or(source.data),
            others,
            limit: self.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            first: self.first.map(|first| usize::try_from(first).unwrap_or(usize::MAX)),
            on_bad_row: self.on_bad_row.map(BadRowChoice::meaning),
            on_long: self.on_long.meaning(),
            seed: self.seed,
            split_first: self.split_first,
            metric: self.metric.clone(),
            ..source
        })
    }

    fn with_validation(&self, spec: String) -> TaskSource {
        let source = self.data.source(spec);
        TaskSource { validation: self.validation.unwrap_or(source.validation), ..source }
    }
}

/// `TASK` or `TASK=FILE`. What is a file by its whole name is a task.
pub fn named_task(text: &str) -> NamedTask {
    let cuts = || text.match_indices('=').map(|(at, _)| (&text[..at], &text[at + 1..]));
    let named = |(spec, data): (&str, &str)| NamedTask { spec: spec.to_owned(), data: Some(PathBuf::from(data)) };
    let is_file = |cut: &(&str, &str)| Path::new(cut.0).exists();
    match cuts().rfind(is_file).or_else(|| cuts().next()) {
        Some(cut) if !Path::new(text).exists() => named(cut),
        _ => NamedTask { spec: text.to_owned(), data: None },
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BadRowChoice {
    Error,
    Skip,
}

impl BadRowChoice {
    fn meaning(self) -> OnBadRow {
        match self {
            Self::Error => OnBadRow::Error,
            Self::Skip => OnBadRow::Skip,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LongChoice {
    Truncate,
    Skip,
    Error,
}

impl LongChoice {
    fn meaning(self) -> OnLong {
        match self {
            Self::Truncate => OnLong::Truncate,
            Self::Skip => OnLong::Skip,
            Self::Error => OnLong::Error,
        }
    }
}

#[derive(Debug, Args)]
pub struct DataOptions {
    /// Take the task's examples from FILE (.jsonl, .json, .csv, .tsv, .parquet), not from the Hugging Face hub
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Do as the paper's published code does: its prompts to the letter, the first 20 % as the validation split, and in a search randomised approximations (row blocks and noise-edge stay exact)
    #[arg(long)]
    pub paper_compat: bool,
}

impl DataOptions {
    /// The task `spec` with this data.
    pub fn source(&self, spec: String) -> TaskSource {
        TaskSource { data: self.data.clone(), paper_compat: self.paper_compat, ..spec.into() }
    }
}

#[derive(Debug, Args)]
pub struct TextOptions {
    /// Measure this text, too: in eval its perplexity, in search what edits do to it, in place of a
    /// text of the project's own
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Use the first N tokens of the text [default: all in eval, 4096 in search]
    #[arg(long, allow_negative_numbers = true, value_name = "N", requires = "text", value_parser = clap::value_parser!(u64).range(2..))]
    pub text_tokens: Option<u64>,
}

impl TextOptions {
    /// The text, at most `limit` tokens of it unless another number was given.
    pub fn source(&self, limit: usize) -> Option<TextSource> {
        let limit = self.text_tokens.map_or(limit, |tokens| usize::try_from(tokens).unwrap_or(usize::MAX));
        self.text.as_ref().map(|path| TextSource { path: path.clone(), limit })
    }
}

//! What a task says about itself, without its data.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_yaml_ng::Value;

use crate::Task;
use crate::subtask::{AggregateMetric, TaskGroup};
use crate::yaml::Config;
use laser_example::{Example, Target};

/// A task's description, from its YAML file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Card {
    /// Its name.
    pub task: String,
    /// The tasks of a group, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subtasks: Vec<String>,
    /// What is aggregated over the tasks of a group.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aggregate: Vec<String>,
    /// What is asked, in a few words.
    pub about: Option<String>,
    /// How many examples the whole data set gives.
    pub examples: Option<u64>,
    /// The template of the prompt.
    pub prompt: Option<String>,
    /// What is read as the answer.
    pub answer: Option<String>,
    /// The choices, where there are the same for all.
    pub choices: Option<Vec<String>>,
    /// How an answer is scored.
    pub scoring: &'static str,
    /// Which rows are used, where not all are.
    #[serde(rename = "where")]
    pub only_where: Option<String>,
    /// What one row is taken apart into.
    pub expand: Option<BTreeMap<String, String>>,
    /// How many tokens are generated.
    pub new_tokens: Option<usize>,
    /// The licence of the data.
    pub licence: Option<String>,
    /// Where the data comes from.
    pub source: Option<String>,
    /// The data set of the Hugging Face hub that is fetched.
    pub hub: Option<String>,
    /// Whether its data is in files that it names, or is itself that file.
    #[serde(skip)]
    pub has_files: bool,
}

impl Card {
    pub(crate) fn new(name: &str, config: &Config) -> Self {
        let about = |key: &str| match config.metadata.as_ref().and_then(|metadata| metadata.get(key)) {
            Some(Value::String(text)) => Some(text.trim().to_owned()),
            _ => None,
        };
        let files = config.dataset_kwargs.as_ref().and_then(|kwargs| kwargs.data_files.as_ref());
        let examples = config.metadata.as_ref().and_then(|metadata| metadata.get("examples")?.as_u64());
        Self {
            task: name.to_owned(),
            subtasks: Vec::new(),
            aggregate: Vec::new(),
            about: about("about"),
            examples,
            prompt: config.prompt_text(),
            answer: config.answer_text(),
            choices: config.fixed_choices(),
            scoring: config.scoring(),
            only_where: config.only_where.clone(),
            expand: config.expand.clone(),
            new_tokens: config.new_tokens(),
            licence: about("licence"),
            source: about("source"),
            hub: config.dataset_path.clone().filter(|_| files.is_none()),
            has_files: files.is_some_and(|files| !files.are_fetched()),
        }
    }

    /// Of examples in a data file.
    pub(crate) fn of_data(task: &Task) -> Self {
        let choice = |example: &Example| matches!(example.target, Target::Choose(_));
        let (choices, of) = (task.examples.iter().filter(|it| choice(it)).count(), task.examples.len());
        let scoring = match choices {
            0 => "generation: right when the answer occurs",
            _ if choices == of => "choice: the highest log-probability",
            _ => "rows with choices by choice, others by generation",
        };
        let tokens = task.examples.iter().map(Example::new_tokens).max().filter(|&tokens| tokens > 0);
        Self { new_tokens: tokens, has_files: true, ..Self::bare(&task.name, scoring) }
    }

    /// Of a group and those in it.
    pub(crate) fn of_group(name: &str, groups: &[TaskGroup]) -> Self {
        let metrics = |group: &TaskGroup| {
            let line = |metric: &AggregateMetric| {
                let weight = if metric.weight_by_size { "weighted by size" } else { "each task alike" };
                format!("{} of {} over {} tasks, {weight}", metric.metric, group.name, group.subtasks.len())
            };
            group.aggregate.iter().map(line).collect::<Vec<_>>()
        };
        Self {
            subtasks: groups.first().map(|group| group.subtasks.clone()).unwrap_or_default(),
            aggregate: groups.iter().flat_map(metrics).collect(),
            ..Self::bare(name, "each task by its own rule")
        }
    }

    fn bare(name: &str, scoring: &'static str) -> Self {
        Self {
            task: name.to_owned(),
            subtasks: Vec::new(),
            aggregate: Vec::new(),
            about: None,
            examples: None,
            prompt: None,
            answer: None,
            choices: None,
            scoring,
            only_where: None,
            expand: None,
            new_tokens: None,
            licence: None,
            source: None,
            hub: None,
            has_files: false,
        }
    }
}

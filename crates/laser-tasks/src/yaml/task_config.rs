//! A YAML file as it is written, with what it includes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_yaml_ng::{Mapping, Value};

use super::keys::{ReadFile, keys_of, wrong};
use crate::source::Source;
use crate::{DEFAULT_NEW_TOKENS, TaskError, YamlError};
use laser_example::{ExactMatch, Matching};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "keys and values")]
pub struct Config {
    #[serde(rename = "include")]
    _include: Option<Value>,
    pub task: Option<String>,
    pub dataset_path: Option<String>,
    pub dataset_name: Option<String>,
    pub dataset_kwargs: Option<DatasetKwargs>,
    pub test_split: Option<String>,
    pub validation_split: Option<String>,
    pub training_split: Option<String>,
    pub fewshot_split: Option<String>,
    #[serde(default)]
    pub output_type: OutputType,
    pub doc_to_text: Option<String>,
    pub doc_to_target: Option<IndexOrText>,
    pub doc_to_choice: Option<ListOrText>,
    pub doc_to_group: Option<String>,
    #[serde(rename = "where")]
    pub only_where: Option<String>,
    pub expand: Option<BTreeMap<String, String>>,
    pub distinct: Option<String>,
    pub max_answer_tokens: Option<usize>,
    pub description: Option<String>,
    pub target_delimiter: Option<String>,
    pub fewshot_delimiter: Option<String>,
    pub num_fewshot: Option<usize>,
    pub fewshot_config: Option<FewshotConfig>,
    pub generation_kwargs: Option<GenerationKwargs>,
    pub metric_list: Option<Vec<Metric>>,
    pub repeats: Option<usize>,
    pub metadata: Option<Value>,
    // These change nothing here.
    #[serde(rename = "tag")]
    _tag: Option<Value>,
    #[serde(rename = "task_alias")]
    _task_alias: Option<Value>,
    #[serde(rename = "should_decontaminate")]
    _should_decontaminate: Option<Value>,
    #[serde(rename = "doc_to_decontamination_query")]
    _doc_to_decontamination_query: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetKwargs {
    pub data_files: DataFiles,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "data_files: expected a path, or a path for each split")]
pub enum DataFiles {
    One(String),
    Splits(BTreeMap<String, String>),
}

#[derive(Deserialize, Serialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    #[default]
    GenerateUntil,
    MultipleChoice,
    #[serde(rename = "loglikelihood")]
    LogLikelihood,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "doc_to_target: expected a template, a field's name or an index from 0")]
pub enum IndexOrText {
    Index(usize),
    Text(String),
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "doc_to_choice: expected a list of texts (numbers and true in quotes), a template or a field's name"
)]
pub enum ListOrText {
    List(Vec<String>),
    Text(String),
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub struct FewshotConfig {
    #[serde(default)]
    pub sampler: Sampler,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Others for every example, at random.
    #[default]
    Default,
    /// The first of the split.
    FirstN,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationKwargs {
    pub max_gen_toks: Option<usize>,
    pub max_gen_toks_sentencepiece: Option<usize>,
    until: Option<Until>,
    do_sample: Option<bool>,
    temperature: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "until: expected a text or a list of texts")]
enum Until {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    metric: String,
    aggregation: Option<String>,
    higher_is_better: Option<bool>,
    ignore_case: Option<bool>,
    ignore_punctuation: Option<bool>,
    ignore_numbers: Option<bool>,
}

impl Config {
    /// Reads and checks a file; `read` opens an included one by its path.
    pub fn read(source: &Source, read: ReadFile) -> Result<Self, TaskError> {
        let check = |text: &str| serde_yaml_ng::from_str::<Self>(text).map(|_| ());
        Self::of(&keys_of(source, read, &check)?, source)
    }

    /// Checks the keys of `source`.
    pub fn of(keys: &Mapping, source: &Source) -> Result<Self, TaskError> {
        // As text: a number is then read as text where text is wanted.
        let text = serde_yaml_ng::to_string(keys).map_err(|error| wrong(source, &error))?;
        let config: Self = serde_yaml_ng::from_str(&text).map_err(|error| wrong(source, &error))?;
        config.check().map_err(|problem| TaskError::Yaml { file: source.name.clone(), line: None, problem })?;
        Ok(config)
    }

    /// Refuses what would be read but not done.
    fn check(&self) -> Result<(), YamlError> {
        if self.doc_to_choice.is_some() && self.output_type != OutputType::MultipleChoice {
            let help = "choices go with `output_type: multiple_choice`";
            return Err(unsupported("doc_to_choice", "...", help));
        }
        if let Some(kwargs) = &self.generation_kwargs {
            if self.output_type != OutputType::GenerateUntil {
                let help = "nothing is generated but with `output_type: generate_until`";
                return Err(unsupported("generation_kwargs", "...", help));
            }
            kwargs.check()?;
        }
        for metric in self.metric_list.iter().flatten() {
            metric.check(self.output_type)?;
        }
        if let Some(repeats) = self.repeats.filter(|&repeats| repeats != 1) {
            return Err(unsupported("repeats", &repeats.to_string(), "generation is greedy; write `repeats: 1`"));
        }
        Ok(())
    }

    /// The texts that end a generation.
    pub fn until(&self) -> Vec<String> {
        match self.generation_kwargs.as_ref().and_then(|kwargs| kwargs.until.as_ref()) {
            // As in lm-evaluation-harness, but for a plain question whose answer may stand anywhere.
            None if self.num_fewshot.is_some_and(|count| count > 0) || self.matching() != Matching::Contains => {
                vec![self.fewshot_delimiter()]
            }
            None => Vec::new(),
            Some(Until::One(text)) => vec![text.clone()],
            Some(Until::Many(texts)) => texts.clone(),
        }
    }

    /// What stands behind each solved example.
    pub fn fewshot_delimiter(&self) -> String {
        self.fewshot_delimiter.clone().unwrap_or_else(|| "\n\n".to_owned())
    }

    /// What is read as the answer, as it is written.
    pub fn answer_text(&self) -> Option<String> {
        match self.doc_to_target.as_ref()? {
            IndexOrText::Index(index) => Some(format!("choice {index}")),
            IndexOrText::Text(text) => Some(text.clone()),
        }
    }

    /// How many tokens are generated.
    pub fn new_tokens(&self) -> Option<usize> {
        let asked = self.generation_kwargs.as_ref().and_then(|kwargs| kwargs.max_gen_toks);
        (self.output_type == OutputType::GenerateUntil).then(|| asked.unwrap_or(DEFAULT_NEW_TOKENS))
    }

    /// The choices, where the file lists them.
    pub fn fixed_choices(&self) -> Option<Vec<String>> {
        match self.doc_to_choice.as_ref()? {
            ListOrText::List(choices) => Some(choices.clone()),
            ListOrText::Text(_) => None,
        }
    }

    /// How an answer is scored, in words.
    pub fn scoring(&self) -> &'static str {
        match (self.output_type, self.matching()) {
            (OutputType::GenerateUntil, Matching::Contains) => "generation: right when the answer occurs",
            (OutputType::GenerateUntil, Matching::Exact(_)) => "generation: right when it is the answer",
            (OutputType::MultipleChoice, _) if self.by_length() => "choice: the highest log-probability a character",
            (OutputType::MultipleChoice, _) => "choice: the highest log-probability",
            (OutputType::LogLikelihood, _) => "right when every token of the answer is the most likely one",
        }
    }

    /// The first metric of the list that says which answers are right.
    fn deciding(&self) -> Option<&Metric> {
        let deciding = ["acc", "acc_norm", "exact_match"];
        self.metric_list.iter().flatten().find(|metric| deciding.contains(&metric.metric.as_str()))
    }

    /// When a generated text is right.
    pub fn matching(&self) -> Matching {
        match self.deciding().filter(|metric| metric.metric == "exact_match") {
            None => Matching::Contains,
            Some(metric) => Matching::Exact(ExactMatch {
                ignore_case: metric.ignore_case == Some(true),
                ignore_punctuation: metric.ignore_punctuation == Some(true),
                ignore_numbers: metric.ignore_numbers == Some(true),
            }),
        }
    }

    /// Whether choices are compared by log-probability a character.
    pub fn by_length(&self) -> bool {
        self.deciding().is_some_and(|metric| metric.metric == "acc_norm")
    }
}

impl GenerationKwargs {
    fn check(&self) -> Result<(), YamlError> {
        if self.max_gen_toks == Some(0) || self.max_gen_toks_sentencepiece == Some(0) {
            let help = "generate at least 1 token";
            return Err(unsupported("generation_kwargs.max_gen_toks", "0", help));
        }
        let empty = match &self.until {
            None => false,
            Some(Until::One(text)) => text.is_empty(),
            Some(Until::Many(texts)) => texts.iter().any(String::is_empty),
        };
        if empty {
            let help = "an empty text would end every generation at once; take it out";
            return Err(unsupported("generation_kwargs.until", "\"\"", help));
        }
        if self.do_sample == Some(true) {
            let help = "generation is greedy; write `do_sample: false`";
            return Err(unsupported("generation_kwargs.do_sample", "true", help));
        }
        if let Some(temperature) = self.temperature.filter(|&t| t != 0.0) {
            let help = "generation is greedy; write `temperature: 0`";
            let value = temperature.to_string();
            return Err(unsupported("generation_kwargs.temperature", &value, help));
        }
        Ok(())
    }
}

impl Metric {
    fn check(&self, output_type: OutputType) -> Result<(), YamlError> {
        let known: &[&str] = match output_type {
            OutputType::GenerateUntil => &["acc", "exact_match", "f1", "log_loss"],
            OutputType::MultipleChoice => &["acc", "acc_norm", "f1", "log_loss"],
            OutputType::LogLikelihood => &["acc", "log_loss"],
        };
        if !known.contains(&self.metric.as_str()) {
            let help = format!("this output_type is scored by {}", known.join(", "));
            return Err(unsupported("metric_list.metric", &self.metric, &help));
        }
        // Scores such as f1 name themselves there.
        let fits = |name: &str| name == "mean" || name == self.metric;
        if let Some(aggregation) = self.aggregation.as_deref().filter(|name| !fits(name)) {
            let help = "every metric is a mean over examples; write `mean`";
            return Err(unsupported("metric_list.aggregation", aggregation, help));
        }
        let higher_is_better = self.metric != "log_loss";
        if self.higher_is_better.is_some_and(|it| it != higher_is_better) {
            let help = format!("write `{higher_is_better}` for {}", self.metric);
            let value = (!higher_is_better).to_string();
            return Err(unsupported("metric_list.higher_is_better", &value, &help));
        }
        let switches = [
            ("ignore_case", self.ignore_case),
            ("ignore_punctuation", self.ignore_punctuation),
            ("ignore_numbers", self.ignore_numbers),
        ];
        if let Some((name, _)) = switches.iter().find(|(_, on)| on.is_some() && self.metric != "exact_match") {
            let help = "it goes with `metric: exact_match`";
            return Err(unsupported(&format!("metric_list.{name}"), "...", help));
        }
        Ok(())
    }
}

/// The error of a value that is read and cannot be done.
pub fn unsupported(key: &str, value: &str, help: &str) -> YamlError {
    YamlError::Unsupported { key: key.to_owned(), value: value.to_owned(), help: help.to_owned() }
}

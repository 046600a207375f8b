//! A task file as it is written, checked.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::filter_list::pipelines;
use super::generation::GenerationKwargs;
use super::keys::{ReadFile, keys_of, wrong_keys};
use super::metric_list::{MetricKeys, Metrics};
pub use super::values::unsupported;
use super::values::{IndexOrText, Keys, ListOrText, OutputType};
use crate::source::Source;
use crate::{TaskError, YamlError};
use laser_example::Matching;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "keys and values")]
pub struct Config {
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
    pub doc_to_text: Option<IndexOrText>,
    pub doc_to_target: Option<IndexOrText>,
    pub doc_to_choice: Option<ListOrText>,
    pub doc_to_group: Option<String>,
    #[serde(rename = "where")]
    pub only_where: Option<String>,
    pub expand: Option<BTreeMap<String, String>>,
    pub distinct: Option<String>,
    pub max_answer_tokens: Option<usize>,
    pub description: Option<String>,
    pub gen_prefix: Option<String>,
    pub target_delimiter: Option<String>,
    pub fewshot_delimiter: Option<String>,
    pub num_fewshot: Option<usize>,
    pub fewshot_config: Option<FewshotConfig>,
    generation_kwargs: Option<Mapping>,
    metric_list: Option<Vec<MetricKeys>>,
    repeats: Option<usize>,
    filter_list: Option<Value>,
    pub metadata: Option<Value>,
    // What lm-evaluation-harness cannot do without code of the task.
    process_docs: Option<Value>,
    process_results: Option<Value>,
    custom_dataset: Option<Value>,
    class: Option<Value>,
    use_prompt: Option<Value>,
    doc_to_image: Option<Value>,
    doc_to_audio: Option<Value>,
    // These change nothing here.
    #[serde(rename = "include")]
    _include: Option<Value>,
    #[serde(rename = "tag")]
    _tag: Option<Value>,
    #[serde(rename = "task_alias")]
    _task_alias: Option<Value>,
    #[serde(rename = "should_decontaminate")]
    _should_decontaminate: Option<Value>,
    #[serde(rename = "doc_to_decontamination_query")]
    _doc_to_decontamination_query: Option<Value>,
    #[serde(rename = "unsafe_code")]
    _unsafe_code: Option<Value>,
    #[serde(rename = "version")]
    _version: Option<Value>,
    #[serde(skip)]
    generation: GenerationKwargs,
    #[serde(skip)]
    pub metrics: Metrics,
    /// What is asked for and changes nothing here.
    #[serde(skip)]
    pub notes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetKwargs {
    pub data_files: Option<DataFiles>,
    // How Python's `datasets` loads them.
    #[serde(rename = "trust_remote_code")]
    _trust_remote_code: Option<Value>,
    #[serde(rename = "streaming")]
    _streaming: Option<Value>,
    #[serde(rename = "verification_mode")]
    _verification_mode: Option<Value>,
    #[serde(rename = "download_mode")]
    _download_mode: Option<Value>,
    #[serde(rename = "cache_dir")]
    _cache_dir: Option<Value>,
    #[serde(rename = "keep_in_memory")]
    _keep_in_memory: Option<Value>,
    #[serde(rename = "num_proc")]
    _num_proc: Option<Value>,
    #[serde(rename = "token")]
    _token: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "data_files: expected a path, or a path for each split")]
pub enum DataFiles {
    One(String),
    Splits(BTreeMap<String, String>),
}

impl DataFiles {
    /// Whether one is somewhere in the network.
    pub fn are_fetched(&self) -> bool {
        let is_fetched = |path: &String| path.contains("://");
        match self {
            Self::One(path) => is_fetched(path),
            Self::Splits(paths) => paths.values().any(is_fetched),
        }
    }
}

/// How solved examples are chosen, and what differs in them from the questions.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields)]
pub struct FewshotConfig {
    #[serde(default)]
    pub sampler: Sampler,
    pub split: Option<String>,
    /// The solved examples themselves, as rows.
    pub samples: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
    pub doc_to_text: Option<IndexOrText>,
    pub doc_to_target: Option<IndexOrText>,
    pub doc_to_choice: Option<ListOrText>,
    pub gen_prefix: Option<String>,
    pub fewshot_delimiter: Option<String>,
    pub target_delimiter: Option<String>,
    process_docs: Option<Value>,
    // lm-evaluation-harness does not look at it either.
    #[serde(rename = "fewshot_indices")]
    _fewshot_indices: Option<Value>,
}

#[derive(Deserialize, Default, Debug, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Others for every example, at random.
    #[default]
    Default,
    /// The first of the split.
    FirstN,
}

impl Config {
    /// Reads and checks a file; `read` opens an included one by its path.
    pub fn read(source: &Source, read: ReadFile) -> Result<Self, TaskError> {
        let check = |key: &Mapping| typed(key).map(|_| ());
        Self::of(&keys_of(source, read, &check)?, source)
    }

    /// Checks the keys of `source`.
    pub fn of(keys: &Mapping, source: &Source) -> Result<Self, TaskError> {
        let mut config = typed(keys).map_err(|error| wrong_keys(source, &error))?;
        config.check().map_err(|problem| TaskError::Yaml { file: source.name.clone(), line: None, problem })?;
        Ok(config)
    }

    /// Refuses what would be read but not done.
    fn check(&mut self) -> Result<(), YamlError> {
        let fewshot = self.fewshot_config.as_ref();
        let code = [
            ("process_docs", &self.process_docs),
            ("process_results", &self.process_results),
            ("custom_dataset", &self.custom_dataset),
            ("class", &self.class),
        ];
        let code = code.into_iter().find_map(|(key, value)| Some((key, value.as_ref()?)));
        if let Some(key) =
            code.map(|(key, _)| key).or_else(|| fewshot?.process_docs.as_ref().map(|_| "fewshot_config.process_docs"))
        {
            return Err(unsupported(key, "...", "it is code of Python, which is not run; take it out"));
        }
        if self.use_prompt.is_some() {
            return Err(unsupported("use_prompt", "...", "prompts of promptsource are not read; write `doc_to_text`"));
        }
        for (key, value) in [("doc_to_image", &self.doc_to_image), ("doc_to_audio", &self.doc_to_audio)] {
            if value.is_some() {
                return Err(unsupported(key, "...", "models here read text alone; take it out"));
            }
        }
        if self.doc_to_choice.is_none() && self.output_type == OutputType::MultipleChoice {
            return Err(YamlError::Missing { key: "doc_to_choice", help: "write the list of choices" });
        }
        if let Some(kwargs) = &self.generation_kwargs {
            match self.output_type {
                OutputType::GenerateUntil => self.generation = GenerationKwargs::new(kwargs)?,
                _ => self.notes.push("`generation_kwargs` is not used: this output_type generates nothing".to_owned()),
            }
        }
        self.notes.extend(self.generation.note.take());
        if let Some(repeats) = self.repeats.filter(|&repeats| repeats > 1) {
            self.notes
                .push(format!("`repeats: {repeats}`: a greedy generation is the same each time, and is made once"));
        }
        let pipelines = pipelines(self.filter_list.as_ref(), self.output_type, self.repeats.unwrap_or(1))?;
        let (metrics, notes) = Metrics::new(self.metric_list.as_deref(), pipelines, self.output_type)?;
        self.metrics = metrics;
        self.notes.extend(notes);
        Ok(())
    }

    /// Lets a metric, `NAME` or `NAME,PIPELINE`, say what is right.
    pub fn choose(&mut self, metric: &str) -> Result<(), YamlError> {
        self.metrics.choose(metric, self.output_type)
    }

    /// What makes a row's texts.
    pub fn keys(&self) -> Result<Keys<'_>, YamlError> {
        let missing = |key, help| YamlError::Missing { key, help };
        let target = self.doc_to_target.as_ref();
        let text = match (&self.doc_to_text, target) {
            (Some(text), _) => text,
            // A text that is scored by itself has no prompt.
            (None, Some(target)) if self.output_type == OutputType::LogLikelihoodRolling => target,
            _ => return Err(missing("doc_to_text", "write the prompt's template or field")),
        };
        let target = target.ok_or(missing("doc_to_target", "write the answer's template or field"))?;
        Ok(Keys { text, target, choices: self.doc_to_choice.as_ref() })
    }

    /// How texts are generated.
    pub fn generation(&self) -> &GenerationKwargs {
        &self.generation
    }

    /// The texts that end a generation.
    pub fn until(&self) -> Vec<String> {
        let until = self.generation.until.clone();
        until.unwrap_or_else(|| Some(self.fewshot_delimiter()).filter(|text| !text.is_empty()).into_iter().collect())
    }

    /// What stands behind each solved example.
    pub fn fewshot_delimiter(&self) -> String {
        self.fewshot_delimiter.clone().unwrap_or_else(|| "\n\n".to_owned())
    }

    /// What is read as the prompt, as it is written.
    pub fn prompt_text(&self) -> Option<String> {
        self.doc_to_text.as_ref().map(shown)
    }

    /// What is read as the answer, as it is written.
    pub fn answer_text(&self) -> Option<String> {
        self.doc_to_target.as_ref().map(shown)
    }

    /// How many tokens are generated.
    pub fn new_tokens(&self) -> Option<usize> {
        (self.output_type == OutputType::GenerateUntil).then(|| self.generation.max_new_tokens())
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
        let (by_length, by_bytes) = self.normalised();
        match (self.output_type, self.matching()) {
            (OutputType::GenerateUntil, Matching::Contains) => "generation: right when the answer occurs",
            (OutputType::GenerateUntil, Matching::Exact(_)) => "generation: right when it is the answer",
            (OutputType::MultipleChoice, _) if by_length => "choice: the highest log-probability per character",
            (OutputType::MultipleChoice, _) if by_bytes => "choice: the highest log-probability per byte",
            (OutputType::MultipleChoice, _) => "choice: the highest log-probability",
            (OutputType::LogLikelihood, _) => "right when every token of the answer is the most likely one",
            (OutputType::LogLikelihoodRolling, _) => "the text's own log-probability",
        }
    }

    /// When a generated text is right.
    pub fn matching(&self) -> Matching {
        self.metrics.matching()
    }

    /// Whether choices are compared by log-probability per character, or per byte.
    pub fn normalised(&self) -> (bool, bool) {
        self.metrics.normalised()
    }
}

/// The keys with their types.
fn typed(keys: &Mapping) -> Result<Config, serde_yaml_ng::Error> {
    // As text: a number is then read as text where text is wanted.
    serde_yaml_ng::from_str(&serde_yaml_ng::to_string(keys)?)
}

fn shown(text: &IndexOrText) -> String {
    match text {
        IndexOrText::Index(index) => format!("choice {index}"),
        IndexOrText::Text(text) => text.clone(),
        IndexOrText::List(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
    }
}

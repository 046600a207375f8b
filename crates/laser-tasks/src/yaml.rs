//! Task files in the YAML of lm-evaluation-harness: the subset that is read, every other key being an error.
//!
//! | key | read as |
//! | --- | --- |
//! | `task` | the name; the file's own where it is missing |
//! | `dataset_path` | `json`, or missing |
//! | `dataset_kwargs.data_files` | a JSONL file relative to the YAML file, or one for each split |
//! | `test_split`, `validation_split`, `training_split` | the first of them that is there chooses the file; validation and test are our own split |
//! | `output_type` | `generate_until` (also where it is missing), `multiple_choice`, `loglikelihood` |
//! | `doc_to_text` | the prompt: a Jinja template, or a field's name |
//! | `doc_to_target` | the answer, a template or a field's name: text or a list of texts for `generate_until`, an index or a choice for `multiple_choice` |
//! | `doc_to_choice` | for `multiple_choice`: a list of templates, a template of one `{{ }}` that gives a list, or a field's name |
//! | `doc_to_group` | our own: what examples of one fact share |
//! | `description` | a template put before every prompt, as it is |
//! | `generation_kwargs` | `max_gen_toks` (10 where it is missing), `until: []`, `do_sample: false`, `temperature: 0` |
//! | `metric_list` | `acc`, `log_loss`, and for `generate_until` `exact_match`; it changes nothing, generation being scored as the paper does |
//! | `metadata` | not looked at |

use std::collections::{BTreeMap, HashSet};

use minijinja::Environment;
use serde::{Deserialize, Serialize};
use serde_yaml_ng::Value;

use crate::jsonl::{self, Row};
use crate::template::{Pattern, engine};
use crate::{DEFAULT_NEW_TOKENS, Example, RowError, Source, Target, Task, TaskError, YamlError};

/// The task of a YAML file. `name` is used where the file gives none; `read` opens a data file by its path in the YAML.
pub(crate) fn task(
    source: &Source,
    name: &str,
    read: &dyn Fn(&str) -> Result<Source, TaskError>,
) -> Result<Task, TaskError> {
    let at = |problem| TaskError::Yaml { file: source.name.clone(), line: None, problem };
    let config = parse(source)?;
    config.check().map_err(at)?;
    let data = read(config.data_file().map_err(at)?)?;
    let rows = jsonl::rows(&data)?;
    let engine = engine();
    let reader = RowReader::new(&config, &engine, &rows).map_err(at)?;
    let examples = rows
        .iter()
        .map(|row| reader.example(row).map_err(|problem| jsonl::at(&data, row.line, problem)))
        .collect::<Result<Vec<Example>, TaskError>>()?;
    Task::new(config.task.as_deref().unwrap_or(name), examples)
}

/// A YAML file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "keys and values")]
struct Config {
    task: Option<String>,
    dataset_path: Option<String>,
    dataset_kwargs: Option<DatasetKwargs>,
    test_split: Option<String>,
    validation_split: Option<String>,
    training_split: Option<String>,
    #[serde(default)]
    output_type: OutputType,
    doc_to_text: Option<String>,
    doc_to_target: Option<IndexOrText>,
    doc_to_choice: Option<ListOrText>,
    doc_to_group: Option<String>,
    description: Option<String>,
    generation_kwargs: Option<GenerationKwargs>,
    metric_list: Option<Vec<Metric>>,
    #[serde(rename = "metadata")]
    _metadata: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatasetKwargs {
    data_files: DataFiles,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "data_files: expected a path, or a path for each split")]
enum DataFiles {
    One(String),
    Splits(BTreeMap<String, String>),
}

#[derive(Deserialize, Serialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum OutputType {
    #[default]
    GenerateUntil,
    MultipleChoice,
    #[serde(rename = "loglikelihood")]
    LogLikelihood,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "doc_to_target: expected a template, a field's name or an index from 0")]
enum IndexOrText {
    Index(usize),
    Text(String),
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "doc_to_choice: expected a list of texts (numbers and true in quotes), a template or a field's name"
)]
enum ListOrText {
    List(Vec<String>),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GenerationKwargs {
    max_gen_toks: Option<usize>,
    until: Option<Vec<String>>,
    do_sample: Option<bool>,
    temperature: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metric {
    metric: String,
    aggregation: Option<String>,
    higher_is_better: Option<bool>,
}

fn parse(source: &Source) -> Result<Config, TaskError> {
    let at = |line, problem| TaskError::Yaml { file: source.name.clone(), line, problem };
    let wrong = |error: serde_yaml_ng::Error| {
        let message = error.to_string();
        // The place stands before the message already.
        let what = match message.rsplit_once(" at line ") {
            Some((what, _)) => what,
            None => &message,
        };
        let what = crate::error::plain(what).replace("unknown field", "unknown key");
        // These two are noticed only at the end of a mapping, and their place is its start.
        let late = what.contains(": expected ") || what.starts_with("duplicate entry");
        let line = error.location().filter(|_| !late).map(|it| it.line());
        at(line, YamlError::Parse { what })
    };
    let text = std::str::from_utf8(jsonl::without_bom(&source.bytes)).map_err(|_| at(None, YamlError::Utf8))?;
    // Types would hide a tag: a `!function` would be read as plain text.
    let value: Value = serde_yaml_ng::from_str(text).map_err(wrong)?;
    if let Some((key, tag)) = first_tag("", &value) {
        return Err(at(None, YamlError::Tag { key, tag }));
    }
    serde_yaml_ng::from_str(text).map_err(wrong)
}

/// The first tagged value, and the key that it stands under.
fn first_tag(key: &str, value: &Value) -> Option<(String, String)> {
    match value {
        Value::Tagged(tagged) => Some((key.to_owned(), tagged.tag.to_string())),
        Value::Sequence(items) => items.iter().find_map(|item| first_tag(key, item)),
        Value::Mapping(pairs) => pairs.iter().find_map(|(name, value)| first_tag(name.as_str().unwrap_or(key), value)),
        _ => None,
    }
}

impl Config {
    /// Refuses what would be read but not done.
    fn check(&self) -> Result<(), YamlError> {
        if let Some(path) = self.dataset_path.as_deref().filter(|&path| path != "json") {
            let help = "write `json` and name a JSONL file in dataset_kwargs.data_files";
            return Err(unsupported("dataset_path", path, help));
        }
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
        Ok(())
    }

    /// The path of the data, as it is written.
    fn data_file(&self) -> Result<&str, YamlError> {
        const KEY: &str = "dataset_kwargs.data_files";
        let Some(kwargs) = &self.dataset_kwargs else {
            return Err(YamlError::Missing { key: KEY, help: "name the JSONL file that holds the examples" });
        };
        let files = match &kwargs.data_files {
            DataFiles::One(path) => return Ok(path),
            DataFiles::Splits(files) => files,
        };
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        let known = || format!("use one of data_files: {}", names.join(", "));
        let wanted = [
            ("test_split", &self.test_split),
            ("validation_split", &self.validation_split),
            ("training_split", &self.training_split),
        ];
        let wanted: Vec<(&str, &String)> =
            wanted.into_iter().filter_map(|(key, split)| split.as_ref().map(|split| (key, split))).collect();
        if let Some((key, split)) = wanted.iter().find(|(_, split)| !files.contains_key(*split)) {
            return Err(unsupported(key, split, &known()));
        }
        let chosen = match wanted.first() {
            Some((_, split)) => files.get(*split),
            None if files.len() == 1 => files.values().next(),
            None => files.get("test"),
        };
        chosen.map(String::as_str).ok_or_else(|| unsupported(KEY, &names.join(", "), "choose one with `test_split`"))
    }
}

impl GenerationKwargs {
    fn check(&self) -> Result<(), YamlError> {
        if self.max_gen_toks == Some(0) {
            let help = "generate at least 1 token";
            return Err(unsupported("generation_kwargs.max_gen_toks", "0", help));
        }
        if let Some(text) = self.until.iter().flatten().next() {
            let help = "generation stops after max_gen_toks tokens or at the end of the text; write `until: []`";
            return Err(unsupported("generation_kwargs.until", text, help));
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
            OutputType::GenerateUntil => &["acc", "exact_match", "log_loss"],
            OutputType::MultipleChoice | OutputType::LogLikelihood => &["acc", "log_loss"],
        };
        if !known.contains(&self.metric.as_str()) {
            let help = format!("this output_type is scored by {}", known.join(", "));
            return Err(unsupported("metric_list.metric", &self.metric, &help));
        }
        if let Some(aggregation) = self.aggregation.as_deref().filter(|&name| name != "mean") {
            let help = "every metric is a mean over examples; write `mean`";
            return Err(unsupported("metric_list.aggregation", aggregation, help));
        }
        let higher_is_better = self.metric != "log_loss";
        if self.higher_is_better.is_some_and(|it| it != higher_is_better) {
            let help = format!("write `{higher_is_better}` for {}", self.metric);
            let value = (!higher_is_better).to_string();
            return Err(unsupported("metric_list.higher_is_better", &value, &help));
        }
        Ok(())
    }
}

/// Turns rows into examples.
struct RowReader<'a> {
    description: Option<Pattern<'a>>,
    text: Pattern<'a>,
    target: TargetReader<'a>,
    group: Option<Pattern<'a>>,
}

enum TargetReader<'a> {
    Generate(Pattern<'a>, usize),
    Choose(Choices<'a>, Correct<'a>),
    LogLikelihood(Pattern<'a>),
}

enum Choices<'a> {
    Each(Vec<Pattern<'a>>),
    Together(Pattern<'a>),
}

enum Correct<'a> {
    Always(usize),
    Of(Pattern<'a>),
}

impl<'a> RowReader<'a> {
    fn new(config: &'a Config, engine: &'a Environment<'static>, rows: &[Row]) -> Result<Self, YamlError> {
        let fields: HashSet<&str> = rows.iter().flat_map(|row| row.fields.keys().map(String::as_str)).collect();
        let text = |key, text: &'a str| Pattern::text(engine, &fields, key, text);
        let value = |key, text: &'a str| Pattern::value(engine, &fields, key, text);
        // A description and the items of a list may be plain words.
        let words = |key, text: &'a str| Pattern::template(engine, key, text);

        let prompt = config
            .doc_to_text
            .as_deref()
            .ok_or(YamlError::Missing { key: "doc_to_text", help: "write the prompt's template or field" })?;
        let target = config
            .doc_to_target
            .as_ref()
            .ok_or(YamlError::Missing { key: "doc_to_target", help: "write the answer's template or field" })?;
        let answer = || match target {
            IndexOrText::Text(target) => value("doc_to_target", target),
            IndexOrText::Index(index) => Err(unsupported(
                "doc_to_target",
                &index.to_string(),
                "an index goes with `output_type: multiple_choice`",
            )),
        };
        let target = match config.output_type {
            OutputType::GenerateUntil => {
                let max_gen_toks = config.generation_kwargs.as_ref().and_then(|k| k.max_gen_toks);
                TargetReader::Generate(answer()?, max_gen_toks.unwrap_or(DEFAULT_NEW_TOKENS))
            }
            OutputType::LogLikelihood => TargetReader::LogLikelihood(answer()?),
            OutputType::MultipleChoice => {
                let key = "doc_to_choice";
                let choices = match &config.doc_to_choice {
                    Some(ListOrText::List(items)) => {
                        Choices::Each(items.iter().map(|item| words(key, item)).collect::<Result<_, _>>()?)
                    }
                    Some(ListOrText::Text(text)) => Choices::Together(value(key, text)?),
                    None => {
                        let help = "write the list of choices";
                        return Err(YamlError::Missing { key, help });
                    }
                };
                let correct = match target {
                    IndexOrText::Index(index) => Correct::Always(*index),
                    IndexOrText::Text(target) => Correct::Of(value("doc_to_target", target)?),
                };
                TargetReader::Choose(choices, correct)
            }
        };
        Ok(Self {
            description: config
                .description
                .as_deref()
                .map(|description| words("description", description))
                .transpose()?,
            text: text("doc_to_text", prompt)?,
            target,
            group: config.doc_to_group.as_deref().map(|group| value("doc_to_group", group)).transpose()?,
        })
    }

    fn example(&self, row: &Row) -> Result<Example, RowError> {
        let fields = &row.fields;
        let mut prompt = match &self.description {
            Some(description) => description.text_of(fields)?,
            None => String::new(),
        };
        prompt.push_str(&self.text.text_of(fields)?);
        let target = match &self.target {
            TargetReader::Generate(answer, max_new_tokens) => {
                Target::generate(answer.texts_of(fields)?, *max_new_tokens)
            }
            TargetReader::LogLikelihood(answer) => Target::log_likelihood(answer.text_of(fields)?),
            TargetReader::Choose(choices, correct) => {
                let choices = match choices {
                    Choices::Each(items) => items.iter().map(|item| item.text_of(fields)).collect::<Result<_, _>>()?,
                    Choices::Together(list) => list.list_of(fields)?,
                };
                correct.target(choices, row)
            }
        }?;
        let group = self.group.as_ref().map(|group| group.text_of(fields));
        Example::new(row.default_id(), group.transpose()?, prompt, target)
    }
}

impl Correct<'_> {
    /// A whole number is an index. Of texts, a field's is a choice; a template's is an index where it is all digits and else a choice,
    /// as in lm-evaluation-harness, except that a text which could be either is an error.
    fn target(&self, choices: Vec<String>, row: &Row) -> Result<Target, RowError> {
        let pattern = match self {
            Self::Always(index) => return Target::choose(choices, *index),
            Self::Of(pattern) => pattern,
        };
        let value = pattern.of(&row.fields)?;
        if let Some(text) = value.as_str() {
            let text = text.trim();
            let index: Option<usize> = text.parse().ok().filter(|_| !pattern.is_field());
            return match (index, choices.iter().position(|choice| choice.trim() == text)) {
                (Some(index), Some(choice)) if index != choice => Err(RowError::Ambiguous { answer: text.to_owned() }),
                (Some(index), _) => Target::choose(choices, index),
                (None, _) => Target::choose_text(choices, text),
            };
        }
        match value.is_integer() {
            true => match value.as_usize() {
                Some(index) => Target::choose(choices, index),
                None => Err(RowError::NoSuchChoice { index: value.to_string(), choices: choices.len() }),
            },
            false => Err(pattern.wrong("one of the choices or its index from 0", &value)),
        }
    }
}

fn unsupported(key: &str, value: &str, help: &str) -> YamlError {
    YamlError::Unsupported { key: key.to_owned(), value: value.to_owned(), help: help.to_owned() }
}

//! One row's example: its prompt, its answer and how it is scored.

use std::collections::HashSet;

use minijinja::Environment;

use super::docs::Doc;
use super::task_config::{Config, IndexOrText, ListOrText, OutputType, unsupported};
use crate::template::Pattern;
use crate::{DEFAULT_NEW_TOKENS, RowError, YamlError};
use laser_example::{Choice, Example, ExampleError, Generation, Matching, Target};

/// Turns rows into examples.
pub struct Reader<'a> {
    description: Option<Pattern<'a>>,
    text: Pattern<'a>,
    target: TargetReader<'a>,
    group: Option<Pattern<'a>>,
    delimiter: Option<String>,
}

enum TargetReader<'a> {
    Generate { answer: Pattern<'a>, max_new_tokens: usize, until: Vec<String>, matching: Matching },
    Choose { choices: Choices<'a>, correct: Correct<'a>, by_length: bool },
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

impl<'a> Reader<'a> {
    /// A reader of rows that have `fields`.
    pub fn new(
        config: &'a Config,
        engine: &'a Environment<'static>,
        fields: &HashSet<&str>,
    ) -> Result<Self, YamlError> {
        let text = |key, text: &'a str| Pattern::text(engine, fields, key, text);
        let value = |key, text: &'a str| Pattern::value(engine, fields, key, text);
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
            OutputType::GenerateUntil => TargetReader::Generate {
                answer: answer()?,
                max_new_tokens: config.new_tokens().unwrap_or(DEFAULT_NEW_TOKENS),
                until: config.until(),
                matching: config.matching(),
            },
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
                TargetReader::Choose { choices, correct, by_length: config.by_length() }
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
            delimiter: config.target_delimiter.clone(),
        })
    }

    /// What gives a row's answer, where it is not the same for all.
    pub fn answer(&self) -> Option<&Pattern<'a>> {
        match &self.target {
            TargetReader::Generate { answer, .. } | TargetReader::LogLikelihood(answer) => Some(answer),
            TargetReader::Choose { correct: Correct::Of(answer), .. } => Some(answer),
            TargetReader::Choose { correct: Correct::Always(_), .. } => None,
        }
    }

    /// The example of a row, behind the description.
    pub fn example(&self, doc: &Doc) -> Result<Example, RowError> {
        let fields = &doc.row.fields;
        let mut prompt = match &self.description {
            Some(description) => description.text_of(fields)?,
            None => String::new(),
        };
        let question = prompt.len();
        prompt.push_str(&self.text.text_of(fields)?);
        let group = self.group.as_ref().map(|group| group.text_of(fields)).transpose()?;
        let group = group.unwrap_or_else(|| doc.group.clone());
        let (target, own) = self.target(doc)?;
        let delimiter = match (&self.target, &self.delimiter) {
            // What a text begins with goes before it, and no whitespace more.
            _ if !own.is_empty() => own,
            (_, Some(delimiter)) => delimiter.clone(),
            (TargetReader::LogLikelihood(_), None) if prompt.ends_with(char::is_whitespace) => String::new(),
            _ => " ".to_owned(),
        };
        let example = Example::new(doc.id.clone(), Some(group), prompt, target)?;
        Ok(Example { question, delimiter, ..example })
    }

    /// The target, and the whitespace that its texts all begin with.
    fn target(&self, doc: &Doc) -> Result<(Target, String), RowError> {
        let fields = &doc.row.fields;
        Ok(match &self.target {
            TargetReader::Generate { answer, max_new_tokens, until, matching } => {
                let (max_new_tokens, answers) = (*max_new_tokens, answer.texts_of(fields)?);
                let target = match Target::generate(answers, max_new_tokens)? {
                    Target::Generate(generation) => {
                        Target::Generate(Generation { until: until.clone(), matching: *matching, ..generation })
                    }
                    other => other,
                };
                (target, String::new())
            }
            TargetReader::LogLikelihood(answer) => {
                let answer = answer.text_of(fields)?;
                let own = leading(std::slice::from_ref(&answer));
                (Target::log_likelihood(answer)?, own)
            }
            TargetReader::Choose { choices, correct, by_length } => {
                let choices = match choices {
                    Choices::Each(items) => items.iter().map(|item| item.text_of(fields)).collect::<Result<_, _>>()?,
                    Choices::Together(list) => list.list_of(fields)?,
                };
                let own = leading(&choices);
                let target = match correct.target(choices, doc)? {
                    Target::Choose(choice) => Target::Choose(Choice { by_length: *by_length, ..choice }),
                    other => other,
                };
                (target, own)
            }
        })
    }
}

/// The whitespace that all texts begin with.
fn leading(texts: &[String]) -> String {
    let whitespace = |text: &String| text[..text.len() - text.trim_start().len()].to_owned();
    let first = texts.first().map(whitespace).unwrap_or_default();
    if texts.iter().all(|text| whitespace(text) == first) { first } else { String::new() }
}

impl Correct<'_> {
    /// A whole number is an index. Of texts, a field's is a choice; a template's is an index where it is all digits and else a choice,
    /// as in lm-evaluation-harness, except that a text which could be either is an error.
    fn target(&self, choices: Vec<String>, doc: &Doc) -> Result<Target, RowError> {
        if choices.len() < 2 {
            return Err(ExampleError::FewChoices { found: choices.len() }.into());
        }
        let pattern = match self {
            Self::Always(index) => return Ok(Target::choose(choices, *index)?),
            Self::Of(pattern) => pattern,
        };
        let value = pattern.of(&doc.row.fields)?;
        if let Some(text) = value.as_str() {
            let text = text.trim();
            let index: Option<usize> = text.parse().ok().filter(|_| !pattern.is_field());
            return match (index, choices.iter().position(|choice| choice.trim() == text)) {
                (Some(index), Some(choice)) if index != choice => Err(RowError::Ambiguous { answer: text.to_owned() }),
                (Some(index), _) => Ok(Target::choose(choices, index)?),
                (None, _) => Ok(Target::choose_text(choices, text)?),
            };
        }
        match value.is_integer() {
            true => match value.as_usize() {
                Some(index) => Ok(Target::choose(choices, index)?),
                None => Err(ExampleError::NoSuchChoice { index: value.to_string(), choices: choices.len() }.into()),
            },
            false => Err(pattern.wrong("one of the choices or its index from 0", &value)),
        }
    }
}

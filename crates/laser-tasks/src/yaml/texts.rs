//! The question, the choices and the target of a row, each as lm-evaluation-harness reads its key:
//! a field's name gives the field's value, any other text is a template.

use std::collections::HashSet;

use laser_template::{Environment, Value};
use serde_json::Value as Json;

use super::docs::Doc;
use super::values::{IndexOrText, Keys, ListOrText};
use crate::template::FieldOrTemplate;
use crate::{RowError, YamlError};

/// `doc_to_text`, `doc_to_choice` and `doc_to_target`.
pub struct Texts<'a> {
    question: QuestionText<'a>,
    choices: Option<ChoiceTexts<'a>>,
    target: TargetTexts<'a>,
    /// Whether there are choices, for which digits are an index.
    has_choices: bool,
}

enum QuestionText<'a> {
    Always(usize),
    Of(FieldOrTemplate<'a>),
}

enum ChoiceTexts<'a> {
    /// As they are written.
    Each(&'a [String]),
    Together(FieldOrTemplate<'a>),
}

enum TargetTexts<'a> {
    Always(Answer),
    Of(FieldOrTemplate<'a>),
}

/// What a row is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    Text(String),
    /// The choices are the questions, and this one is right.
    Choice(i64),
}

/// What a row's target is.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Text(String),
    /// Where there are choices, the index of one; and as Python prints it.
    Index(i64, String),
    /// Several are right.
    Several(Vec<Answer>),
}

impl<'a> Texts<'a> {
    /// The texts of rows that have `fields`.
    pub fn new(keys: Keys<'a>, engine: &Environment, fields: &HashSet<&str>) -> Result<Self, YamlError> {
        let text = |key, text: &'a str| FieldOrTemplate::text(engine, fields, key, text);
        let question = match keys.text {
            IndexOrText::Index(index) => QuestionText::Always(usize::try_from(*index).unwrap_or(usize::MAX)),
            IndexOrText::Text(words) => QuestionText::Of(text("doc_to_text", words)?),
            IndexOrText::List(_) => {
                let help = "write one template or field";
                return Err(super::values::unsupported("doc_to_text", "[...]", help));
            }
        };
        let target = match keys.target {
            IndexOrText::Index(index) => TargetTexts::Always(Answer::Index(*index, index.to_string())),
            IndexOrText::Text(words) => TargetTexts::Of(text("doc_to_target", words)?),
            IndexOrText::List(items) => {
                let answer = |item: &IndexOrText| match item {
                    IndexOrText::Index(index) => Answer::Index(*index, index.to_string()),
                    IndexOrText::Text(words) => Answer::Text(words.clone()),
                    IndexOrText::List(_) => Answer::Several(Vec::new()),
                };
                TargetTexts::Always(Answer::Several(items.iter().map(answer).collect()))
            }
        };
        let choices = match keys.choices {
            Some(ListOrText::List(items)) => Some(ChoiceTexts::Each(items)),
            Some(ListOrText::Text(words)) => Some(ChoiceTexts::Together(text("doc_to_choice", words)?)),
            None => None,
        };
        Ok(Self { question, has_choices: choices.is_some(), choices, target })
    }

    /// What gives a row's target, where it is not the same for all.
    pub fn target_pattern(&self) -> Option<&FieldOrTemplate<'a>> {
        match &self.target {
            TargetTexts::Of(pattern) => Some(pattern),
            TargetTexts::Always(_) => None,
        }
    }

    /// What a row is asked.
    pub fn question(&self, doc: &Doc) -> Result<Question, RowError> {
        let pattern = match &self.question {
            QuestionText::Always(index) => return Ok(Question::Choice(*index as i64)),
            QuestionText::Of(pattern) => pattern,
        };
        if pattern.is_field() {
            let value = pattern.of(&doc.row.fields)?;
            return Ok(match integer(&value).filter(|_| self.has_choices) {
                Some(index) => Question::Choice(index),
                None => Question::Text(pattern.text_of(&doc.row.fields)?),
            });
        }
        let text = pattern.text_of(&doc.row.fields)?;
        Ok(match index(&text).filter(|_| self.has_choices) {
            Some(index) => Question::Choice(index),
            None => Question::Text(text),
        })
    }

    /// The choices of a row, where a task has some.
    pub fn choices(&self, doc: &Doc) -> Result<Option<Vec<String>>, RowError> {
        let fields = &doc.row.fields;
        Ok(match &self.choices {
            None => None,
            Some(ChoiceTexts::Each(items)) => Some(items.to_vec()),
            Some(ChoiceTexts::Together(list)) if list.is_field() => Some(list.list_of(fields)?),
            Some(ChoiceTexts::Together(list)) => {
                let text = list.text_of(fields)?;
                match literal(&text) {
                    Some(Json::Array(items)) if !items.contains(&Json::Null) => Some(items.iter().map(plain).collect()),
                    _ => return Err(RowError::NoList { key: "doc_to_choice", text }),
                }
            }
        })
    }

    /// The target of a row.
    pub fn target(&self, doc: &Doc) -> Result<Answer, RowError> {
        let pattern = match &self.target {
            TargetTexts::Always(answer) => return Ok(answer.clone()),
            TargetTexts::Of(pattern) => pattern,
        };
        if pattern.is_field() {
            let value = pattern.of(&doc.row.fields)?;
            return match value.to_json() {
                Json::Null => Err(pattern.wrong("a text, a number, true or false, or a list of them", &value)),
                Json::Array(items) => Ok(Answer::Several(items.iter().map(answer).collect())),
                other => Ok(answer(&other)),
            };
        }
        let text = pattern.text_of(&doc.row.fields)?;
        if let Some(index) = index(&text).filter(|_| self.has_choices) {
            return Ok(Answer::Index(index, text));
        }
        if text.len() >= 2
            && text.starts_with('[')
            && text.ends_with(']')
            && let Some(Json::Array(items)) = literal(&text)
        {
            return Ok(Answer::Several(items.iter().map(answer).collect()));
        }
        Ok(Answer::Text(text))
    }
}

impl Answer {
    /// The answer as text, with the choices that it may be an index of.
    pub fn text(&self, choices: Option<&[String]>) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Index(index, text) => {
                let choice = usize::try_from(*index).ok().and_then(|index| choices?.get(index));
                choice.unwrap_or(text).clone()
            }
            Self::Several(answers) => answers.first().map(|answer| answer.text(choices)).unwrap_or_default(),
        }
    }

    /// Every answer that is right.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::Several(answers) => answers,
            one => std::slice::from_ref(one),
        }
    }
}

/// A value of the data: text, or a number that is an index where there are choices.
fn answer(value: &Json) -> Answer {
    let index = match value {
        Json::Bool(label) => Some(i64::from(*label)),
        Json::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        _ => None,
    };
    match index {
        Some(index) => Answer::Index(index, plain(value)),
        None => Answer::Text(plain(value)),
    }
}

/// The value of a Python literal.
fn literal(text: &str) -> Option<Json> {
    laser_template::literal(text).ok().map(|value| value.to_json())
}

/// A text as it is, anything else as Python prints it.
fn plain(value: &Json) -> String {
    Value::from(value).to_string()
}

fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

/// A text of digits, as a number.
fn index(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().filter(|_| value.is_integer())
}

//! Values of keys that may have several forms.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_yaml_ng::Value;

use crate::YamlError;

/// What is computed of a row.
#[derive(Deserialize, Serialize, Default, Debug, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    #[default]
    GenerateUntil,
    MultipleChoice,
    #[serde(rename = "loglikelihood")]
    LogLikelihood,
    #[serde(rename = "loglikelihood_rolling")]
    LogLikelihoodRolling,
}

/// A text, an index, or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexOrText {
    Index(i64),
    Text(String),
    List(Vec<IndexOrText>),
}

/// A list of texts, or one text that gives a list.
#[derive(Debug, Clone, PartialEq)]
pub enum ListOrText {
    List(Vec<String>),
    Text(String),
}

/// What the keys of a task, or of its solved examples, say.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    pub text: &'a IndexOrText,
    pub target: &'a IndexOrText,
    pub choices: Option<&'a ListOrText>,
}

impl IndexOrText {
    /// The text, where it is one.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Text(words) => Some(words),
            _ => None,
        }
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Sequence(items) => items.iter().map(Self::of).collect::<Option<_>>().map(Self::List),
            Value::Number(number) if number.is_i64() => number.as_i64().map(Self::Index),
            Value::Bool(label) => Some(Self::Index(i64::from(*label))),
            other => scalar(other).map(Self::Text),
        }
    }
}

impl<'de> Deserialize<'de> for IndexOrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::of(&value).ok_or_else(|| D::Error::custom("expected a template, a field's name or an index from 0"))
    }
}

impl<'de> Deserialize<'de> for ListOrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = || D::Error::custom("expected a list of texts, a template or a field's name");
        let texts = |values: Vec<&Value>| values.into_iter().map(scalar).collect::<Option<_>>().ok_or_else(expected);
        match Value::deserialize(deserializer)? {
            Value::Sequence(items) => texts(items.iter().collect()).map(Self::List),
            // As in lm-evaluation-harness, the keys of a mapping say nothing.
            Value::Mapping(pairs) => texts(pairs.values().collect()).map(Self::List),
            other => scalar(&other).map(Self::Text).ok_or_else(expected),
        }
    }
}

/// A value that is neither a list nor a mapping, as Python prints it.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        _ => None,
    }
}

/// The error of a value that is read and cannot be done.
pub fn unsupported(key: &str, value: &str, help: &str) -> YamlError {
    YamlError::Unsupported { key: key.to_owned(), value: value.to_owned(), help: help.to_owned() }
}

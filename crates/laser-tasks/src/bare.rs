//! The bare task: a data file whose columns are the examples themselves.
//!
//! Each row has `prompt` and `answer`, `answers` or `choices` with `answer`, and perhaps `id` and `group`; no other.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::bad_rows::BadRows;
use crate::data::{self, Row, RowLocation};
use crate::source::Source;
use crate::{DEFAULT_NEW_TOKENS, RowError, TaskError};
use laser_example::{Example, ExampleError, Target};

/// The examples in the rows of `source` that can be used; at least one.
pub(crate) fn examples(source: &Source, bad: &BadRows) -> Result<Vec<Example>, TaskError> {
    let mut first_place: HashMap<String, RowLocation> = HashMap::new();
    let mut examples = Vec::new();
    for row in data::each_row(source, bad)? {
        let Some(row) = bad.met(row)? else {
            examples.push(None);
            continue;
        };
        let place = row.place;
        let example = example(row).and_then(|example| match first_place.get(&example.id) {
            Some(&first) => Err(RowError::DuplicateId { id: example.id, first }),
            None => Ok(example),
        });
        let example = bad.met(example.map_err(|problem| data::at(source, place, problem)))?;
        if let Some(example) = &example {
            first_place.insert(example.id.clone(), place);
        }
        examples.push(example);
    }
    let examples = bad.left(examples)?;
    match examples.is_empty() {
        true => Err(TaskError::Empty { file: source.name.clone() }),
        false => Ok(examples),
    }
}

fn example(row: Row) -> Result<Example, RowError> {
    let default_id = row.default_id();
    let mut fields = row.fields;
    let lacks = |key: &str, fields: &Map<String, Value>| {
        let has = crate::error::listed(fields.keys().map(String::as_str));
        RowError::MissingKey { key: key.to_owned(), has }
    };
    let has_answer = ["answer", "answers"].iter().any(|&key| fields.contains_key(key));
    let no_answer = (!has_answer).then(|| lacks("answer", &fields));
    let prompt = match fields.remove("prompt") {
        Some(value) => text("prompt", value)?,
        None => return Err(lacks("prompt", &fields)),
    };
    let id = name("id", fields.remove("id"))?.unwrap_or(default_id);
    let group = name("group", fields.remove("group"))?;
    let (answer, answers, choices) = (fields.remove("answer"), fields.remove("answers"), fields.remove("choices"));
    if let Some(key) = fields.keys().next() {
        return Err(RowError::UnknownKey { key: key.clone() });
    }
    let target = match (answer, answers, choices) {
        (Some(answer), None, None) => Target::generate(vec![answer_text("answer", answer)?], DEFAULT_NEW_TOKENS)?,
        (None, Some(answers), None) => Target::generate(texts("answers", answers)?, DEFAULT_NEW_TOKENS)?,
        (Some(answer), None, Some(choices)) => choose(texts("choices", choices)?, answer)?,
        (None, None, _) => return Err(no_answer.unwrap_or_else(|| lacks("answer", &fields))),
        (_, Some(_), Some(_)) => return Err(RowError::Exclusive { first: "answers", second: "choices" }),
        (Some(_), Some(_), None) => return Err(RowError::Exclusive { first: "answer", second: "answers" }),
    };
    Ok(Example::new(id, group, prompt, target)?)
}

fn choose(choices: Vec<String>, answer: Value) -> Result<Target, RowError> {
    match answer {
        Value::String(answer) => Ok(Target::choose_text(choices, &answer)?),
        Value::Number(index) if index.is_i64() || index.is_u64() => {
            // An index that does not fit is out of range for any list: the error then shows it as it was written.
            let found = index.as_u64().and_then(|i| usize::try_from(i).ok());
            Ok(Target::choose(choices, found.unwrap_or(usize::MAX)).map_err(|error| match error {
                ExampleError::NoSuchChoice { choices, .. } => {
                    ExampleError::NoSuchChoice { index: index.to_string(), choices }
                }
                other => other,
            })?)
        }
        other => Err(wrong("answer", "one of the choices or its index from 0", &other)),
    }
}

fn text(key: &str, value: Value) -> Result<String, RowError> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong(key, "text", &other)),
    }
}

/// An answer or a choice: text, or a number as it is written.
fn answer_text(key: &str, value: Value) -> Result<String, RowError> {
    match value {
        Value::Number(number) => Ok(number.to_string()),
        other => text(key, other),
    }
}

fn texts(key: &str, value: Value) -> Result<Vec<String>, RowError> {
    const LIST: &str = "a list of texts";
    match value {
        Value::Array(items) => items.into_iter().map(|item| answer_text(&format!("an item of {key}"), item)).collect(),
        other => Err(wrong(key, LIST, &other)),
    }
}

/// An id or a group: text, or a whole number.
fn name(key: &str, value: Option<Value>) -> Result<Option<String>, RowError> {
    match value {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(name)),
        Some(Value::Number(number)) if !number.is_f64() => Ok(Some(number.to_string())),
        Some(other) => Err(wrong(key, "text or a whole number", &other)),
    }
}

fn wrong(key: &str, expected: &'static str, found: &Value) -> RowError {
    RowError::WrongType { key: key.to_owned(), expected, found: data::kind(found) }
}

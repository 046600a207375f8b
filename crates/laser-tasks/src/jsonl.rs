//! JSONL: one JSON object a line. A byte-order mark, CRLF and blank lines are let pass.

use std::collections::HashMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value, error::Category};

use crate::{DEFAULT_NEW_TOKENS, Example, RowError, Source, Target, TaskError};

/// One object and where it stands.
pub(crate) struct Row {
    /// From 1.
    pub line: usize,
    pub fields: Map<String, Value>,
}

impl Row {
    /// The id of a row that gives none.
    pub fn default_id(&self) -> String {
        (self.line - 1).to_string()
    }
}

/// All rows of a file; at least one.
pub(crate) fn rows(source: &Source) -> Result<Vec<Row>, TaskError> {
    let bytes = without_bom(&source.bytes);
    let mut rows = Vec::new();
    for (i, bytes) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = i + 1;
        match fields(bytes) {
            Ok(Some(fields)) => rows.push(Row { line, fields }),
            Ok(None) => {}
            Err(problem) => return Err(at(source, line, problem)),
        }
    }
    if rows.is_empty() {
        return Err(TaskError::Empty { file: source.name.clone() });
    }
    Ok(rows)
}

/// The examples of a bare JSONL file: `prompt`, with `answer`, `answers` or `choices`, and perhaps `id` and `group`.
pub(crate) fn examples(source: &Source) -> Result<Vec<Example>, TaskError> {
    let mut first_line: HashMap<String, usize> = HashMap::new();
    let mut examples = Vec::new();
    for row in rows(source)? {
        let line = row.line;
        let example = example(row).map_err(|problem| at(source, line, problem))?;
        if let Some(first) = first_line.insert(example.id.clone(), line) {
            let id = example.id;
            return Err(at(source, line, RowError::DuplicateId { id, first }));
        }
        examples.push(example);
    }
    Ok(examples)
}

/// A row's problem with its place.
pub(crate) fn at(source: &Source, line: usize, problem: RowError) -> TaskError {
    TaskError::Row { file: source.name.clone(), line, problem }
}

/// A file's bytes without the byte-order mark that some editors put there.
pub(crate) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// What a JSON value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn example(row: Row) -> Result<Example, RowError> {
    let default_id = row.default_id();
    let mut fields = row.fields;
    let prompt = match fields.remove("prompt") {
        Some(value) => text("prompt", value)?,
        None => return Err(missing("prompt")),
    };
    let id = name("id", fields.remove("id"))?.unwrap_or(default_id);
    let group = name("group", fields.remove("group"))?;
    let (answer, answers, choices) = (fields.remove("answer"), fields.remove("answers"), fields.remove("choices"));
    if let Some(key) = fields.keys().next() {
        return Err(RowError::UnknownKey { key: key.clone() });
    }
    let target = match (answer, answers, choices) {
        (Some(answer), None, None) => Target::generate(vec![text("answer", answer)?], DEFAULT_NEW_TOKENS),
        (None, Some(answers), None) => Target::generate(texts("answers", answers)?, DEFAULT_NEW_TOKENS),
        (Some(answer), None, Some(choices)) => choose(texts("choices", choices)?, answer),
        (_, None, _) => Err(missing("answer")),
        (_, Some(_), Some(_)) => Err(RowError::Exclusive { first: "answers", second: "choices" }),
        (Some(_), Some(_), None) => Err(RowError::Exclusive { first: "answer", second: "answers" }),
    }?;
    Example::new(id, group, prompt, target)
}

fn choose(choices: Vec<String>, answer: Value) -> Result<Target, RowError> {
    match answer {
        Value::String(answer) => Target::choose_text(choices, &answer),
        Value::Number(index) if index.is_i64() || index.is_u64() => {
            // An index that does not fit is out of range for any list: the error then shows it as it was written.
            let found = index.as_u64().and_then(|i| usize::try_from(i).ok());
            Target::choose(choices, found.unwrap_or(usize::MAX)).map_err(|error| match error {
                RowError::NoSuchChoice { choices, .. } => RowError::NoSuchChoice { index: index.to_string(), choices },
                other => other,
            })
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

fn texts(key: &str, value: Value) -> Result<Vec<String>, RowError> {
    const LIST: &str = "a list of texts";
    match value {
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                other => Err(wrong(&format!("an item of {key}"), "text", &other)),
            })
            .collect(),
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

fn missing(key: &str) -> RowError {
    RowError::MissingKey { key: key.to_owned() }
}

fn wrong(key: &str, expected: &'static str, found: &Value) -> RowError {
    RowError::WrongType { key: key.to_owned(), expected, found: kind(found) }
}

/// The object on one line; none on a blank line.
fn fields(line: &[u8]) -> Result<Option<Map<String, Value>>, RowError> {
    let line = std::str::from_utf8(line).map_err(|_| RowError::Utf8)?;
    if line.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str::<Fields>(line) {
        Ok(Fields(fields)) => Ok(Some(fields)),
        Err(error) => {
            let message = error.to_string();
            // The parser saw one line alone: its "at line 1" would mislead.
            let what = match message.rsplit_once(" at line ") {
                Some((what, _)) => crate::error::plain(what),
                None => crate::error::plain(&message),
            };
            Err(match error.classify() {
                Category::Data => RowError::NotAnObject { what },
                _ => RowError::Json { column: error.column(), what },
            })
        }
    }
}

/// An object that has each key once: of two `answer`s, serde_json's own map would keep the last without a word.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some((key, value)) = access.next_entry::<String, Value>()? {
                    if fields.contains_key(&key) {
                        let key = crate::error::quoted(&key);
                        return Err(de::Error::custom(format!("the key {key} is there twice")));
                    }
                    fields.insert(key, value);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

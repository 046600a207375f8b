//! Data files: rows of named values, whatever the format. What the values mean to a task is said elsewhere.

mod csv;
mod json;
mod jsonl;
mod parquet;
pub(crate) mod published;
mod row_location;
mod unique;

pub use row_location::RowLocation;

use std::path::Path;

use serde_json::{Map, Value};

use crate::bad_rows::BadRows;
use crate::source::Source;
use crate::{DataError, RowError, TaskError};

/// No row is larger, in bytes, unless the user allows it: making tokens of a text takes some twenty times its length.
fn largest_row() -> usize {
    laser_guard::raised_size(32 << 20)
}

/// One object and where it stands.
#[derive(Clone)]
pub(crate) struct Row {
    pub place: RowLocation,
    /// From 0; in JSONL lines are counted, blank ones too.
    pub index: usize,
    pub fields: Map<String, Value>,
}

impl Row {
    /// The id of a row that gives none.
    pub fn default_id(&self) -> String {
        self.index.to_string()
    }
}

/// The rows of a file for whoever looks at each of them once.
pub(crate) fn each_row<'s>(
    source: &'s Source,
    bad: &BadRows,
) -> Result<Box<dyn Iterator<Item = Result<Row, TaskError>> + 's>, TaskError> {
    match ending(source).as_deref() {
        Some("jsonl" | "ndjson") => Ok(Box::new(jsonl::one_by_one(source))),
        _ => Ok(Box::new(rows(source, bad)?.into_iter().map(Ok))),
    }
}

/// The ending of a file's name, which says how it is read.
fn ending(source: &Source) -> Option<String> {
    Some(Path::new(&source.name).extension()?.to_string_lossy().to_lowercase())
}

/// All rows of a file that can be read; at least one. The ending of its name says how it is read, and one that says nothing is taken for JSONL.
pub(crate) fn rows(source: &Source, bad: &BadRows) -> Result<Vec<Row>, TaskError> {
    let Some(ending) = ending(source) else {
        return Err(whole(source, DataError::NoEnding));
    };
    let rows = match ending.as_str() {
        "json" => json::rows(source, bad),
        "csv" => csv::rows(source, b',', bad),
        "tsv" => csv::rows(source, b'\t', bad),
        "parquet" => parquet::rows(source),
        _ => return jsonl::rows(source, bad),
    }?;
    if rows.is_empty() {
        return Err(whole(source, DataError::NoRecords));
    }
    let most = largest_row();
    match rows.iter().find(|row| text_bytes(row.fields.values()) > most) {
        Some(row) => Err(at(source, row.place, RowError::large(most))),
        None => Ok(rows),
    }
}

/// Bytes of all texts in some values.
fn text_bytes<'v>(values: impl Iterator<Item = &'v Value>) -> usize {
    let of = |value: &Value| match value {
        Value::String(text) => text.len(),
        Value::Array(items) => text_bytes(items.iter()),
        Value::Object(fields) => text_bytes(fields.values()),
        _ => 0,
    };
    values.map(of).sum()
}

/// A row's problem with its place.
pub(crate) fn at(source: &Source, place: RowLocation, problem: RowError) -> TaskError {
    TaskError::Row { file: source.name.clone(), place, problem }
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

/// The problem of one place in a data file.
fn inside(source: &Source, place: RowLocation, problem: DataError) -> TaskError {
    TaskError::Data { file: source.name.clone(), place: Some(place), problem }
}

/// The problem of a whole data file.
fn whole(source: &Source, problem: DataError) -> TaskError {
    TaskError::Data { file: source.name.clone(), place: None, problem }
}

#[cfg(test)]
mod tests;

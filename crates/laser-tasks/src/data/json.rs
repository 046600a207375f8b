//! JSON: a list of objects, or an object with such a list under `data`, `examples` or `rows`; what else that object has is not looked
//! at. Every object has each key once.
//!
//! `examples` is where a BIG-bench `task.json` has its records. Under `rows` the Hugging Face hub's viewer wraps each record:
//! `{"row_idx": 0, "row": {...}, "truncated_cells": []}`, and the record is what is under `row`.

use serde_json::{Map, Value};

use super::unique::Unique;
use super::{Row, RowLocation, inside, kind, whole, without_bom};
use crate::bad_rows::BadRows;
use crate::source::Source;
use crate::{DataError, TaskError};

const LISTS: [&str; 3] = ["data", "examples", "rows"];

pub(super) fn rows(source: &Source, bad: &BadRows) -> Result<Vec<Row>, TaskError> {
    let text = std::str::from_utf8(without_bom(&source.bytes)).map_err(|_| whole(source, DataError::Utf8))?;
    let Unique(value) = serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // The place stands before the message already.
        let what = laser_example::plain(message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what));
        inside(source, RowLocation::Line(error.line()), DataError::Json { column: error.column(), what })
    })?;
    let (items, wrapped) = list(value).map_err(|problem| whole(source, problem))?;
    let rows = items.into_iter().enumerate().map(|(index, item)| {
        let place = RowLocation::Record(index + 1);
        let row = record(item, wrapped).map(|fields| Row { place, index, fields });
        bad.met(row.map_err(|problem| inside(source, place, problem)))
    });
    bad.left(rows.collect::<Result<_, _>>()?)
}

/// The records of a file, and whether the hub's viewer may have wrapped them.
fn list(value: Value) -> Result<(Vec<Value>, bool), DataError> {
    let shape = |found: String| DataError::Shape { found };
    let mut object = match value {
        Value::Array(items) => return Ok((items, false)),
        Value::Object(object) => object,
        other => return Err(shape(format!("{} and no records", kind(&other)))),
    };
    let found: Vec<&str> = LISTS.into_iter().filter(|&key| object.get(key).is_some_and(Value::is_array)).collect();
    match found[..] {
        [key] => match object.remove(key) {
            Some(Value::Array(items)) => Ok((items, key == "rows")),
            _ => Ok((Vec::new(), false)),
        },
        [] => Err(shape("an object that has no list of records".to_owned())),
        _ => Err(shape(format!("an object with more than one list of records: {}", found.join(", ")))),
    }
}

fn record(item: Value, wrapped: bool) -> Result<Map<String, Value>, DataError> {
    let mut fields = match item {
        Value::Object(fields) => fields,
        other => return Err(DataError::Shape { found: format!("{} and no object", kind(&other)) }),
    };
    if !wrapped || !fields.get("row").is_some_and(Value::is_object) {
        return Ok(fields);
    }
    if let Some(Value::Array(cut)) = fields.get("truncated_cells").filter(|cut| *cut != &Value::Array(Vec::new())) {
        let names: Vec<String> =
            cut.iter().map(|name| laser_example::quoted(name.as_str().unwrap_or("a value"))).collect();
        return Err(DataError::Cut { names: names.join(", ") });
    }
    match fields.remove("row") {
        Some(Value::Object(row)) => Ok(row),
        _ => Ok(fields),
    }
}

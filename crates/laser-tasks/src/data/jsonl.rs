//! JSONL: one JSON object a line. A byte-order mark, CRLF and blank lines are let pass.

use serde_json::{Map, Value, error::Category};

use super::unique::UniqueObject;
use super::{LARGEST_ROW, Row, RowLocation, at, without_bom};
use crate::bad_rows::BadRows;
use crate::source::Source;
use crate::{RowError, TaskError};

/// All rows of a file that can be read; at least one.
pub(crate) fn rows(source: &Source, bad: &BadRows) -> Result<Vec<Row>, TaskError> {
    let bytes = without_bom(&source.bytes);
    let mut rows = Vec::new();
    for (index, bytes) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let place = RowLocation::Line(index + 1);
        if let Some(fields) = fields(bytes).transpose() {
            let row = fields.map(|fields| Row { place, index, fields });
            rows.push(bad.met(row.map_err(|problem| at(source, place, problem)))?);
        }
    }
    let rows = bad.left(rows)?;
    if rows.is_empty() {
        return Err(TaskError::Empty { file: source.name.clone() });
    }
    Ok(rows)
}

/// The object on one line; none on a blank line.
fn fields(line: &[u8]) -> Result<Option<Map<String, Value>>, RowError> {
    if line.len() > LARGEST_ROW {
        return Err(RowError::Large { most: LARGEST_ROW });
    }
    let line = std::str::from_utf8(line).map_err(|_| RowError::Utf8)?;
    if line.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str::<UniqueObject>(line) {
        Ok(UniqueObject(fields)) => Ok(Some(fields)),
        Err(error) => {
            let message = error.to_string();
            // The parser saw one line alone: its "at line 1" would mislead.
            let what = match message.rsplit_once(" at line ") {
                Some((what, _)) => laser_example::plain(what),
                None => laser_example::plain(&message),
            };
            Err(match error.classify() {
                Category::Data => RowError::NotAnObject { what },
                _ => RowError::Json { column: error.column(), what },
            })
        }
    }
}

//! JSONL: one JSON object a line. A byte-order mark, CRLF and blank lines are let pass.

use serde_json::{Map, Value, error::Category};

use super::unique::UniqueObject;
use super::{Row, RowLocation, at, largest_row, without_bom};
use crate::bad_rows::BadRows;
use crate::source::Source;
use crate::{RowError, TaskError};

/// All rows of a file that can be read; at least one.
pub(crate) fn rows(source: &Source, bad: &BadRows) -> Result<Vec<Row>, TaskError> {
    let rows = bad.left(one_by_one(source).map(|row| bad.met(row)).collect::<Result<_, _>>()?)?;
    if rows.is_empty() {
        return Err(TaskError::Empty { file: source.name.clone() });
    }
    Ok(rows)
}

/// The rows of a file one after the other, so that those of a large one need not be in memory together.
pub(crate) fn one_by_one(source: &Source) -> impl Iterator<Item = Result<Row, TaskError>> {
    let most = largest_row();
    let lines = without_bom(&source.bytes).split(|&byte| byte == b'\n').enumerate();
    lines.filter_map(move |(index, bytes)| {
        let place = RowLocation::Line(index + 1);
        let row = fields(bytes, most).transpose()?.map(|fields| Row { place, index, fields });
        Some(row.map_err(|problem| at(source, place, problem)))
    })
}

/// The object on one line; none on a blank line.
fn fields(line: &[u8], most: usize) -> Result<Option<Map<String, Value>>, RowError> {
    if line.len() > most {
        return Err(RowError::large(most));
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

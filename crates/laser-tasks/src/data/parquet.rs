//! Parquet: numbers, truths, texts and null as in JSON, structs and maps as objects, lists as lists; dates, times and decimals as texts,
//! bytes as base64, and a number that JSON does not have (NaN) as null.

use std::collections::HashSet;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::Type;
use serde_json::{Map, Value};

use super::{Row, RowLocation, whole};
use crate::source::Source;
use crate::{DataError, TaskError};

/// The rows of a file may have so many bytes, and so many times its own: dictionaries and compression make much of little.
const MOST_BYTES: usize = 1 << 28;
const EXPANSION: usize = 100;

/// What a row, an item of a list and a field of an object take, whatever they hold.
const ROW_BYTES: usize = 64;
const ITEM_BYTES: usize = 80;
const FIELD_BYTES: usize = 140;

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, TaskError> {
    // Of a file that contradicts itself, the reader asserts in places what it should check.
    let rows = laser_guard::caught(|| read(&source.bytes));
    let rows = rows.unwrap_or_else(|| Err(invalid("its parts contradict each other")));
    rows.map_err(|problem| whole(source, problem))
}

fn read(bytes: &[u8]) -> Result<Vec<Row>, DataError> {
    let reader = SerializedFileReader::new(Bytes::copy_from_slice(bytes)).map_err(refused)?;
    let schema = reader.metadata().file_metadata().schema();
    if schema.get_fields().is_empty() {
        return Err(invalid("it has no columns"));
    }
    check_names(schema)?;
    let most = laser_guard::raised_size(MOST_BYTES.saturating_add(bytes.len().saturating_mul(EXPANSION)));
    let (mut rows, mut read) = (Vec::new(), 0usize);
    for (index, row) in reader.get_row_iter(None).map_err(refused)?.enumerate() {
        let Value::Object(fields) = row.map_err(refused)?.to_json_value() else { continue };
        read += ROW_BYTES + bytes_of_fields(&fields);
        if read > most {
            return Err(invalid(&format!(
                "its rows have more than {most} bytes, too many for a file of {} ({})",
                bytes.len(),
                laser_guard::how_to_raise()
            )));
        }
        rows.push(Row { place: RowLocation::Record(index + 1), index, fields });
    }
    Ok(rows)
}

/// About what a value takes.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| ITEM_BYTES + bytes_of(item)).sum(),
        Value::Object(fields) => bytes_of_fields(fields),
        _ => 0,
    }
}

fn bytes_of_fields(fields: &Map<String, Value>) -> usize {
    fields.iter().map(|(name, value)| FIELD_BYTES + name.len() + bytes_of(value)).sum()
}

/// Refuses a group with two columns of one name, of which an object would keep the last.
fn check_names(group: &Type) -> Result<(), DataError> {
    let mut names = HashSet::new();
    for field in group.get_fields() {
        if !names.insert(field.name()) {
            return Err(DataError::SameName { name: field.name().to_owned() });
        }
        if field.is_group() {
            check_names(field)?;
        }
    }
    Ok(())
}

fn invalid(what: &str) -> DataError {
    DataError::Parquet { what: what.to_owned() }
}

fn refused(error: ParquetError) -> DataError {
    let what = match &error {
        ParquetError::General(what) | ParquetError::EOF(what) | ParquetError::NYI(what) => what.clone(),
        other => other.to_string(),
    };
    invalid(&laser_example::plain(&what))
}

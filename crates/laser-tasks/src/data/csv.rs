//! CSV with a header, separated by commas or tabs. A byte-order mark, CRLF and blank lines are let pass; a value may stand in quotes
//! and then span lines.
//!
//! A first column without a name, as pandas writes for its index, is left out.
//!
//! Every value is text, but one that is a JSON list (`["yes", "no"]`) is that list, so that a row can have choices.

use std::collections::HashSet;
use std::io::Read;

use serde_json::Value;

use super::unique::Unique;
use super::{Row, RowLocation, inside};
use crate::bad_rows::BadRows;
use crate::source::Source;
use crate::{DataError, TaskError};

/// A line put after the last one. An unclosed quote swallows it, as it has silently swallowed every line before.
const END: &str = "\0";

pub(super) fn rows(source: &Source, separator: u8, bad: &BadRows) -> Result<Vec<Row>, TaskError> {
    let end = format!("\n{END}");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(source.bytes.chain(end.as_bytes()));
    let mut lines = Lines { bytes: &source.bytes, at: 0, line: 1 };
    let mut records = Vec::new();
    for record in reader.records() {
        // From memory, and with records of any length, nothing else can fail.
        let record = record.map_err(|error| {
            let line = lines.of(error.position());
            inside(source, RowLocation::Line(line), DataError::Utf8)
        })?;
        records.push((RowLocation::Line(lines.of(record.position())), record));
    }
    if let Some((place, last)) = records.pop()
        && last != [END][..]
    {
        return Err(inside(source, place, DataError::OpenQuote));
    }

    let mut records = records.into_iter();
    let Some((place, header)) = records.next() else { return Ok(Vec::new()) };
    let mut names = HashSet::new();
    // pandas writes its index as a first column without a name.
    let unnamed = usize::from(header.len() > 1 && header.get(0).is_some_and(|name| name.trim().is_empty()));
    for (i, name) in header.iter().enumerate().skip(unnamed) {
        let problem = match name.trim().is_empty() {
            true => DataError::NoName { column: i + 1 },
            false if names.insert(name) => continue,
            false => DataError::SameName { name: name.to_owned() },
        };
        return Err(inside(source, place, problem));
    }
    let rows = records.enumerate().map(|(index, (place, record))| {
        if record.len() != header.len() {
            let problem = DataError::Length { found: record.len(), expected: header.len() };
            return bad.met(Err(inside(source, place, problem)));
        }
        let fields = header.iter().zip(&record).skip(unnamed);
        let fields = fields.map(|(name, text)| (name.to_owned(), value(text))).collect();
        Ok(Some(Row { place, index, fields }))
    });
    bad.left(rows.collect::<Result<_, _>>()?)
}

fn value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(Unique(list @ Value::Array(_))) if text.starts_with('[') && text.ends_with(']') => list,
        _ => text.into(),
    }
}

/// Counts lines up to ascending places in a file.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line, from 1, of the record that is found from `position` on. The reader's own count stops before blank lines.
    fn of(&mut self, position: Option<&csv::Position>) -> usize {
        let start = position.map_or(0, |position| position.byte() as usize).clamp(self.at, self.bytes.len());
        let ends = self.bytes[start..].iter().take_while(|byte| b"\r\n".contains(byte)).count();
        let passed = &self.bytes[self.at..start + ends];
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
        self.at = start + ends;
        self.line
    }
}

//! What each example gave under each candidate, as a Parquet file. It is here and not with the other reports, so that a tool that
//! reads RUN folders need not build a Parquet library.

use crate::error::{Error, Result};
use laser_example::Example;
use laser_report::ReadRun;
use laser_run::{Entry, SplitName};
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::path::Path;
use std::sync::Arc;

/// A row per example and candidate. `value` is 1 for right and 0 for wrong, or the result itself; the last three columns are
/// there of the test split.
const SCHEMA: &str = "message outcomes {
    required binary split (UTF8);
    required binary edits (UTF8);
    required binary id (UTF8);
    required binary group (UTF8);
    required double value;
    required double log_loss;
    optional int64 answer_rank;
    optional binary answer_given (UTF8);
    required binary answer (UTF8);
}";
/// Rows that are written together.
const ROWS: usize = 200_000;

/// Every entry that is over a whole split, as a Parquet file that is to be at `path`. Those of a race's earlier rounds are not in it.
///
/// # Errors
/// If the library cannot write them.
pub fn outcomes_parquet(run: &ReadRun, path: &Path) -> Result<Vec<u8>> {
    outcomes(run).map_err(|source| Error::Parquet { path: path.to_owned(), source })
}

fn outcomes(run: &ReadRun) -> ParquetResult<Vec<u8>> {
    let level = ZstdLevel::try_new(3)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(parse_message_type(SCHEMA)?), Arc::new(properties))?;
    let examples = |entry: &Entry| match entry.split {
        SplitName::Validation => &run.validation,
        SplitName::Test => &run.test,
    };
    let whole: Vec<(&Entry, &[Example])> = (run.entries.all().iter())
        .filter(|entry| entry.part.is_none())
        .map(|entry| (entry, examples(entry).as_slice()))
        .filter(|(entry, examples)| entry.is_over(examples.len()))
        .collect();
    let mut rest = whole.as_slice();
    while !rest.is_empty() {
        let mut rows = 0;
        let several = rest.iter().take_while(|(_, examples)| {
            rows += examples.len();
            rows <= ROWS
        });
        let (group, later) = rest.split_at(several.count().max(1));
        let mut columns = Columns::default();
        group.iter().for_each(|(entry, examples)| columns.add(entry, examples));
        let mut row_group = writer.next_row_group()?;
        columns.write(&mut row_group)?;
        row_group.close()?;
        rest = later;
    }
    writer.into_inner()
}

/// The columns of a row group, in the schema's order. Of an optional one only what is there; its levels say where.
#[derive(Default)]
struct Columns {
    split: Vec<ByteArray>,
    edits: Vec<ByteArray>,
    id: Vec<ByteArray>,
    group: Vec<ByteArray>,
    value: Vec<f64>,
    log_loss: Vec<f64>,
    rank: Vec<i64>,
    rank_levels: Vec<i16>,
    given: Vec<ByteArray>,
    given_levels: Vec<i16>,
    answer: Vec<ByteArray>,
}

impl Columns {
    fn add(&mut self, entry: &Entry, examples: &[Example]) {
        let split = if entry.split == SplitName::Test { "test" } else { "validation" };
        let edits = entry.interventions.to_string();
        self.value.extend(entry.values());
        self.log_loss.extend(&entry.log_loss);
        for (number, example) in examples.iter().enumerate() {
            self.split.push(split.into());
            self.edits.push(edits.as_str().into());
            self.id.push(example.id.as_str().into());
            self.group.push(example.group.as_str().into());
            self.answer.push(example.answer().into());
            let record = entry.records.as_ref().and_then(|records| records.get(number));
            let rank = record.map(|record| i64::try_from(record.answer_rank).unwrap_or(i64::MAX));
            self.rank_levels.push(i16::from(rank.is_some()));
            self.rank.extend(rank);
            let given = record.and_then(|record| record.answer_given(example));
            self.given_levels.push(i16::from(given.is_some()));
            self.given.extend(given.as_deref().map(ByteArray::from));
        }
    }

    fn write(&self, group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) -> ParquetResult<()> {
        texts(group, &self.split, None)?;
        texts(group, &self.edits, None)?;
        texts(group, &self.id, None)?;
        texts(group, &self.group, None)?;
        numbers(group, &self.value)?;
        numbers(group, &self.log_loss)?;
        column(group, |writer| match writer {
            ColumnWriter::Int64ColumnWriter(writer) => writer.write_batch(&self.rank, Some(&self.rank_levels), None),
            _ => Err(mismatch()),
        })?;
        texts(group, &self.given, Some(&self.given_levels))?;
        texts(group, &self.answer, None)
    }
}

fn texts(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[ByteArray],
    levels: Option<&[i16]>,
) -> ParquetResult<()> {
    column(group, |writer| match writer {
        ColumnWriter::ByteArrayColumnWriter(writer) => writer.write_batch(values, levels, None),
        _ => Err(mismatch()),
    })
}

fn numbers(group: &mut SerializedRowGroupWriter<'_, Vec<u8>>, values: &[f64]) -> ParquetResult<()> {
    column(group, |writer| match writer {
        ColumnWriter::DoubleColumnWriter(writer) => writer.write_batch(values, None, None),
        _ => Err(mismatch()),
    })
}

/// Writes the group's next column.
fn column(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    write: impl FnOnce(&mut ColumnWriter<'_>) -> ParquetResult<usize>,
) -> ParquetResult<()> {
    let mut column = group.next_column()?.ok_or_else(mismatch)?;
    write(column.untyped())?;
    column.close()
}

fn mismatch() -> ParquetError {
    ParquetError::General("the columns are not those of the schema".to_owned())
}

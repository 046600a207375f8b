//! The rows that become examples: some left out, some taken apart.

use std::collections::{BTreeMap, HashMap, HashSet};

use laser_template::Environment;
use serde_json::Value as Json;

use super::task_config::Config;
use crate::bad_rows::BadRows;
use crate::data::Row;
use crate::template::FieldOrTemplate;
use crate::{RowError, TaskError, YamlError};

/// A row that is taken apart into more than this is checked,
const FEW: usize = 1_000;

/// and may have so many bytes in all its parts.
const MOST_BYTES: usize = 1 << 30;

/// A row with its file and its names.
#[derive(Clone)]
pub struct Doc {
    pub file: String,
    pub id: String,
    /// The row's id, also of what it is taken apart into.
    pub group: String,
    pub row: Row,
}

impl Doc {
    /// A problem with this row's place.
    pub fn at(&self, problem: RowError) -> TaskError {
        TaskError::Row { file: self.file.clone(), place: self.row.place, problem }
    }
}

/// The names that templates may use.
pub fn fields(docs: &[Doc]) -> HashSet<&str> {
    docs.iter().flat_map(|doc| doc.row.fields.keys().map(String::as_str)).collect()
}

/// Keeps the rows of `where`, and takes each apart as `expand` says.
pub fn prepare(
    config: &Config,
    engine: &Environment,
    docs: Vec<Doc>,
    bad: &BadRows,
    problem: impl Fn(YamlError) -> TaskError,
) -> Result<Vec<Doc>, TaskError> {
    let only = config.only_where.as_deref().map(|text| FieldOrTemplate::expression(engine, "where", text)).transpose();
    let only = only.map_err(&problem)?;
    let mut lists = BTreeMap::new();
    for (name, text) in config.expand.iter().flatten() {
        lists.insert(name.clone(), FieldOrTemplate::expression(engine, "expand", text).map_err(&problem)?);
    }
    let mut prepared = Vec::with_capacity(docs.len());
    for doc in docs {
        let wanted = only.as_ref().map_or(Ok(true), |only| Ok(only.of(&doc.row.fields)?.is_true()));
        match bad.met(wanted.map_err(|wrong| doc.at(wrong)))? {
            Some(true) if lists.is_empty() => prepared.push(doc),
            Some(true) => {
                let apart = taken_apart(&doc, &lists).map_err(|wrong| doc.at(wrong));
                prepared.extend(bad.met(apart)?.unwrap_or_default());
            }
            _ => {}
        }
    }
    Ok(prepared)
}

/// One row for each place in the lists, which are equally long.
fn taken_apart(doc: &Doc, lists: &BTreeMap<String, FieldOrTemplate>) -> Result<Vec<Doc>, RowError> {
    let mut columns: Vec<(&String, Vec<Json>)> = Vec::with_capacity(lists.len());
    for (name, pattern) in lists {
        columns.push((name, pattern.values_of(&doc.row.fields)?));
    }
    let length = columns.first().map_or(0, |(_, values)| values.len());
    if let Some((name, values)) = columns.iter().find(|(_, values)| values.len() != length) {
        let first = columns[0].0.clone();
        return Err(RowError::Uneven { first, length, name: (*name).clone(), found: values.len() });
    }
    // Each part keeps the whole row's fields, for templates may name them.
    let whole = if length > FEW { serde_json::to_string(&doc.row.fields).map_or(0, |text| text.len()) } else { 0 };
    if whole.saturating_mul(length) > laser_guard::raised_size(MOST_BYTES) {
        let what = format!("{length} rows of {whole} bytes are too many ({})", laser_guard::how_to_raise());
        return Err(RowError::Template { key: "expand", what });
    }
    let row = |place: usize| {
        let mut row = doc.row.clone();
        for (name, values) in &columns {
            row.fields.insert((*name).clone(), values[place].clone());
        }
        Doc { id: format!("{}-{place}", doc.id), row, ..doc.clone() }
    };
    Ok((0..length).map(row).collect())
}

/// The places of the rows to keep: of those that `distinct` gives the same text, the first; none of them where `target`
/// gives them different answers. Rows that it gives none are `bad`.
pub fn distinct(
    docs: &[Doc],
    by: &FieldOrTemplate,
    target: &FieldOrTemplate,
    bad: &BadRows,
) -> Result<Vec<usize>, TaskError> {
    let mut seen: HashMap<String, (String, bool)> = HashMap::new();
    let mut keys = Vec::with_capacity(docs.len());
    for (index, doc) in docs.iter().enumerate() {
        let both = by.text_of(&doc.row.fields).and_then(|key| Ok((key, target.of(&doc.row.fields)?.to_string())));
        let Some((key, answer)) = bad.met(both.map_err(|wrong| doc.at(wrong)))? else { continue };
        let first = !seen.contains_key(&key);
        let (known, agreed) = seen.entry(key.clone()).or_insert_with(|| (answer.clone(), true));
        *agreed &= *known == answer;
        keys.push((index, key, first));
    }
    let agreed = |key: &str| seen.get(key).is_some_and(|(_, agreed)| *agreed);
    Ok(keys.into_iter().filter(|(_, key, first)| *first && agreed(key)).map(|(index, ..)| index).collect())
}

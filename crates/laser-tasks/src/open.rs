//! From what was typed to a task: built-in names, task files, bare data files.

use std::path::Path;

use crate::bad_rows::BadRows;
use crate::card::Card;
use crate::source::Source;
use crate::yaml::Catalogue;
use crate::{OnBadRow, OpenOptions, Task, TaskError, bare, builtin, yaml};

/// Endings of the names of files that hold examples.
const DATA_ENDINGS: [&str; 6] = ["jsonl", "ndjson", "json", "csv", "tsv", "parquet"];

/// What is said of a name that no task has.
fn unknown(spec: &str) -> TaskError {
    let names = builtin::names();
    let nearest = laser_guard::did_you_mean(spec, names.iter().copied());
    TaskError::Unknown { spec: spec.to_owned(), nearest, builtins: names.join(", ") }
}

impl Task {
    /// Opens a built-in task by its name, or a file by its path: a task's `.yaml` or `.yml`, or examples as `.jsonl`, `.ndjson`, `.json`,
    /// `.csv`, `.tsv` or `.parquet`.
    ///
    /// # Errors
    /// There is no such task, or it cannot be used.
    pub fn open(spec: &str) -> Result<Self, TaskError> {
        Self::open_with(spec, &OpenOptions::default())
    }

    /// Opens a task with its data taken from elsewhere, or in another way, than it says.
    ///
    /// # Errors
    /// There is no such task, or it cannot be used.
    pub fn open_with(spec: &str, options: &OpenOptions) -> Result<Self, TaskError> {
        if let Some(builtin) = builtin::find(spec) {
            return builtin.open(options);
        }
        let path = Path::new(spec);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        match extension.to_lowercase().as_str() {
            ending if DATA_ENDINGS.contains(&ending) => match options.data {
                None => {
                    let source = Source::read(path)?;
                    let bad = BadRows::new(options.on_bad_row.unwrap_or(OnBadRow::Error));
                    let examples = bare::examples(&source, &bad)?;
                    Ok(Task { skipped: bad.skipped(), ..Task::new(&stem, examples)? })
                }
                Some(_) => Err(TaskError::DataTwice { file: spec.to_owned() }),
            },
            "yaml" | "yml" => yaml::open(path, options),
            _ => Err(unknown(spec)),
        }
    }

    /// A bare task from JSON Lines in memory.
    ///
    /// # Errors
    /// A row cannot be used.
    pub fn from_jsonl(name: &str, rows: &[u8]) -> Result<Self, TaskError> {
        let source = Source { name: format!("{name}.jsonl"), bytes: rows.to_vec() };
        let bad = BadRows::new(OnBadRow::Error);
        Task::new(name, bare::examples(&source, &bad)?)
    }

    /// What a built-in task or a YAML file says about itself, and whether all but its data can be used. A data file is read
    /// whole.
    ///
    /// # Errors
    /// There is no such task, or it cannot be used.
    pub fn card(spec: &str) -> Result<Card, TaskError> {
        card(spec, &Catalogue::default())
    }

    /// The same of many, in less time than one by one.
    pub fn cards<S: AsRef<str>>(specs: &[S]) -> Vec<Result<Card, TaskError>> {
        let catalogue = Catalogue::default();
        specs.iter().map(|spec| card(spec.as_ref(), &catalogue)).collect()
    }

    /// The names of the built-in tasks.
    pub fn builtin_names() -> Vec<&'static str> {
        builtin::names()
    }
}

fn card(spec: &str, catalogue: &Catalogue) -> Result<Card, TaskError> {
    if let Some(builtin) = builtin::find(spec) {
        return builtin.card();
    }
    let path = Path::new(spec);
    match path.extension().unwrap_or_default().to_string_lossy().to_lowercase().as_str() {
        "yaml" | "yml" => yaml::file_card(path, catalogue),
        ending if DATA_ENDINGS.contains(&ending) => Ok(Card::of_data(&Task::open(spec)?)),
        _ => Err(unknown(spec)),
    }
}

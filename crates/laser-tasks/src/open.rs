//! From what was typed to a task: built-in names, task files, bare data files.

use std::path::Path;

use crate::card::Card;
use crate::source::Source;
use crate::{OpenOptions, Task, TaskError, bare, builtin, data, yaml};

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
            "jsonl" | "ndjson" | "json" | "csv" | "tsv" | "parquet" => match options.data {
                None => {
                    let source = Source::read(path)?;
                    Task::new(&stem, bare::examples(&source, data::rows(&source)?)?)
                }
                Some(_) => Err(TaskError::DataTwice { file: spec.to_owned() }),
            },
            "yaml" | "yml" => {
                let folder = path.parent().unwrap_or(Path::new("")).to_owned();
                yaml::task(&Source::read(path)?, &stem, &|file| Source::read(&folder.join(file)), options)
            }
            _ => Err(TaskError::Unknown { spec: spec.to_owned(), builtins: builtin::names().join(", ") }),
        }
    }

    /// What a built-in task or a YAML file says about itself, and whether all but its data can be used.
    ///
    /// # Errors
    /// There is no such task, or it cannot be used.
    pub fn card(spec: &str) -> Result<Card, TaskError> {
        if let Some(builtin) = builtin::find(spec) {
            return builtin.card();
        }
        let path = Path::new(spec);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        match path.extension().unwrap_or_default().to_string_lossy().to_lowercase().as_str() {
            "yaml" | "yml" => {
                let folder = path.parent().unwrap_or(Path::new("")).to_owned();
                yaml::card(&Source::read(path)?, &stem, &|file| Source::read(&folder.join(file)))
            }
            _ => Err(TaskError::Unknown { spec: spec.to_owned(), builtins: builtin::names().join(", ") }),
        }
    }

    /// The names of the built-in tasks.
    pub fn builtin_names() -> Vec<&'static str> {
        builtin::names()
    }
}

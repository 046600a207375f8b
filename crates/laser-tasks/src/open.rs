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

    /// A task from the bytes of a JSONL file; `name` is also the file's name in messages.
    ///
    /// # Errors
    /// A line is no example, or there is none.
    pub fn from_jsonl(name: &str, bytes: &[u8]) -> Result<Self, TaskError> {
        let source = Source { name: name.to_owned(), bytes: bytes.to_vec() };
        Self::new(name, bare::examples(&source, data::jsonl::rows(&source)?)?)
    }

    /// The names of the built-in tasks.
    pub fn builtin_names() -> Vec<&'static str> {
        builtin::names()
    }

    /// What a built-in task says about itself.
    pub fn builtin_card(name: &str) -> Option<Result<Card, TaskError>> {
        builtin::find(name).map(builtin::Builtin::card)
    }
}

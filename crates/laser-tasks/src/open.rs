//! From what was typed to a task: built-in names, task files, bare data files.

use std::path::{Path, PathBuf};

use crate::{Source, Task, TaskError, bare, builtin, data, yaml};

/// How a task is opened.
pub struct OpenOptions<'a> {
    /// A file to take the examples from, not the data that the task names.
    pub data: Option<&'a Path>,
    /// Prompts as the paper's published code has them, its slips included: the variable `paper_compat` of the templates.
    pub paper_compat: bool,
    /// Seed of the choice of solved examples (`num_fewshot`).
    pub seed: u64,
    /// Gives the files of a split of a data set of the Hugging Face hub, or says in one line why it cannot.
    pub fetch: &'a dyn Fn(&HubSplit) -> Result<Vec<PathBuf>, String>,
}

/// One split of a data set of the Hugging Face hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSplit {
    /// The data set, `OWNER/NAME`.
    pub dataset: String,
    /// Its configuration, where the task names one.
    pub config: Option<String>,
    /// The split.
    pub split: String,
}

impl Default for OpenOptions<'_> {
    fn default() -> Self {
        let fetch =
            &|_: &HubSplit| Err("data sets of the hub are not fetched here: give the data as a file".to_owned());
        Self { data: None, paper_compat: false, seed: 0, fetch }
    }
}

pub(crate) fn task(spec: &str, options: &OpenOptions) -> Result<Task, TaskError> {
    if let Some(builtin) = builtin::find(spec) {
        return builtin.open(options);
    }
    let path = Path::new(spec);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    match extension.to_lowercase().as_str() {
        "jsonl" | "ndjson" | "json" | "csv" | "tsv" | "parquet" => match options.data {
            None => {
                let source = read(path)?;
                Task::new(&stem, bare::examples(&source, data::rows(&source)?)?)
            }
            Some(_) => Err(TaskError::DataTwice { file: spec.to_owned() }),
        },
        "yaml" | "yml" => {
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            yaml::task(&read(path)?, &stem, &|file| read(&folder.join(file)), options)
        }
        _ => Err(TaskError::Unknown { spec: spec.to_owned(), builtins: builtin::names().join(", ") }),
    }
}

/// A file's content.
pub(crate) fn read(path: &Path) -> Result<Source, TaskError> {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => Ok(Source { name, bytes }),
        Err(source) => Err(TaskError::Read { file: name, source }),
    }
}

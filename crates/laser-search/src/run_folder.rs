//! A RUN folder: what was asked, what has been scored, what came out.

use crate::journal::{Journal, SplitName};
use laser_checkpoint::{FileHash, MatrixId};
use laser_engine::Candidate;
use laser_run::write_whole;
use laser_run::{Error, Result};
use laser_tasks::{Example, Score};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The file of the examples.
const EXAMPLES: &str = "examples.jsonl";

/// `run.json`: everything that the outcome of a search depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDescription {
    /// The program's version.
    pub version: String,
    /// The model's files.
    pub model: ModelDescription,
    /// The task.
    pub task: TaskDescription,
    /// What is searched, and how.
    pub search: SearchDescription,
}

/// The model of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelDescription {
    /// Where it was; another place for the same files is the same model.
    pub path: String,
    /// Names, sizes and hashes.
    pub files: Vec<FileHash>,
}

/// The task of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskDescription {
    /// The name or path that was given.
    pub spec: String,
    /// A hash of all of its examples.
    pub digest: String,
    /// The number of examples.
    pub examples: usize,
}

/// The options of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchDescription {
    /// How candidates are chosen for scoring.
    pub strategy: String,
    /// Validation examples of the backward pass that ranks candidates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_examples: Option<usize>,
    /// What finds the reductions that are composed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// How many compositions of a size a beam keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// The matrix kinds that are tried.
    pub matrices: Vec<MatrixId>,
    /// The layers that are tried.
    pub layers: Vec<usize>,
    /// The kept fractions that are tried; none where the strategy finds ranks itself.
    pub rho: Vec<f64>,
    /// The numbers of row blocks that are tried; 1 is the whole matrix.
    #[serde(default = "whole")]
    pub blocks: Vec<usize>,
    /// Whether whole matrices are approximated at random, as in the paper's code.
    #[serde(default)]
    pub randomised: bool,
    /// The size of the sample, where one is taken.
    pub limit: Option<usize>,
    /// The seed of the sample, the split and the bootstrap.
    pub seed: u64,
    /// Whether the first examples, not random ones, are the validation split.
    pub split_first: bool,
    /// Whether prompts go through the model's chat template.
    #[serde(default)]
    pub chat: bool,
    /// A text whose perplexity is measured before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextDescription>,
    /// In what precision candidates are compared, where it is not f32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// Where the model runs; another kind of device rounds differently.
    pub device: String,
}

/// No blocks but the whole matrix, as where a search could not be asked for others.
fn whole() -> Vec<usize> {
    vec![1]
}

/// A text of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextDescription {
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// At most so many of its tokens are used.
    pub limit: usize,
}

/// An example and the split that it is in: a line of `examples.jsonl`.
#[derive(Serialize, Deserialize)]
struct SplitExample<E> {
    split: SplitName,
    #[serde(flatten)]
    example: E,
}

/// An open RUN folder; no other process can open it meanwhile.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Held for its lock.
    _lock: File,
}

impl RunFolder {
    /// Opens the folder of the search `description`, made if it is not there. A folder that holds another search, or
    /// something else, is refused.
    pub fn open(path: &Path, description: &RunDescription) -> Result<Self> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let run_json = path.join("run.json");
        if path.exists() && !run_json.exists() && fs::read_dir(path).map_err(io)?.any(|entry| !is_ours(entry)) {
            return Err(Error::Malformed {
                path: path.to_owned(),
                why: "is a folder of something else (it has no run.json)".into(),
                advice: "choose another --out",
            });
        }
        fs::create_dir_all(path).map_err(io)?;
        let folder = Self::lock(path)?;
        folder.remove_unfinished().map_err(io)?;
        match folder.description()? {
            Some(found) => match difference(&found, description) {
                Some(what) => return Err(Error::OtherSearch { path: path.to_owned(), what }),
                None => return Ok(folder),
            },
            None => folder.write_json("run.json", description)?,
        }
        Ok(folder)
    }

    /// Opens the folder of a search that has been started.
    pub fn open_existing(path: &Path) -> Result<Self> {
        if !path.join("run.json").is_file() {
            let why = "holds no search (there is no run.json)".to_owned();
            return Err(Error::Malformed { path: path.to_owned(), why, advice: "give the --out of a search" });
        }
        Self::lock(path)
    }

    fn lock(path: &Path) -> Result<Self> {
        let lock_path = path.join("lock");
        let lock = File::options().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(|source| Error::Io { path: lock_path, source })?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Busy { path: path.to_owned() }),
            Err(fs::TryLockError::Error(source)) => Err(Error::Io { path: path.to_owned(), source }),
        }
    }

    /// `run.json`, if it is there.
    pub fn description(&self) -> Result<Option<RunDescription>> {
        self.read_json("run.json", "choose another --out")
    }

    /// What each of `candidates` gave on validation in this search. Refuses a search that is not over the examples of `description`,
    /// with its model, or has not scored them all.
    pub fn scores(&self, description: &RunDescription, candidates: &[Candidate]) -> Result<Vec<Score>> {
        let refused = |why: String| Error::NotComparable { path: self.path.clone(), why };
        let found = self.description()?.ok_or_else(|| refused("it holds no search".to_owned()))?;
        // What says which model answers which examples.
        let examples = |it: &RunDescription| {
            let search = &it.search;
            let sample = (search.limit, search.seed, search.split_first, search.chat);
            serde_json::json!({"model": it.model.files, "task": it.task.digest, "sample": sample})
        };
        if let Some(what) = first_difference("", &examples(&found), &examples(description)) {
            return Err(refused(format!("{what} differs")));
        }
        let journal = self.journal()?;
        let score = |candidate: &Candidate| {
            let entry = journal.get(SplitName::Validation, candidate);
            entry
                .map(|entry| entry.score)
                .ok_or_else(|| refused(format!("{candidate} was not scored there on all examples")))
        };
        candidates.iter().map(score).collect()
    }

    /// The file `name`, if it is there.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str, advice: &'static str) -> Result<Option<T>> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| Error::Malformed {
                path,
                why: error.to_string(),
                advice,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    /// Writes the examples of both splits, unless they are there.
    pub fn write_examples(&self, validation: &[&Example], test: &[&Example]) -> Result<()> {
        let path = self.path.join(EXAMPLES);
        if path.is_file() {
            return Ok(());
        }
        let splits = [(SplitName::Validation, validation), (SplitName::Test, test)];
        let mut bytes = Vec::new();
        for (split, example) in splits.iter().flat_map(|(split, examples)| examples.iter().map(|&e| (*split, e))) {
            serde_json::to_writer(&mut bytes, &SplitExample { split, example })
                .map_err(|error| Error::Io { path: path.clone(), source: error.into() })?;
            bytes.push(b'\n');
        }
        write_whole(&path, &bytes)
    }

    /// The examples of a split.
    pub fn examples(&self, split: SplitName) -> Result<Vec<Example>> {
        let path = self.path.join(EXAMPLES);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Unfinished { path: self.path.clone() });
            }
            Err(source) => return Err(Error::Io { path, source }),
        };
        let mut examples = Vec::new();
        for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let malformed = |why: &str| Error::Malformed {
                path: path.clone(),
                why: format!("line {} is no example: {why}", number + 1),
                advice: "remove the file and run the search again, which writes it anew",
            };
            let row: SplitExample<Example> =
                serde_json::from_slice(line).map_err(|error| malformed(&error.to_string()))?;
            if !row.example.is_whole() {
                return Err(malformed("its answers or choices contradict each other"));
            }
            if row.split == split {
                examples.push(row.example);
            }
        }
        Ok(examples)
    }

    /// Removes what a killed search was about to rename.
    fn remove_unfinished(&self) -> std::io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(".tmp") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal.
    pub fn journal(&self) -> Result<Journal> {
        Journal::open(&self.path.join("journal.jsonl"))
    }

    /// Writes `value` to the file `name`: whole, or not at all.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.path.join(name);
        let mut bytes =
            serde_json::to_vec_pretty(value).map_err(|error| Error::Io { path: path.clone(), source: error.into() })?;
        bytes.push(b'\n');
        write_whole(&path, &bytes)
    }
}

/// Files that an interrupted start leaves in a folder that has no `run.json` yet.
fn is_ours(entry: std::io::Result<fs::DirEntry>) -> bool {
    entry.is_ok_and(|entry| {
        let name = entry.file_name();
        name == "lock" || name.to_string_lossy().starts_with(".tmp")
    })
}

/// The first part in which two searches differ; where the files are does not count.
fn difference(found: &RunDescription, asked: &RunDescription) -> Option<String> {
    let comparable = |description: &RunDescription| {
        let mut description = description.clone();
        description.model.path.clear();
        description.task.spec.clear();
        serde_json::to_value(description).unwrap_or_default()
    };
    first_difference("", &comparable(found), &comparable(asked))
}

fn first_difference(at: &str, found: &Value, asked: &Value) -> Option<String> {
    match (found, asked) {
        (Value::Object(found), Value::Object(asked)) => {
            let keys: std::collections::BTreeSet<&String> = found.keys().chain(asked.keys()).collect();
            // What other options follow from comes first.
            let (first, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| *key == "strategy");
            first.into_iter().chain(others).find_map(|key| {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                first_difference(&at, found.get(key).unwrap_or(&Value::Null), asked.get(key).unwrap_or(&Value::Null))
            })
        }
        _ => (found != asked).then(|| at.to_owned()),
    }
}

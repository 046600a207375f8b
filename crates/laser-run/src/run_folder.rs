//! A RUN folder: what was asked, what has been scored, what came out.

use crate::bf16_check::Bf16Check;
use crate::description::{RunDescription, in_words};
use crate::entries::Entries;
use crate::entry::SplitName;
use crate::error::{Error, Result};
use crate::examples_file;
use crate::expected_lines::ExpectedLines;
use crate::journal;
use crate::measured_costs::Costs;
use crate::objective::Objective;
use crate::predicted_change::PredictedChange;
use crate::run_file::RunFile;
use crate::search_trace::SearchTrace;
use crate::shard;
use laser_edit::{Candidate, Recipe};
use laser_example::{Example, Score};
use serde::de::DeserializeOwned;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// No file of a RUN folder is larger, in bytes.
pub(crate) const LARGEST: u64 = 4 << 30;

/// A RUN folder to be read. It needs no right to write and takes no lock, so that a search may be running in it.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// The folder of a search that has been started.
    ///
    /// # Errors
    /// [`Error::Malformed`] if there is no `run.json`.
    pub fn open(path: &Path) -> Result<Self> {
        if !RunFile::Description.at(path).is_file() {
            let (why, advice) = match path.join(shard::FOLDER).is_dir() {
                true => ("holds shards that are not merged", "run laser merge on it"),
                false => ("holds no search (there is no run.json)", "give the --out of a search"),
            };
            return Err(Error::Malformed { path: path.to_owned(), why: why.to_owned(), advice });
        }
        Ok(Self::at(path))
    }

    /// The folder at `path`, whatever is there.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `run.json`.
    ///
    /// # Errors
    /// [`Error::Unfinished`] if it is not there, [`Error::Malformed`] if it is not a description.
    pub fn description(&self) -> Result<RunDescription> {
        self.stored_description()?.ok_or_else(|| self.unfinished())
    }

    pub(crate) fn stored_description(&self) -> Result<Option<RunDescription>> {
        self.json(RunFile::Description)
    }

    /// What has been scored so far: `journal.jsonl`.
    ///
    /// # Errors
    /// The journal cannot be read, or a line of it is not an entry.
    pub fn entries(&self) -> Result<Entries> {
        journal::read(&RunFile::Journal.at(&self.path), self.expected_lines().as_ref())
    }

    /// The same, without the lines that are not entries; for each of those, what is wrong with it.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn sound_entries(&self) -> Result<(Entries, Vec<Error>)> {
        journal::read_sound(&RunFile::Journal.at(&self.path), self.expected_lines().as_ref())
    }

    /// The examples of validation and of test: `examples.jsonl`.
    ///
    /// # Errors
    /// [`Error::Unfinished`] if the file is not there, [`Error::Malformed`] if a line is not an example.
    pub fn splits(&self) -> Result<(Vec<Example>, Vec<Example>)> {
        let path = RunFile::Examples.at(&self.path);
        let bytes = match laser_guard::read_file(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(self.unfinished()),
            Err(source) => return Err(Error::Io { path, source }),
        };
        let expected = self.stored_description().ok().flatten().and_then(|run| run.examples_sha256);
        examples_file::parse(&path, &bytes, expected.as_deref())
    }

    /// What lines must fit; none where `run.json` cannot be read, which is told where it is asked for.
    pub(crate) fn expected_lines(&self) -> Option<ExpectedLines> {
        let run = self.stored_description().ok().flatten()?;
        let bytes = laser_guard::read_file(&RunFile::Examples.at(&self.path), LARGEST).ok();
        // Changed examples are told of themselves, and not of every line.
        let bytes = bytes.filter(|bytes| run.examples_sha256.as_ref() == Some(&examples_file::sha256(bytes)));
        Some(ExpectedLines::new(run, bytes.and_then(|bytes| examples_file::sizes(&bytes))))
    }

    /// What the strategy did: `strategy.json`; none before it has come to its end.
    ///
    /// # Errors
    /// The file cannot be read, or is not a trace.
    pub fn trace(&self) -> Result<Option<SearchTrace>> {
        self.json(RunFile::Trace)
    }

    /// The ranking by gradients: `gradient.json`, where there is one.
    ///
    /// # Errors
    /// The file cannot be read, or is not a ranking.
    pub fn ranking(&self) -> Result<Option<Vec<PredictedChange>>> {
        self.json(RunFile::Ranking)
    }

    /// The same, of exactly these candidates.
    ///
    /// # Errors
    /// As [`Self::ranking`], and if it ranks others, or not in its own order.
    pub fn ranking_of(&self, candidates: &[Candidate]) -> Result<Option<Vec<PredictedChange>>> {
        let Some(ranking) = self.ranking()? else { return Ok(None) };
        let mut ranked: Vec<String> = ranking.iter().map(|it| it.interventions.to_string()).collect();
        let mut asked: Vec<String> = candidates.iter().map(Candidate::to_string).collect();
        ranked.sort_unstable();
        asked.sort_unstable();
        if ranked == asked && ranking.is_sorted_by(|a, b| a.change <= b.change) {
            return Ok(Some(ranking));
        }
        Err(Error::Malformed {
            path: RunFile::Ranking.at(&self.path),
            why: "it is not the ranking of this search's candidates".to_owned(),
            advice: RunFile::Ranking.advice(),
        })
    }

    /// What comparing in bf16 changed: `rounding.json`, where candidates were.
    ///
    /// # Errors
    /// The file cannot be read, or does not hold checks.
    pub fn bf16_checks(&self) -> Result<Option<Vec<Bf16Check>>> {
        self.json(RunFile::Bf16Checks)
    }

    /// What edits do elsewhere than on the task: `costs.jsonl`; nothing where that was not measured.
    ///
    /// # Errors
    /// The file cannot be read, or a line of it is not a cost.
    pub fn costs(&self) -> Result<Costs> {
        journal::read(&RunFile::Costs.at(&self.path), self.expected_lines().as_ref())
    }

    /// What the candidates of this search, `entries`, are compared by.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn objective(&self, entries: &Entries) -> Result<Objective> {
        let tasks = self.description()?.search.tasks;
        // The examples need not be read where all count alike.
        let validation = if tasks.is_empty() { Vec::new() } else { self.splits()?.0 };
        Ok(Objective::of(&tasks, &validation.iter().collect::<Vec<_>>(), entries))
    }

    /// What the search found: `best.json`; none before its end.
    ///
    /// # Errors
    /// The file cannot be read, or is not a recipe.
    pub fn recipe(&self) -> Result<Option<Recipe>> {
        self.json(RunFile::Recipe)
    }

    /// What each of `candidates` gave on validation in this search.
    ///
    /// # Errors
    /// [`Error::NotComparable`] if the search is not over the examples of `description`, with its model, or has not scored
    /// them all.
    pub fn scores(&self, description: &RunDescription, candidates: &[Candidate]) -> Result<Vec<Score>> {
        let refused = |why: String| Error::NotComparable { path: self.path.clone(), why };
        let found = self.description()?;
        if let Some(what) = found.difference_of_examples(description) {
            return Err(refused(in_words(&what)));
        }
        let calibrated_on = |it: &RunDescription| it.search.calibration.as_ref().map(|text| text.sha256.clone());
        if calibrated_on(&found) != calibrated_on(description) {
            return Err(refused("its edits are calibrated on another text".to_owned()));
        }
        let entries = self.entries()?;
        let score = |candidate: &Candidate| {
            let entry = entries.get(SplitName::Validation, candidate);
            entry
                .map(|entry| entry.score)
                .ok_or_else(|| refused(format!("{candidate} was not scored there on all examples")))
        };
        candidates.iter().map(score).collect()
    }

    /// That the search in this folder has not come to its end.
    pub(crate) fn unfinished(&self) -> Error {
        let path = self.path.clone();
        if self.is_running() { Error::Running { path } } else { Error::Unfinished { path } }
    }

    /// Every file of the folder but its report, where they are or would be.
    pub fn files(&self) -> Vec<PathBuf> {
        RunFile::ALL.iter().filter(|file| **file != RunFile::Report).map(|file| file.at(&self.path)).collect()
    }

    /// Where its report is, if it has one: `report.html`.
    pub fn report_path(&self) -> PathBuf {
        RunFile::Report.at(&self.path)
    }

    /// When `run.json` and `journal.jsonl` were last written, where the file system tells.
    pub fn written(&self) -> [Option<SystemTime>; 2] {
        [RunFile::Description, RunFile::Journal]
            .map(|file| fs::metadata(file.at(&self.path)).and_then(|it| it.modified()).ok())
    }

    /// Whether a process writes to the folder. It does not wait, and keeps no writer from
    /// beginning.
    pub fn is_running(&self) -> bool {
        let lock = laser_guard::open_file(&RunFile::Lock.at(&self.path));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
    }

    fn json<T: DeserializeOwned>(&self, file: RunFile) -> Result<Option<T>> {
        let path = file.at(&self.path);
        match laser_guard::read_file(&path, LARGEST) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| Error::Malformed {
                path,
                why: error.to_string(),
                advice: file.advice(),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { path, source }),
        }
    }
}

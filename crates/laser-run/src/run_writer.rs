//! Writing a RUN folder.

use crate::bf16_check::Bf16Check;
use crate::description::{RunDescription, SearchDescription};
use crate::error::{Error, Result};
use crate::examples_file;
use crate::journal::Journal;
use crate::measured_costs::Costs;
use crate::predicted_change::PredictedChange;
use crate::run_file::RunFile;
use crate::run_folder::{LARGEST, RunFolder};
use crate::search_trace::SearchTrace;
use crate::shard;
use crate::verdict::VerdictFile;
use crate::write_whole::write_whole;
use laser_edit::Recipe;
use laser_example::Example;
use serde::Serialize;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

/// Who asks whether a search is running ([`RunFolder::is_running`]) holds the lock for a moment: a
/// writer tries so often, this far apart, before it says that another one is there.
const LOOKS: u32 = 50;
const A_LOOK: Duration = Duration::from_millis(4);

/// A RUN folder to be written to. No other process can open it so meanwhile; all can read it.
#[derive(Debug)]
pub struct RunWriter {
    folder: RunFolder,
    /// Held for its lock.
    _lock: File,
}

impl RunWriter {
    /// Opens the folder of the search `description`, made if it is not there.
    ///
    /// # Errors
    /// The folder holds another search or something else, another process writes to it, or it cannot be written.
    pub fn create(path: &Path, description: &RunDescription) -> Result<Self> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        // Nothing is touched before the folder is known to be this search's, or nobody's.
        Self::check(path, description)?;
        fs::create_dir_all(path).map_err(io)?;
        let writer = Self::lock(path)?;
        // Another process may have begun meanwhile.
        match writer.folder.stored_description()? {
            Some(found) => {
                same_search(path, &found, description)?;
                let more = description.search.more;
                if found.search.more != more {
                    let search = SearchDescription { more, ..found.search };
                    writer.write(RunFile::Description, &RunDescription { search, ..found })?;
                }
            }
            None => {
                nobodys(path)?;
                writer.write(RunFile::Description, description)?;
            }
        }
        laser_files::clean_up(path);
        Ok(writer)
    }

    /// That the folder is that of the search `description`, or nobody's.
    ///
    /// # Errors
    /// It holds another search or something else.
    pub fn check(path: &Path, description: &RunDescription) -> Result<()> {
        if path.is_file() {
            return nobodys(path);
        }
        match RunFolder::at(path).stored_description()? {
            Some(found) => same_search(path, &found, description),
            None => nobodys(path),
        }
    }

    /// Opens the folder of a search that has been started, to write a file of it anew.
    ///
    /// # Errors
    /// There is no search, another process writes to the folder, or it cannot be written.
    pub fn reopen(folder: &RunFolder) -> Result<Self> {
        Self::lock(RunFolder::open(folder.path())?.path())
    }

    fn lock(path: &Path) -> Result<Self> {
        let lock_path = RunFile::Lock.at(path);
        let options = File::options().write(true).create(true).truncate(false).clone();
        let lock =
            laser_files::open_plain(&lock_path, options).map_err(|source| Error::Io { path: lock_path, source })?;
        for patience in (0..LOOKS).rev() {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { folder: RunFolder::at(path), _lock: lock }),
                Err(fs::TryLockError::WouldBlock) if patience > 0 => std::thread::sleep(A_LOOK),
                Err(fs::TryLockError::WouldBlock) => break,
                Err(fs::TryLockError::Error(source)) => return Err(Error::Io { path: path.to_owned(), source }),
            }
        }
        Err(Error::Busy { path: path.to_owned() })
    }

    /// The folder, to be read.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// The journal, open for adding.
    ///
    /// # Errors
    /// The file cannot be read or written, or a line of it is not an entry.
    pub fn journal(&self) -> Result<Journal> {
        let expected = self.folder.expected_lines();
        Journal::open_for(&RunFile::Journal.at(self.folder.path()), expected.as_ref())
    }

    /// What edits do elsewhere than on the task, open for adding.
    ///
    /// # Errors
    /// The file cannot be read or written, or a line of it is not a cost.
    pub fn costs(&self) -> Result<Journal<Costs>> {
        let expected = self.folder.expected_lines();
        Journal::open_for(&RunFile::Costs.at(self.folder.path()), expected.as_ref())
    }

    /// Writes the examples of both splits, unless they are there as they should be.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_examples(&self, validation: &[&Example], test: &[&Example]) -> Result<()> {
        let path = RunFile::Examples.at(self.folder.path());
        let bytes =
            examples_file::bytes_of(validation, test).map_err(|source| Error::Io { path: path.clone(), source })?;
        match laser_guard::read_file(&path, LARGEST) {
            Ok(found) if found == bytes => Ok(()),
            _ => write_whole(&path, &bytes),
        }
    }

    /// Writes what the strategy did.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_trace(&self, trace: &SearchTrace) -> Result<()> {
        self.write(RunFile::Trace, trace)
    }

    /// Writes a ranking by gradients.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_ranking(&self, ranking: &[PredictedChange]) -> Result<()> {
        self.write(RunFile::Ranking, &ranking)
    }

    /// Writes what comparing in bf16 changed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_bf16_checks(&self, checks: &[Bf16Check]) -> Result<()> {
        self.write(RunFile::Bf16Checks, &checks)
    }

    /// Writes what the search found.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_recipe(&self, recipe: &Recipe) -> Result<()> {
        self.write(RunFile::Recipe, recipe)
    }

    /// Writes the verdict, with the sentence that says why.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_verdict(&self, verdict: &VerdictFile) -> Result<()> {
        self.write(RunFile::Verdict, verdict)
    }

    /// Writes a file: whole, or not at all.
    fn write(&self, file: RunFile, value: &impl Serialize) -> Result<()> {
        let path = file.at(self.folder.path());
        let mut bytes =
            serde_json::to_vec_pretty(value).map_err(|error| Error::Io { path: path.clone(), source: error.into() })?;
        bytes.push(b'\n');
        write_whole(&path, &bytes)
    }
}

/// Refuses to continue a journal with other kernels than it was made with.
fn same_kernels(path: &Path, found: &RunDescription, asked: &RunDescription) -> Result<()> {
    let (found, here) = (&found.search.kernel_path, &asked.search.kernel_path);
    if found == here {
        return Ok(());
    }
    let (path, here) = (path.to_owned(), here.clone().unwrap_or_else(|| "unknown".to_owned()));
    Err(match found.clone() {
        Some(found) => Error::OtherKernels { path, found, here },
        None => Error::UnknownKernels { path, here },
    })
}

/// Refuses the folder of another search.
fn same_search(path: &Path, found: &RunDescription, asked: &RunDescription) -> Result<()> {
    match found.difference(asked) {
        Some(what) => Err(Error::OtherSearch { path: path.to_owned(), what }),
        // What was made beyond would still be chosen from.
        None if asked.search.more < found.search.more => {
            Err(Error::OtherSearch { path: path.to_owned(), what: "search.more".to_owned() })
        }
        None => same_kernels(path, found, asked),
    }
}

/// Refuses a folder that holds more than an interrupted start leaves, and what is not a folder.
fn nobodys(path: &Path) -> Result<()> {
    let refused = |why: &str| {
        let advice = "choose another folder";
        Err(Error::Malformed { path: path.to_owned(), why: why.to_owned(), advice })
    };
    let io = |source| Error::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
        Ok(found) if !found.is_dir() => return refused("is a file, and a RUN is a folder"),
        Ok(_) => {}
    }
    for entry in fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
        let is_lock = || {
            let found = entry.metadata();
            entry.file_name() == RunFile::Lock.name() && found.is_ok_and(|found| found.is_file() && found.len() == 0)
        };
        if !laser_files::is_temporary(&entry.file_name()) && !is_lock() && entry.file_name() != shard::FOLDER {
            return refused("is a folder of something else (it has no run.json)");
        }
    }
    Ok(())
}

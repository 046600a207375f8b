//! The finished parts of a search, to be put together.

use crate::description::{RunDescription, SearchDescription, in_words};
use crate::error::{Error, Result};
use crate::run_folder::RunFolder;
use crate::shard::{FOLDER, Shard};
use std::fs;
use std::path::{Path, PathBuf};

/// The shards of a search, all finished.
#[derive(Debug)]
pub struct Shards {
    /// Each with its folder, in their order.
    pub folders: Vec<(Shard, RunFolder)>,
    /// What the whole search is.
    pub description: RunDescription,
}

impl Shards {
    /// Those in the RUN folder `run`.
    ///
    /// # Errors
    /// [`Error::Shards`] if there are none, one is missing, has not come to its end, or is of another search.
    pub fn open(run: &Path) -> Result<Self> {
        let wrong = |why: String, advice: &'static str| Error::Shards { path: run.to_owned(), why, advice };
        let found = found(run)?;
        let Some(&(first, _)) = found.first() else {
            return Err(wrong("it holds no shards".to_owned(), "run the search with --shard first"));
        };
        if let Some((other, _)) = found.iter().find(|(shard, _)| shard.of != first.of) {
            let why = format!("it holds shards of {} and of {}", first.of, other.of);
            return Err(wrong(why, "remove those of one kind from its folder `shards`"));
        }
        let is_there = |index: usize| found.iter().any(|(shard, _)| shard.index == index);
        let missing: Vec<String> =
            (1..=first.of).filter(|&index| !is_there(index)).map(|index| format!("{index}/{}", first.of)).collect();
        if !missing.is_empty() {
            let some = missing.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
            let more = if missing.len() > 8 { format!(" and {} more", missing.len() - 8) } else { String::new() };
            return Err(wrong(format!("these shards are missing: {some}{more}"), "run them with --shard"));
        }
        let mut folders = Vec::with_capacity(found.len());
        let mut whole: Option<RunDescription> = None;
        for (shard, path) in found {
            let folder = RunFolder::open(&path)?;
            let description = folder.description()?;
            if folder.trace()?.is_none() {
                let why = format!("shard {shard} has not come to its end");
                return Err(wrong(why, "run it again with --shard, which resumes it"));
            }
            match &mut whole {
                None => whole = Some(unsharded(description)),
                Some(whole) => {
                    let layers = description.search.layers.clone();
                    let as_first = SearchDescription { layers: whole.search.layers.clone(), ..description.search };
                    let other = unsharded(RunDescription { search: as_first, ..description });
                    if let Some(what) = whole.difference(&other) {
                        let why = format!("shard {shard} is of another search: {}", in_words(&what));
                        return Err(wrong(why, "remove it, and run it again with the others' options"));
                    }
                    if other.search.kernel_path != whole.search.kernel_path {
                        let why = format!("shard {shard} was computed with other kernels");
                        return Err(wrong(why, "run all shards on processors of one kind"));
                    }
                    if other.search.more != whole.search.more {
                        let why = format!("shard {shard} is of another search: search.more differs");
                        return Err(wrong(why, "remove it, and run it again with the others' options"));
                    }
                    whole.search.layers.extend(layers);
                }
            }
            folders.push((shard, folder));
        }
        match whole {
            Some(description) if description.search.layers.is_sorted_by(|a, b| a < b) => {
                Ok(Self { folders, description })
            }
            _ => Err(wrong("its shards overlap".to_owned(), "remove the folder `shards`, and run them again")),
        }
    }
}

impl Shards {
    /// The first one whose layers are not its part of `all`, those of the whole search in a model that has `count`: it was asked for
    /// with other layers.
    ///
    /// # Errors
    /// A description cannot be read.
    pub fn misfit(&self, all: &[usize], count: usize) -> Result<Option<Shard>> {
        for (shard, folder) in &self.folders {
            if folder.description()?.search.layers != shard.layers(all, count) {
                return Ok(Some(*shard));
            }
        }
        Ok(None)
    }
}

fn unsharded(description: RunDescription) -> RunDescription {
    let search = SearchDescription { shard: None, ..description.search };
    RunDescription { search, ..description }
}

/// The shards whose folders are there, in their order.
fn found(run: &Path) -> Result<Vec<(Shard, PathBuf)>> {
    let path = run.join(FOLDER);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Io { path, source }),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| Error::Io { path: path.clone(), source })?;
        let name = entry.file_name();
        let shard = name.to_str().and_then(|name| name.replacen("-of-", "/", 1).parse::<Shard>().ok());
        // A folder without a description is one whose search has hardly begun.
        if let Some(shard) = shard
            && RunFolder::open(&entry.path()).is_ok()
        {
            found.push((shard, entry.path()));
        }
    }
    found.sort_by_key(|(shard, _)| (shard.of, shard.index));
    Ok(found)
}

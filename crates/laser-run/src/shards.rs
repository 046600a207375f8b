//! The finished parts of a search, to be put together.

use crate::description::{RunDescription, SearchDescription, in_words};
use crate::error::{Error, Result};
use crate::run_folder::RunFolder;
use crate::shard::{FOLDER, Shard};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// No search is cut in more shards.
const MOST_SHARDS: usize = 100_000;

/// So many missing shards are named.
const NAMED: usize = 8;

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
        let of = first.of;
        if of > MOST_SHARDS {
            let why = format!("it holds a shard of {of}, and no search has more than {MOST_SHARDS} shards");
            return Err(wrong(why, "remove that shard from its folder `shards`"));
        }
        let there: BTreeSet<usize> = found.iter().map(|(shard, _)| shard.index).collect();
        let missing = of - there.len();
        if missing > 0 {
            let some = (1..=of).filter(|index| !there.contains(index)).take(NAMED);
            let some = some.map(|index| format!("{index}/{of}")).collect::<Vec<_>>().join(", ");
            let more = if missing > NAMED { format!(" and {} more", missing - NAMED) } else { String::new() };
            return Err(wrong(format!("these shards are missing: {some}{more}"), "run them with --shard"));
        }
        let mut folders = Vec::with_capacity(found.len());
        let mut whole: Option<RunDescription> = None;
        for (shard, path) in found {
            let folder = RunFolder::open(&path)?;
            let description = folder.description().map_err(|error| match error {
                Error::Malformed { why, .. } => {
                    wrong(format!("shard {shard}: {why}"), "remove its folder, and run it again with --shard")
                }
                other => other,
            })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_shards_are_counted_and_not_listed() {
        let run = tempfile::tempdir().unwrap();
        let refused = |shards: &[&str]| {
            for shard in shards {
                let folder = run.path().join(FOLDER).join(shard);
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join("run.json"), "{}").unwrap();
            }
            let message = Shards::open(run.path()).unwrap_err().to_string();
            fs::remove_dir_all(run.path().join(FOLDER)).unwrap();
            message.split_once(": ").unwrap().1.to_owned()
        };
        assert_eq!(
            refused(&["1-of-18446744073709551615"]),
            "it holds a shard of 18446744073709551615, and no search has more than 100000 shards: remove that shard \
             from its folder `shards`"
        );
        assert_eq!(
            refused(&["2-of-100000", "4-of-100000"]),
            "these shards are missing: 1/100000, 3/100000, 5/100000, 6/100000, 7/100000, 8/100000, 9/100000, \
             10/100000 and 99990 more: run them with --shard"
        );
        // One shard under two names is one.
        assert_eq!(refused(&["1-of-2", "01-of-2"]), "these shards are missing: 2/2: run them with --shard");
    }
}

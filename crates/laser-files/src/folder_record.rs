//! `laser.json`: by it a folder shows that this program wrote it, and which of its files.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::Path;

/// The record's file.
pub const RECORD: &str = "laser.json";

/// Files of at most so many bytes are compared by their hash; of larger ones the length tells.
const HASHED: u64 = 1 << 24;

/// No record is longer, in bytes.
const LONGEST: u64 = 1 << 26;

/// A file that was written.
#[derive(Serialize, Deserialize)]
struct Written {
    /// Its path in the folder, with `/`.
    name: String,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// What a record reads as far as it matters here.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    files: Option<Vec<Written>>,
}

/// The files of a folder, for its record: by name, the record itself left out.
///
/// # Errors
/// A file cannot be read.
pub fn listing(folder: &Path) -> io::Result<Value> {
    let mut files = Vec::new();
    walk(folder, "", &mut |name, path| {
        if name != RECORD {
            let found = fs::symlink_metadata(path)?;
            files.push(Written { name: name.to_owned(), bytes: found.len(), sha256: hash(path, found.len())? });
        }
        Ok(())
    })?;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(json!(files))
}

/// Why the folder may not be replaced, if it may not: it has no record, or holds what the record does not list.
pub(crate) fn obstacle(folder: &Path) -> io::Result<Option<String>> {
    let path = folder.join(RECORD);
    let is_record = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= LONGEST);
    let record = is_record.then(|| fs::read(&path)).transpose()?;
    let record = record.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
    let Some(Record { files }) = record else {
        return Ok(Some(format!("it has no {RECORD}, so this program did not write it")));
    };
    let Some(files) = files else {
        return Ok(Some(format!("its {RECORD} is of a version that did not list the folder's files")));
    };
    let mut obstacle = None;
    walk(folder, "", &mut |name, path| {
        if obstacle.is_some() || name == RECORD {
            return Ok(());
        }
        let found = fs::symlink_metadata(path)?;
        let listed = files.iter().find(|file| file.name == name).filter(|_| found.is_file());
        let changed = |file: &Written| -> io::Result<bool> {
            Ok(file.bytes != found.len() || file.sha256 != hash(path, found.len())?)
        };
        obstacle = match listed {
            None => Some(format!("{name} in it is not of this program")),
            Some(file) if changed(file)? => Some(format!("{name} in it was changed since it was written")),
            Some(_) => None,
        };
        Ok(())
    })?;
    Ok(obstacle)
}

/// Goes through a folder and those in it; links are not followed. An empty folder in it counts as a file.
fn walk(folder: &Path, above: &str, each: &mut dyn FnMut(&str, &Path) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        let is_full = entry.file_type()?.is_dir() && fs::read_dir(entry.path())?.next().is_some();
        if is_full {
            walk(&entry.path(), &format!("{name}/"), each)?;
        } else {
            each(&name, &entry.path())?;
        }
    }
    Ok(())
}

fn hash(path: &Path, bytes: u64) -> io::Result<Option<String>> {
    let hash = || Ok(format!("{:x}", Sha256::digest(fs::read(path)?)));
    (bytes <= HASHED).then(hash).transpose()
}

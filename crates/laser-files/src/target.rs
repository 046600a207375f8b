//! What may be written where.

use crate::file_kind::kind_of;
use crate::files_read::files_read;
use crate::folder_record::obstacle;
use crate::parent_of;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A folder of files.
    Folder,
    /// One file, of the target's own name.
    File,
}

/// What is at a target that may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// An empty folder.
    EmptyFolder,
    /// A file, or a folder that this program wrote.
    Replaceable,
}

/// Why something may not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct TargetError {
    /// The target.
    pub path: PathBuf,
    /// Why not, and what to do.
    pub why: String,
}

/// Whether `target` may be written to, while a command reads `reads` and what was noted ([`crate::note_read`]). With `force` it may replace a regular file, or a folder
/// that holds this program's record ([`crate::RECORD`]) and nothing but what that lists; never a link, a device, or anything
/// that is being read.
///
/// # Errors
/// It may not.
pub fn check_target(target: &Path, form: Form, force: bool, reads: &[PathBuf]) -> Result<Found, TargetError> {
    let refused = |why: String| TargetError { path: target.to_owned(), why };
    let unseen = |error: io::Error| refused(format!("{error}: choose another place"));
    let name = target.file_name().ok_or_else(|| refused("it is not a name for a file or folder".to_owned()))?;
    let found = match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unseen(error)),
        Ok(found) => Some(found),
    };
    // A folder that is not there yet is in none that is read.
    let parent = parent_of(target).canonicalize().ok();
    let named = reads.iter().filter_map(|path| path.canonicalize().ok());
    let mut reads: Vec<PathBuf> = named.chain(files_read()).collect();
    reads.extend(reads.iter().flat_map(|read| linked_from(read)).collect::<Vec<_>>());
    let place = parent.as_ref().map(|parent| parent.join(name));
    if parent.is_some_and(|parent| reads.iter().any(|read| read.is_dir() && parent.starts_with(read))) {
        return Err(refused("it is inside what is being read: choose another place".to_owned()));
    }
    let Some(found) = found else { return Ok(Found::Nothing) };
    let (is_wanted, wanted) = match form {
        Form::Folder => (found.is_dir(), "a folder"),
        Form::File => (found.is_file(), "a file"),
    };
    if !is_wanted {
        let kind = kind_of(found.file_type());
        return Err(refused(format!("it is {kind}, and not {wanted}: choose another place")));
    }
    if reads.iter().any(|read| place.as_ref().is_some_and(|place| read.starts_with(place)) || is_same(read, &found)) {
        return Err(refused("what is being read lies there: choose another place".to_owned()));
    }
    if form == Form::Folder && fs::read_dir(target).map_err(unseen)?.next().is_none() {
        return Ok(Found::EmptyFolder);
    }
    if !force {
        return Err(refused("it exists: choose another name, or add --force".to_owned()));
    }
    match if form == Form::Folder { obstacle(target).map_err(unseen)? } else { None } {
        Some(why) => Err(refused(format!("{why}: move it away yourself, or choose another place"))),
        None => Ok(Found::Replaceable),
    }
}

/// What the links of a folder lead to: weights of a model may lie elsewhere.
fn linked_from(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    links.filter_map(|entry| entry.path().canonicalize().ok()).filter(|path| path.is_file()).collect()
}

/// Whether a path is another name of a file.
fn is_same(path: &Path, found: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).is_ok_and(|it| (it.dev(), it.ino()) == (found.dev(), found.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = (path, found);
        false
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::folder_record::{RECORD, listing};
    use std::os::unix::fs::symlink;

    fn why(target: &Path, form: Form, force: bool, reads: &[PathBuf]) -> String {
        check_target(target, form, force, reads).unwrap_err().why
    }

    #[test]
    fn only_files_and_our_own_folders_are_replaced() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        fs::create_dir_all(at("empty")).unwrap();
        fs::create_dir_all(at("photos")).unwrap();
        fs::create_dir_all(at("ours/sub")).unwrap();
        for file in ["file", "photos/cat.jpg", "ours/table.csv", "ours/sub/rows.csv"] {
            fs::write(at(file), "x").unwrap();
        }
        fs::write(at("ours").join(RECORD), format!("{{\"files\": {}}}", listing(&at("ours")).unwrap())).unwrap();
        symlink(at("file"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        symlink(at("ours"), at("link-to-folder")).unwrap();
        let check = |name: &str, form, force| check_target(&at(name), form, force, &[]);
        assert_eq!(check("new", Form::File, false).unwrap(), Found::Nothing);
        assert_eq!(check("empty", Form::Folder, false).unwrap(), Found::EmptyFolder);
        assert!(why(&at("file"), Form::File, false, &[]).contains("--force"));
        assert_eq!(check("file", Form::File, true).unwrap(), Found::Replaceable);
        for link in ["link", "dangling"] {
            assert!(why(&at(link), Form::File, true, &[]).contains("a link"), "{link}");
        }
        assert!(why(&at("link-to-folder"), Form::Folder, true, &[]).contains("a link"));
        assert!(why(&at("photos"), Form::File, true, &[]).contains("a folder"));
        assert!(why(&at("photos"), Form::Folder, true, &[]).contains(RECORD));
        assert!(why(Path::new("/dev/null"), Form::File, true, &[]).contains("a device"));
        assert_eq!(check("ours", Form::Folder, true).unwrap(), Found::Replaceable);
        fs::write(at("ours/sub/notes"), "a user's").unwrap();
        assert!(why(&at("ours"), Form::Folder, true, &[]).contains("sub/notes"));
        fs::remove_file(at("ours/sub/notes")).unwrap();
        fs::write(at("ours/table.csv"), "y").unwrap();
        assert!(why(&at("ours"), Form::Folder, true, &[]).contains("table.csv in it was changed"));
        // A record that says nothing of files protects all of them.
        fs::write(at("ours").join(RECORD), "{}").unwrap();
        assert!(why(&at("ours"), Form::Folder, true, &[]).contains("version"));
    }

    #[test]
    fn what_is_read_is_not_written_to() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        fs::create_dir_all(at("model")).unwrap();
        fs::write(at("model/weights"), "x").unwrap();
        fs::write(at("task"), "x").unwrap();
        fs::hard_link(at("task"), at("other-name")).unwrap();
        fs::create_dir(at("elsewhere")).unwrap();
        fs::write(at("elsewhere/more-weights"), "x").unwrap();
        symlink("../elsewhere/more-weights", at("model/more-weights")).unwrap();
        let reads = [at("model"), at("task"), at("nowhere")];
        for (target, form) in [
            ("task", Form::File),
            ("other-name", Form::File),
            ("model", Form::Folder),
            ("model/weights", Form::File),
            ("elsewhere/more-weights", Form::File),
            ("elsewhere", Form::Folder),
            ("model/new", Form::File),
        ] {
            assert!(why(&at(target), form, true, &reads).contains("being read"), "{target}");
        }
        assert!(check_target(&at("beside"), Form::File, true, &reads).is_ok());
    }
}

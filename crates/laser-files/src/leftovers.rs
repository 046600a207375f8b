//! What killed processes left behind.

use crate::renames::{lock, put_where_nothing_is};
use crate::temporary_name::{Ending, is_running, parse};
use std::fs::{self, Metadata};
use std::path::Path;

/// Removes from `folder` the temporary files and folders of processes that no longer run, and puts back what one of them was
/// replacing. Touches nothing else: only names of our own form, of this user, that nobody holds a lock on.
pub fn clean_up(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let Some((process, ending)) = name.to_str().and_then(parse) else { continue };
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let fits = if ending == Ending::File { found.is_file() } else { found.is_dir() };
        if !fits || !is_own(&found) || is_running(process) {
            continue;
        }
        // Another machine's process has its number there, and holds the lock.
        let Some(_lock) = lock(&path) else { continue };
        let _ = match ending {
            Ending::File => fs::remove_file(&path),
            Ending::Folder => fs::remove_dir_all(&path),
            Ending::Aside => put_back(&path, folder),
        };
    }
}

/// Puts back what was to be replaced, unless something has come in its place.
fn put_back(aside: &Path, folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(aside)? {
        let entry = entry?;
        let target = folder.join(entry.file_name());
        if fs::symlink_metadata(&target).is_err() {
            put_where_nothing_is(&entry.path(), &target)?;
        }
    }
    fs::remove_dir_all(aside)
}

#[cfg(unix)]
fn is_own(found: &Metadata) -> bool {
    // SAFETY: it has no condition and cannot fail.
    std::os::unix::fs::MetadataExt::uid(found) == unsafe { libc::geteuid() }
}

#[cfg(not(unix))]
fn is_own(_found: &Metadata) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// The number of a process that has come to its end.
    fn dead() -> u32 {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    #[test]
    fn leftovers_of_the_dead_go_and_everything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (dead, alive) = (dead(), std::process::id());
        for name in [format!(".laser-{dead}-abcdef.tmp"), format!(".laser-{alive}-abcdef.tmp")] {
            fs::write(at(&name), "x").unwrap();
        }
        let kept = [".tmpabcdef", ".laser-notes.tmp", ".tmp", "notes.partial"];
        kept.iter().for_each(|name| fs::write(at(name), "a user's").unwrap());
        fs::create_dir_all(at(&format!(".laser-{dead}-abcdef.partial/sub"))).unwrap();
        fs::create_dir_all(at(&format!(".laser-{alive}-abcdef.partial"))).unwrap();
        fs::create_dir_all(at("own")).unwrap();
        fs::write(at("own/file"), "a user's").unwrap();
        std::os::unix::fs::symlink(at("own"), at(&format!(".laser-{dead}-links1.partial"))).unwrap();
        // Two runs that replaced a folder in two steps: one had finished the second step.
        for (random, name, content) in [("aaaaaa", "lost", "before"), ("bbbbbb", "own", "before")] {
            let aside = at(&format!(".laser-{dead}-{random}.old"));
            fs::create_dir_all(aside.join(name)).unwrap();
            fs::write(aside.join(name).join("file"), content).unwrap();
        }
        let held = at(&format!(".laser-{dead}-locked.tmp"));
        fs::write(&held, "x").unwrap();
        let _lock = lock(&held).unwrap();
        clean_up(folder.path());
        let mut names: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        let mut expected: Vec<String> = kept.iter().map(|name| (*name).to_owned()).collect();
        expected.extend(["lost".to_owned(), "own".to_owned()]);
        expected.extend([format!(".laser-{alive}-abcdef.tmp"), format!(".laser-{alive}-abcdef.partial")]);
        expected.extend([format!(".laser-{dead}-links1.partial"), format!(".laser-{dead}-locked.tmp")]);
        expected.sort();
        assert_eq!(names, expected);
        assert_eq!(fs::read_to_string(at("lost/file")).unwrap(), "before");
        assert_eq!(fs::read_to_string(at("own/file")).unwrap(), "a user's");
    }
}

//! A folder or a file that appears only when it is complete.

use crate::file_kind::kind_of;
use crate::folder_record::obstacle;
use crate::leftovers::clean_up;
use crate::own_temporaries::{OwnTemporary, note_placed};
use crate::parent_of;
use crate::renames::{exchange, lock, put_where_nothing_is, sync_folder};
use crate::stamp::Stamp;
use crate::target::Form;
use crate::temporary_name::{Ending, own_prefix};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A temporary folder beside its target, removed again unless it (or the one file in it) becomes that.
#[derive(Debug)]
pub struct StagedFolder {
    folder: TempDir,
    temporary: OwnTemporary,
    /// Held as long as the folder is in use: by it others see that it is being written.
    _lock: Option<File>,
    parent: PathBuf,
    target: PathBuf,
    /// What was there at the beginning.
    seen: Option<Stamp>,
}

impl StagedFolder {
    /// Makes the temporary folder beside `target`. What killed processes left there is removed.
    ///
    /// # Errors
    /// The folder that `target` is in cannot be written to.
    pub fn begin(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = parent_of(target).canonicalize()?;
        clean_up(&parent);
        let make = || temporary_folder(&parent, Ending::Folder);
        let (folder, temporary) = OwnTemporary::of(make, |folder| folder.path().to_owned())?;
        let lock = lock(folder.path());
        let target = parent.join(name);
        let seen = Stamp::of(&target);
        Ok(Self { folder, temporary, _lock: lock, parent, target, seen })
    }

    /// Where to write to.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where it will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The target's name: that of the one file of [`Form::File`].
    pub fn name(&self) -> &OsStr {
        self.target.file_name().unwrap_or_default()
    }

    /// Puts everything at its place; what it replaces is removed after that. Without `replaces` nothing may be there but an
    /// empty folder.
    ///
    /// # Errors
    /// It cannot be put there; [`io::ErrorKind::AlreadyExists`] or [`io::ErrorKind::DirectoryNotEmpty`] if something has come
    /// there meanwhile.
    pub fn finish(mut self, form: Form, replaces: bool) -> io::Result<()> {
        sync_folder(self.folder.path())?;
        match form {
            Form::Folder if replaces => only_ours(&self.target)?,
            Form::File if replaces && self.seen != Stamp::of(&self.target) => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            _ => {}
        }
        let Self { folder, temporary, parent, target, seen, .. } = &mut self;
        let file = folder.path().join(target.file_name().unwrap_or_default());
        temporary.place(|| {
            match form {
                Form::File if replaces && seen.is_some() => replace_file(folder, target, seen)?,
                Form::File => put_where_nothing_is(&file, target)?,
                Form::Folder if !replaces => put_where_nothing_is(folder.path(), target)?,
                Form::Folder => replace(folder, parent, target)?,
            }
            note_placed();
            sync_folder(parent)
        })
        // What is now at the temporary place, the replaced folder or nothing, goes with `self`.
    }
}

/// Puts `new` in the place of a folder that this program wrote. What has come into that one meanwhile is not lost.
fn replace(new: &mut TempDir, parent: &Path, target: &Path) -> io::Result<()> {
    if !exchange(new.path(), target) {
        return replace_in_two_steps(new.path(), parent, target);
    }
    // What came between the look and the exchange.
    let seen = only_ours(new.path());
    if seen.is_err() && !exchange(new.path(), target) {
        new.disable_cleanup(true);
        return Err(kept_beside(new.path(), target));
    }
    seen
}

/// Puts the one file in `folder` in the place of another, which was `seen` there.
fn replace_file(folder: &mut TempDir, target: &Path, seen: &Option<Stamp>) -> io::Result<()> {
    let new = folder.path().join(target.file_name().unwrap_or_default());
    if !exchange(&new, target) {
        return fs::rename(&new, target);
    }
    // What came between the look and the exchange goes back.
    match Stamp::of(&new) == *seen {
        true => Ok(()),
        false if exchange(&new, target) => Err(io::ErrorKind::AlreadyExists.into()),
        false => {
            folder.disable_cleanup(true);
            Err(kept_beside(&new, target))
        }
    }
}

/// Where the two cannot be exchanged in one step. What a kill between the two leaves is put back by
/// [`clean_up`].
fn replace_in_two_steps(new: &Path, parent: &Path, target: &Path) -> io::Result<()> {
    let aside = temporary_folder(parent, Ending::Aside)?;
    let _lock = lock(aside.path());
    let old = aside.path().join(target.file_name().unwrap_or_default());
    fs::rename(target, &old)?;
    let placed = only_ours(&old).and_then(|()| fs::rename(new, target));
    if placed.is_err() && fs::rename(&old, target).is_err() {
        return Err(kept_beside(&old, target));
    }
    placed
}

/// Gives a folder that cannot go back to its place a name that nobody takes for a temporary one: better a strange name than a lost folder.
/// The error says where it is.
fn kept_beside(folder: &Path, target: &Path) -> io::Error {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".before-{}", std::process::id()));
    let kept = target.with_file_name(name);
    match put_where_nothing_is(folder, &kept) {
        Ok(()) => io::Error::other(format!("what was there cannot be put back, and is now {}", kept.display())),
        Err(error) => error,
    }
}

/// Refuses a folder that holds anything but what its record lists.
fn only_ours(folder: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() {
        return Err(io::Error::other(format!("it is {} now: choose another place", kind_of(found.file_type()))));
    }
    match obstacle(folder)? {
        None => Ok(()),
        Some(why) => Err(io::Error::other(format!("{why}: move it away yourself, or choose another place"))),
    }
}

fn temporary_folder(parent: &Path, ending: Ending) -> io::Result<TempDir> {
    let prefix = own_prefix();
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(ending.text());
    // The user's umask decides, as for any other folder, and not the privacy of temporary ones.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.tempdir_in(parent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder_record::{RECORD, listing};

    #[test]
    fn what_came_into_a_folder_meanwhile_is_not_lost() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        let write = |content: &str, replaces: bool, meanwhile: &dyn Fn()| {
            let staged = StagedFolder::begin(&target)?;
            fs::write(staged.path().join("file"), content)?;
            let record = format!("{{\"files\": {}}}", listing(staged.path())?);
            fs::write(staged.path().join(RECORD), record)?;
            meanwhile();
            staged.finish(Form::Folder, replaces)
        };
        write("one", false, &|| ()).unwrap();
        write("two", true, &|| ()).unwrap();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "two");
        let note = || fs::write(target.join("notes"), "a user's").unwrap();
        let refused = write("three", true, &note).unwrap_err().to_string();
        assert!(refused.contains("notes in it is not of this program"), "{refused}");
        assert_eq!(fs::read_to_string(target.join("notes")).unwrap(), "a user's");
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "two");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_came_to_a_files_place_meanwhile_is_not_lost() {
        let place = tempfile::tempdir().unwrap();
        let [target, own] = ["out", "own"].map(|name| place.path().join(name));
        let write = |replaces: bool, meanwhile: &dyn Fn()| {
            let staged = StagedFolder::begin(&target)?;
            fs::write(staged.path().join("out"), "ours")?;
            meanwhile();
            staged.finish(Form::File, replaces)
        };
        fs::write(&own, "a user's").unwrap();
        let put = || drop(fs::write(&target, "a user's"));
        let link = || {
            let _ = fs::remove_file(&target);
            std::os::unix::fs::symlink(&own, &target).unwrap();
        };
        for (replaces, meanwhile) in [(false, &put as &dyn Fn()), (true, &put), (true, &link)] {
            let refused = write(replaces, meanwhile).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&target).unwrap(), "a user's");
            fs::remove_file(&target).unwrap();
        }
        write(false, &|| ()).unwrap();
        write(true, &|| ()).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "ours");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_came_between_the_look_and_the_exchange_is_not_lost() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        fs::write(&target, "ours").unwrap();
        let mut folder = tempfile::tempdir_in(place.path()).unwrap();
        fs::write(folder.path().join("out"), "newer").unwrap();
        let seen = Stamp::of(&target);
        fs::write(&target, "a user's").unwrap();
        let refused = replace_file(&mut folder, &target, &seen).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&target).unwrap(), "a user's");
    }
}

//! A folder or a file that appears only when it is complete.

use crate::leftovers::clean_up;
use crate::own_temporaries::OwnTemporary;
use crate::parent_of;
use crate::renames::{exchange, lock, put_where_nothing_is, sync_folder};
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
        Ok(Self { folder, temporary, _lock: lock, parent, target })
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
    pub fn finish(self, form: Form, replaces: bool) -> io::Result<()> {
        sync_folder(self.folder.path())?;
        self.temporary.place(|| {
            match form {
                Form::File if replaces => fs::rename(self.path().join(self.name()), &self.target)?,
                Form::File => put_where_nothing_is(&self.path().join(self.name()), &self.target)?,
                Form::Folder if !replaces => put_where_nothing_is(self.path(), &self.target)?,
                Form::Folder if exchange(self.path(), &self.target) => {}
                Form::Folder => self.replace_in_two_steps()?,
            }
            sync_folder(&self.parent)
        })
        // What is now at the temporary place, the replaced folder or nothing, goes with `self`.
    }

    /// Where the two cannot be exchanged in one step. What a kill between the two leaves is put back by
    /// [`clean_up`].
    fn replace_in_two_steps(&self) -> io::Result<()> {
        let aside = temporary_folder(&self.parent, Ending::Aside)?;
        let _lock = lock(aside.path());
        let old = aside.path().join(self.name());
        fs::rename(&self.target, &old)?;
        if let Err(error) = fs::rename(self.path(), &self.target) {
            if fs::rename(&old, &self.target).is_err() {
                // Better a strange name than a lost folder.
                let _ = aside.keep();
            }
            return Err(error);
        }
        Ok(())
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

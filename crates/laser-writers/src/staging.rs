//! A folder or a file that appears only when it is complete.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use laser_files::{Form, Found, RECORD, StagedFolder, check_target};
use serde_json::{Map, Value};

use crate::{
    error::{Result, WriteError},
    staged_file::{StagedFile, WrittenFile},
};

/// A temporary folder beside its target, removed again unless it (or the one file in it) becomes that.
#[derive(Debug)]
pub struct Staging {
    folder: StagedFolder,
    replaces: bool,
    form: Form,
    written: std::cell::RefCell<Vec<WrittenFile>>,
}

impl Staging {
    /// Checks that `out` may be written, given that `reads` are being read, and makes the temporary
    /// folder.
    pub(crate) fn begin(out: &Path, reads: &[PathBuf], form: Form, force: bool) -> Result<Self> {
        let refused = |path: PathBuf, why: String| WriteError::Refused { path, why };
        if form == Form::File && out.file_name().is_some_and(|name| name.to_str().is_none()) {
            return Err(refused(out.to_owned(), "its name is not UTF-8: choose another --out".to_owned()));
        }
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        parent.canonicalize().map_err(|cause| {
            refused(out.to_owned(), format!("the folder {} cannot be used: {cause}: make it first", parent.display()))
        })?;
        // What a killed run was replacing comes back first.
        laser_files::clean_up(parent);
        let found = check_target(out, form, force, reads).map_err(|error| refused(error.path, error.why))?;
        let folder = StagedFolder::begin(out).map_err(|cause| WriteError::Io {
            action: "write into",
            path: parent.to_owned(),
            cause,
        })?;
        Ok(Self { folder, replaces: found == Found::Replaceable, form, written: Default::default() })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The name of the one file of [`Form::File`].
    pub fn file_name(&self) -> String {
        self.folder.name().to_string_lossy().into_owned()
    }

    /// Makes one file, flushed to the disk.
    ///
    /// # Errors
    /// The file cannot be written, or `write` fails.
    pub fn file(&self, name: &str, write: impl FnOnce(&mut StagedFile) -> Result<()>) -> Result<()> {
        let mut file = StagedFile::create(&self.path().join(name), self.target_of(name))?;
        write(&mut file)?;
        self.written.borrow_mut().push(file.finish(name)?);
        Ok(())
    }

    /// Makes one file with this content.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.file(name, |to| to.put(bytes))
    }

    /// Makes one JSON file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_json(&self, name: &str, value: &Value) -> Result<()> {
        self.write(name, format!("{value:#}\n").as_bytes())
    }

    /// A file without a name, on the disk that is written to.
    pub(crate) fn scratch(&self) -> Result<File> {
        let failed = |cause| WriteError::Io { action: "write", path: self.target().to_owned(), cause };
        tempfile::tempfile_in(self.path()).map_err(failed)
    }

    /// Whether a file of this name has been made.
    pub fn has(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    /// Where a file will be, for messages: errors name the path that the user asked for.
    pub fn target_of(&self, name: &str) -> PathBuf {
        if self.form == Form::File { self.target().to_owned() } else { self.target().join(name) }
    }

    /// Where everything will be, for messages.
    pub(crate) fn target(&self) -> &Path {
        self.folder.target()
    }

    /// Bytes of all tensors so far.
    pub(crate) fn tensor_bytes(&self) -> u64 {
        self.written.borrow().iter().map(WrittenFile::tensor_bytes).sum()
    }

    /// What will be at the target, where it is now: to look at before it is put in place.
    pub(crate) fn staged(&self) -> PathBuf {
        if self.form == Form::File { self.path().join(self.file_name()) } else { self.path().to_owned() }
    }

    /// Reads every file back and compares each tensor's hash with that of what was written.
    pub(crate) fn check(&self) -> Result<()> {
        let written = self.written.borrow();
        written.iter().try_for_each(|file| file.check(&self.path().join(file.name()), &self.target_of(file.name())))
    }

    /// Writes the record by which a later run knows the folder and its files; nothing is written after it.
    pub(crate) fn write_record(&self, mut record: Map<String, Value>) -> Result<()> {
        let failed = |cause| WriteError::Io { action: "read back", path: self.target().to_owned(), cause };
        record.insert("files".to_owned(), laser_files::listing(self.path()).map_err(failed)?);
        self.write_json(RECORD, &Value::Object(record))
    }

    /// Puts everything at its place; what it replaces is removed after that.
    pub(crate) fn finish(self) -> Result<()> {
        let target = self.target().to_owned();
        self.folder.finish(self.form, self.replaces).map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => {
                let why = "something was put there meanwhile: choose another --out, or add --force".to_owned();
                WriteError::Refused { path: target, why }
            }
            _ => WriteError::Io { action: "write", path: target, cause },
        })
    }
}

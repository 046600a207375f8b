//! A folder or a file that appears only when it is complete.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    error::{Result, WriteError},
    staged_file::{StagedFile, WrittenFile},
};

/// The file by which a folder shows that this program wrote it and may replace it.
pub(crate) const RECORD: &str = "laser.json";

/// Names of temporary folders end like this.
const PARTIAL: &str = ".partial";

/// Names of folders that hold what is being replaced, as [`REPLACED`], end like this.
const ASIDE: &str = ".old";
const REPLACED: &str = "replaced";

/// What a writer makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A folder of files.
    Folder,
    /// One file, of the target's own name.
    File,
}

/// A temporary folder beside its target, removed again unless it (or the one file in it) becomes that.
#[derive(Debug)]
pub struct Staging {
    folder: TempDir,
    /// Held as long as the folder is in use, so that what a killed process left can be told from
    /// what a running one is writing.
    _lock: Option<File>,
    parent: PathBuf,
    target: PathBuf,
    replaces: bool,
    form: Form,
    written: std::cell::RefCell<Vec<WrittenFile>>,
}

impl Staging {
    /// Checks that `out` may be written, given that `source` is being read, and makes the temporary
    /// folder.
    pub(crate) fn begin(out: &Path, source: &Path, form: Form, force: bool) -> Result<Self> {
        let refused = |why: String| WriteError::Refused { path: out.to_owned(), why };
        let name = out.file_name().ok_or_else(|| refused("it is not a name for a new folder or file".to_owned()))?;
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = parent.canonicalize().map_err(|cause| {
            refused(format!("the folder {} cannot be used: {cause}: make it first", parent.display()))
        })?;
        let target = parent.join(name);
        let prefix = format!(".{}.", name.to_string_lossy());
        clean_up(&parent, &prefix, &target);
        if source.is_dir() && source.canonicalize().is_ok_and(|source| parent.starts_with(source)) {
            return Err(refused("it is inside the model that is being read: choose another place".to_owned()));
        }
        let replaces = match fs::symlink_metadata(&target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(cause) => return Err(WriteError::Io { action: "look at", path: target, cause }),
            Ok(found) => {
                let fits = if form == Form::Folder { found.is_dir() } else { found.is_file() };
                if !fits {
                    let what = if form == Form::Folder { "a folder" } else { "a file" };
                    return Err(refused(format!("there is something that is not {what}: choose another place")));
                }
                if !force {
                    return Err(refused("it exists: choose another --out, or add --force".to_owned()));
                }
                check_replaceable(&target, source, form).map_err(refused)?;
                true
            }
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(PARTIAL);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The user's umask decides, as for any other folder, and not the privacy of temporary
            // ones.
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        let folder = builder.tempdir_in(&parent).map_err(|cause| WriteError::Io {
            action: "write into",
            path: parent.clone(),
            cause,
        })?;
        let lock = lock(folder.path());
        Ok(Self { folder, _lock: lock, parent, target, replaces, form, written: Default::default() })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The name of the one file of [`Form::File`].
    pub fn file_name(&self) -> String {
        self.target.file_name().unwrap_or_default().to_string_lossy().into_owned()
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
        let failed = |cause| WriteError::Io { action: "write", path: self.target.clone(), cause };
        tempfile::tempfile_in(self.path()).map_err(failed)
    }

    /// Whether a file of this name has been made.
    pub fn has(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    /// Where a file will be, for messages: errors name the path that the user asked for.
    pub fn target_of(&self, name: &str) -> PathBuf {
        if self.form == Form::File { self.target.clone() } else { self.target.join(name) }
    }

    /// Where everything will be, for messages.
    pub(crate) fn target(&self) -> &Path {
        &self.target
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

    /// Puts everything at its place; what it replaces is removed after that.
    pub(crate) fn finish(self) -> Result<()> {
        let failed = |cause| WriteError::Io { action: "write", path: self.target.clone(), cause };
        sync_folder(self.folder.path()).map_err(failed)?;
        match self.form {
            _ if !self.replaces => put_where_nothing_is(&self.staged(), &self.target).map_err(|cause| {
                if !matches!(cause.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty) {
                    return failed(cause);
                }
                let why = "something was put there meanwhile: choose another --out, or add --force".to_owned();
                WriteError::Refused { path: self.target.clone(), why }
            })?,
            Form::File => fs::rename(self.staged(), &self.target).map_err(failed)?,
            Form::Folder => {
                if !exchange(self.folder.path(), &self.target) {
                    self.replace_in_two_steps()?;
                }
            }
        }
        sync_folder(&self.parent).map_err(failed)
        // What is now at the temporary place, the replaced folder or nothing, goes with `self`.
    }

    /// Where the two cannot be exchanged in one step. What a kill between the two leaves is put back
    /// by [`clean_up`].
    fn replace_in_two_steps(&self) -> Result<()> {
        let failed = |cause| WriteError::Io { action: "write", path: self.target.clone(), cause };
        let prefix = format!(".{}.", self.file_name());
        let aside = tempfile::Builder::new().prefix(&prefix).suffix(ASIDE).tempdir_in(&self.parent).map_err(failed)?;
        let _lock = lock(aside.path());
        let old = aside.path().join(REPLACED);
        fs::rename(&self.target, &old).map_err(failed)?;
        if let Err(error) = fs::rename(self.folder.path(), &self.target) {
            if fs::rename(&old, &self.target).is_err() {
                // Better a strange name than a lost folder.
                let _ = aside.keep();
            }
            return Err(failed(error));
        }
        Ok(())
    }
}

/// Exchanges two folders in one step, where the system can.
fn exchange(new: &Path, old: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (new, old);
        false
    }
}

/// A lock on a folder that the system gives back when the process ends, however it ends.
fn lock(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    file.try_lock().ok().map(|()| file)
}

/// Moves a file or a folder to a place where nothing is; fails if something is there after all.
fn put_where_nothing_is(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            // What some file systems do not have.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if from.is_file() {
        // A second name, which cannot be that of something else. The first one goes with its folder.
        match fs::hard_link(from, to) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {}
            done => return done,
        }
        if fs::symlink_metadata(to).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
    }
    // A folder goes to no place but that of an empty one.
    fs::rename(from, to)
}

/// Clears up what processes left that were killed while they wrote to `target`, in folders beside it
/// whose names start with `prefix`: what was not finished is removed, what was to be replaced is put
/// back where nothing has come in its place.
fn clean_up(parent: &Path, prefix: &str, target: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        let Some(rest) = name.strip_prefix(prefix) else { continue };
        let Some(random) = rest.strip_suffix(PARTIAL).or(rest.strip_suffix(ASIDE)) else { continue };
        // Whoever still writes holds the lock.
        let ours = random.len() == 6 && random.chars().all(char::is_alphanumeric);
        let Some(_lock) = Some(&path).filter(|_| ours).and_then(|path| lock(path)) else { continue };
        let replaced = path.join(REPLACED);
        let is_lost = rest.ends_with(ASIDE) && replaced.exists() && fs::symlink_metadata(target).is_err();
        if !is_lost || put_where_nothing_is(&replaced, target).is_ok() {
            let _ = fs::remove_dir_all(path);
        }
    }
}

fn check_replaceable(target: &Path, source: &Path, form: Form) -> std::result::Result<(), String> {
    let same = |error: io::Error| error.to_string();
    let source = source.canonicalize().map_err(same)?;
    if source.starts_with(target.canonicalize().map_err(same)?) {
        return Err("the model that is being read lies there: choose another place".to_owned());
    }
    if form == Form::File {
        return Ok(());
    }
    let empty = fs::read_dir(target).map_err(same)?.next().is_none();
    if !empty && !target.join(RECORD).is_file() {
        return Err(format!(
            "it has no {RECORD}, so this program did not write it: remove it yourself or choose another place"
        ));
    }
    Ok(())
}

fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

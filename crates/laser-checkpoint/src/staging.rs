//! A folder that appears only when it is complete.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::error::{CheckpointError, Result};

/// The file by which a folder shows that this program wrote it and may replace it.
pub(crate) const RECORD: &str = "laser.json";

/// A temporary folder beside its target, removed again unless it becomes that.
pub struct Staging {
    folder: TempDir,
    parent: PathBuf,
    target: PathBuf,
    replaces: bool,
}

impl Staging {
    /// Checks that `out` may be written, given that `source` is being read, and makes the temporary
    /// folder.
    pub(crate) fn begin(out: &Path, source: &Path, force: bool) -> Result<Self> {
        let refused = |why: String| CheckpointError::Refused { path: out.to_owned(), why };
        let name = out.file_name().ok_or_else(|| refused("it is no name for a new folder".to_owned()))?;
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = parent.canonicalize().map_err(|cause| {
            refused(format!("the folder {} cannot be used: {cause}: make it first", parent.display()))
        })?;
        let target = parent.join(name);
        let replaces = match fs::symlink_metadata(&target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(cause) => return Err(CheckpointError::Io { action: "look at", path: target, cause }),
            Ok(found) => {
                if !found.is_dir() {
                    return Err(refused("there is something that is not a folder: choose another place".to_owned()));
                }
                if !force {
                    return Err(refused("it exists: choose another --out, or add --force".to_owned()));
                }
                check_replaceable(&target, source).map_err(refused)?;
                true
            }
        };
        let mut builder = tempfile::Builder::new();
        let prefix = format!(".{}.", name.to_string_lossy());
        builder.prefix(&prefix).suffix(".partial");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The user's umask decides, as for any other folder, and not the privacy of temporary
            // ones.
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        let folder = builder.tempdir_in(&parent).map_err(|cause| CheckpointError::Io {
            action: "write into",
            path: parent.clone(),
            cause,
        })?;
        Ok(Self { folder, parent, target, replaces })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes one file of the folder, flushed to the disk.
    ///
    /// # Errors
    /// The file cannot be written, or `write` fails.
    pub fn file(&self, name: &str, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        // Errors name the path that the user asked for.
        let failed = |cause| CheckpointError::Io { action: "write", path: self.target.join(name), cause };
        let file = File::create_new(self.path().join(name)).map_err(failed)?;
        let mut buffered = io::BufWriter::with_capacity(1 << 20, file);
        write(&mut buffered)?;
        let file = buffered.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)
    }

    /// Makes one file of the folder with this content.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let failed = |cause| CheckpointError::Io { action: "write", path: self.target_of(name), cause };
        self.file(name, |to| to.write_all(bytes).map_err(failed))
    }

    /// Makes one JSON file of the folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_json(&self, name: &str, value: &Value) -> Result<()> {
        self.write(name, format!("{value:#}\n").as_bytes())
    }

    /// Whether a file of this name has been made.
    pub fn has(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    /// Where a file will be, for messages.
    pub fn target_of(&self, name: &str) -> PathBuf {
        self.target.join(name)
    }

    /// Puts the folder at its place; one that it replaces is removed after that.
    pub(crate) fn finish(self) -> Result<()> {
        let failed = |cause| CheckpointError::Io { action: "write", path: self.target.clone(), cause };
        sync_folder(self.folder.path()).map_err(failed)?;
        if self.replaces {
            let aside = tempfile::Builder::new().prefix(".").suffix(".old").tempdir_in(&self.parent).map_err(failed)?;
            let old = aside.path().join("old");
            fs::rename(&self.target, &old).map_err(failed)?;
            if let Err(error) = fs::rename(self.folder.path(), &self.target) {
                if fs::rename(&old, &self.target).is_err() {
                    // Better a strange name than a lost folder.
                    let _ = aside.keep();
                }
                return Err(failed(error));
            }
        } else {
            fs::rename(self.folder.path(), &self.target).map_err(failed)?;
        }
        let _ = self.folder.keep();
        sync_folder(&self.parent).map_err(|cause| CheckpointError::Io { action: "write", path: self.target, cause })
    }
}

fn check_replaceable(target: &Path, source: &Path) -> std::result::Result<(), String> {
    let same = |error: io::Error| error.to_string();
    let source = source.canonicalize().map_err(same)?;
    if source.starts_with(target.canonicalize().map_err(same)?) {
        return Err("the model that is being read lies there: choose another place".to_owned());
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

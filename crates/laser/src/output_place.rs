//! Where commands write: one set of rules for all of them.

use anyhow::Context;
use laser::is_own_page;
use laser_files::{Form, Found, RECORD, StagedFolder, check_target};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// Refuses to write a file where it must not be, while `reads` are being read.
pub fn check_file(path: &Path, force: bool, reads: &[PathBuf]) -> anyhow::Result<()> {
    Ok(check_target(path, Form::File, force, reads).map(drop)?)
}

/// The same; a page that this program wrote is written anew without being told.
pub fn check_page(path: &Path, force: bool, reads: &[PathBuf]) -> anyhow::Result<()> {
    check_file(path, force || is_own_page(path), reads)
}

/// Refuses to write a folder of files where it must not be.
pub fn check_folder(path: &Path, force: bool, reads: &[PathBuf]) -> anyhow::Result<Found> {
    Ok(check_target(path, Form::Folder, force, reads)?)
}

/// Writes a folder of files, whole or not at all: `write` puts them into the folder that it is given, and names them. Gives where
/// they are then.
pub fn write_folder<N: AsRef<Path>>(
    path: &Path,
    force: bool,
    reads: &[PathBuf],
    write: impl FnOnce(&Path) -> anyhow::Result<Vec<N>>,
) -> anyhow::Result<Vec<PathBuf>> {
    let cannot = || format!("{}: the folder cannot be made: choose another", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(cannot)?;
    }
    let found = check_folder(path, force, reads)?;
    let staged = StagedFolder::begin(path).with_context(cannot)?;
    let names = write(staged.path())?;
    let record = json!({
        "program": {"name": "laser", "version": env!("CARGO_PKG_VERSION")},
        "files": laser_files::listing(staged.path()).with_context(cannot)?,
    });
    laser_files::write_whole(&staged.path().join(RECORD), format!("{record:#}\n").as_bytes()).with_context(cannot)?;
    staged.finish(Form::Folder, found == Found::Replaceable).with_context(cannot)?;
    Ok(names.into_iter().map(|name| path.join(name)).collect())
}

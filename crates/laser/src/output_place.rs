//! Where commands write: one set of rules for all of them.

use crate::output;
use anyhow::{Context, bail};
use laser::is_own_page;
use laser_files::{Form, Found, RECORD, StagedFolder, Stamp, check_target};
use laser_run::RunFolder;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// A file that a command is to write. Where it goes is checked before the work begins, and once more when it is written: something may
/// have come there meanwhile, or have turned out to be read.
pub struct OutputFile {
    path: PathBuf,
    force: bool,
    /// A page that this program wrote is written anew without being told.
    is_page: bool,
    reads: Vec<PathBuf>,
    /// What was there at first.
    seen: Option<Stamp>,
}

impl OutputFile {
    /// Refuses to write a file where it must not be, while `reads` are being read.
    pub fn new(path: &Path, force: bool, reads: &[PathBuf]) -> anyhow::Result<Self> {
        Self::checked(Self { path: path.to_owned(), force, is_page: false, reads: reads.to_vec(), seen: None })
    }

    /// The same of a page.
    pub fn page(path: &Path, force: bool, reads: &[PathBuf]) -> anyhow::Result<Self> {
        Self::checked(Self { path: path.to_owned(), force, is_page: true, reads: reads.to_vec(), seen: None })
    }

    fn checked(mut self) -> anyhow::Result<Self> {
        self.check()?;
        self.seen = Stamp::of(&self.path);
        Ok(self)
    }

    fn check(&self) -> anyhow::Result<()> {
        let force = self.force || (self.is_page && is_own_page(&self.path));
        Ok(check_target(&self.path, Form::File, force, &self.reads).map(drop)?)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        self.check()?;
        let written = match Stamp::of(&self.path) {
            None => laser_files::write_new(&self.path, bytes),
            now if now == self.seen || (self.is_page && is_own_page(&self.path)) => {
                laser_files::write_whole(&self.path, bytes)
            }
            _ => bail!("{}: it came there, or was changed, meanwhile: choose another name", self.path.display()),
        };
        written.with_context(|| format!("{}: it cannot be written", self.path.display()))
    }
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

/// Refuses outputs of which one is, or is in, the place of another.
pub fn check_apart(outputs: &[&PathBuf]) -> anyhow::Result<()> {
    let places: Vec<PathBuf> = outputs.iter().map(|path| place_of(path)).collect();
    let collide = |a: &Path, b: &Path| a.starts_with(b) || b.starts_with(a);
    match (1..places.len()).find(|&i| places[..i].iter().any(|it| collide(it, &places[i]))) {
        Some(i) => bail!("{}: another output is to be there: give each its own path", output::shown(outputs[i])),
        None => Ok(()),
    }
}

/// The file or folder that a path names, whatever it is called and whether it is there.
fn place_of(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = |above: &Path| Some(above.canonicalize().ok()?.join(whole.strip_prefix(above).ok()?));
    whole.ancestors().find_map(known).unwrap_or_else(|| whole.clone())
}

/// The files of the search that a recipe is of: they are read with it.
pub fn files_of_recipe(recipe: &Path) -> Vec<PathBuf> {
    let run = if recipe.is_dir() { Some(recipe) } else { recipe.parent() };
    let run = run.map(|run| if run.as_os_str().is_empty() { Path::new(".") } else { run });
    let mut files = run.and_then(|run| RunFolder::open(run).ok()).map(|run| run.files()).unwrap_or_default();
    if !recipe.is_dir() {
        files.push(recipe.to_owned());
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_or_changed_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let said = |it: anyhow::Result<()>| it.unwrap_err().to_string();
        for force in [false, true] {
            let file = OutputFile::new(&path, force, &[]).unwrap();
            fs::write(&path, "a user's").unwrap();
            let message = said(file.write(b"ours"));
            assert!(message.contains(if force { "meanwhile: choose another name" } else { "it exists" }), "{message}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "a user's");
            fs::remove_file(&path).unwrap();
        }
        fs::write(&path, "before").unwrap();
        let file = OutputFile::new(&path, true, &[]).unwrap();
        fs::write(&path, "changed by a user").unwrap();
        assert!(said(file.write(b"ours")).contains("was changed, meanwhile"));
        OutputFile::new(&path, true, &[]).unwrap().write(b"ours").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
        // A page is written again and again.
        let page = OutputFile::page(&folder.path().join("page.html"), false, &[]).unwrap();
        let own = laser_report::ComparedRuns { runs: Vec::new() }.page();
        page.write(own.as_bytes()).unwrap();
        page.write(own.as_bytes()).unwrap();
    }
}

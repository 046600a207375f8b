//! A folder for the files of an input: each thread has its own, in memory where the system has such a place.

use std::{
    cell::OnceCell,
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

thread_local! {
    static FOLDER: OnceCell<Option<TempDir>> = const { OnceCell::new() };
}

/// Gives `work` an empty folder with these files in it.
pub(crate) fn with_files(files: &[(&str, &[u8])], work: impl FnOnce(&Path)) {
    FOLDER.with(|folder| {
        let Some(folder) = folder.get_or_init(made) else { return };
        let path = folder.path();
        empty(path);
        for (name, content) in files {
            if fs::write(path.join(name), content).is_err() {
                return;
            }
        }
        work(path);
    });
}

fn made() -> Option<TempDir> {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("laser-fuzz-").tempdir_in(place).ok()
}

fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
}

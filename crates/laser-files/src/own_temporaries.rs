//! The temporary files and folders of this process, which a signal must not leave behind.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

static TEMPORARIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Whether this process has put an output in its place.
static HAS_PLACED: AtomicBool = AtomicBool::new(false);

/// Whether this process has put in its place what a [`StagedFolder`](crate::StagedFolder) held. After [`abandon_all`] that stays so.
pub fn has_placed() -> bool {
    HAS_PLACED.load(Ordering::SeqCst)
}

/// Notes that it has.
pub(crate) fn note_placed() {
    HAS_PLACED.store(true, Ordering::SeqCst);
}

/// Removes whatever this process is writing. Nothing is put in place any more after that: for a process that is about to
/// exit. What is just being put in place is waited for.
pub fn abandon_all() {
    let paths = held();
    for path in paths.iter() {
        // Who is still writing into a folder may put one more file there meanwhile.
        for _ in 0..100 {
            let Ok(found) = fs::symlink_metadata(path) else { break };
            let _ = if found.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
    // Whoever would put something in place waits until the process is gone.
    std::mem::forget(paths);
}

/// A temporary file or folder, as long as it is one.
#[derive(Debug)]
pub(crate) struct OwnTemporary(PathBuf);

impl OwnTemporary {
    /// Of what `make` makes; `path_of` says where that is. No signal comes between.
    pub fn of<T>(make: impl FnOnce() -> io::Result<T>, path_of: impl FnOnce(&T) -> PathBuf) -> io::Result<(T, Self)> {
        let mut paths = held();
        let made = make()?;
        let path = path_of(&made);
        paths.push(path.clone());
        Ok((made, Self(path)))
    }

    /// Does what puts it in place; no signal comes between. What is then at the temporary place (nothing, or what was replaced) is
    /// still removed after a signal.
    ///
    /// # Errors
    /// As `place`. What is then there may be a user's.
    pub fn place(&self, place: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut paths = held();
        let placed = place();
        if placed.is_err() {
            paths.retain(|path| *path != self.0);
        }
        placed
    }
}

impl Drop for OwnTemporary {
    fn drop(&mut self) {
        held().retain(|path| *path != self.0);
    }
}

fn held() -> MutexGuard<'static, Vec<PathBuf>> {
    TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner)
}

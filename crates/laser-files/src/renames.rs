//! Moving files and folders to their place, and the lock that says that they are in use.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Exchanges two folders in one step, where the system can.
pub(crate) fn exchange(new: &Path, old: &Path) -> bool {
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

/// A lock on a file or folder that the system gives back when the process ends, however it ends.
pub(crate) fn lock(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    file.try_lock().ok().map(|()| file)
}

/// Moves a file or a folder to a place where nothing is, or a folder to that of an empty one.
pub(crate) fn put_where_nothing_is(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            // What some file systems do not have.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(Errno::EXIST) if from.is_dir() => {}
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

/// What was renamed in a folder is on the disk when this returns.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

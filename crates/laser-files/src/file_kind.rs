//! What stands at a path: a file, a folder, or something that is neither.

use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::path::Path;

/// In words: `a file`, `a folder`, `a link`, `a pipe`, `a socket`, `a device`.
pub fn kind_of(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    if kind.is_file() {
        "a file"
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a link"
    } else {
        "a device"
    }
}

/// Whether a file is there; `Ok(false)` if nothing is.
///
/// # Errors
/// Something else than a file is there: a link, too.
pub fn check_plain(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(found) if found.is_file() => Ok(true),
        Ok(found) => Err(io::Error::other(format!("it is {}, and not a file", kind_of(found.file_type())))),
    }
}

/// Opens a file that is there, or that the options make; nothing but a file, and no link.
///
/// # Errors
/// As of [`check_plain`], or it cannot be opened.
pub fn open_plain(path: &Path, mut options: OpenOptions) -> io::Result<File> {
    check_plain(path)?;
    // What comes in its place after this look is not followed or waited for either.
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
    }
    options.open(path)
}

//! Writing a file so that it is there whole, or as it was before.

use crate::file_kind::check_plain;
use crate::leftovers::clean_up;
use crate::own_temporaries::OwnTemporary;
use crate::parent_of;
use crate::renames::put_where_nothing_is;
use crate::temporary_name::{Ending, own_prefix};
use std::io::{self, Write};
use std::path::Path;

/// Puts `bytes` at `path` through a temporary file beside it; the folder must exist. What killed processes left there is
/// removed.
///
/// # Errors
/// The folder does not exist or cannot be written to, the disk is full, or something else than a file is at `path`.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    check_plain(path)?;
    write(path, bytes, true)
}

/// The same where nothing may be yet.
///
/// # Errors
/// As of [`write_whole`], and [`io::ErrorKind::AlreadyExists`] if something is there.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, false)
}

fn write(path: &Path, bytes: &[u8], replaces: bool) -> io::Result<()> {
    let folder = parent_of(path);
    clean_up(folder);
    let prefix = own_prefix();
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(Ending::File.text());
    // A temporary file is its owner's alone; this one will stay, with the permissions of any other.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let (mut file, temporary) = OwnTemporary::of(|| builder.tempfile_in(folder), |file| file.path().to_owned())?;
    // By the lock others see that it is being written.
    let _ = file.as_file().try_lock();
    file.write_all(bytes).and_then(|()| file.as_file().sync_all())?;
    temporary.place(|| match replaces {
        true => file.persist(path).map(drop).map_err(|error| error.error),
        // Where it is a second name, the first goes with `file`.
        false => put_where_nothing_is(file.path(), path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for content in ["one", "two"] {
            write_whole(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_whole(&folder.path().join("nowhere/file"), b"").is_err());
        fs::create_dir(folder.path().join("folder")).unwrap();
        let message = write_whole(&folder.path().join("folder"), b"").unwrap_err().to_string();
        assert_eq!(message, "it is a folder, and not a file");
        assert_eq!(write_new(&path, b"three").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        write_new(&folder.path().join("new"), b"x").unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_neither_followed_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (link, own) = (folder.path().join("link"), folder.path().join("own"));
        fs::write(&own, "a user's").unwrap();
        std::os::unix::fs::symlink(&own, &link).unwrap();
        assert!(write_whole(&link, b"x").unwrap_err().to_string().contains("a link"));
        assert_eq!(fs::read_to_string(&link).unwrap(), "a user's");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_any_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_whole(&ours, b"x").unwrap();
        fs::write(&plain, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}

//! Files that are read as a whole, of which nobody knows what they are.

use std::{
    fs::{self, File},
    io::{Error, ErrorKind, Read, Result},
    path::Path,
};

use crate::input_limits::{how_to_allow, raised};

/// Opens a file for reading. What is not a file is refused before it is opened: a pipe would wait for a writer, and a device may
/// have no end.
///
/// # Errors
/// It cannot be opened, or is not a file; the error says what it is.
pub fn open_file(path: &Path) -> Result<File> {
    let found = fs::metadata(path)?;
    match () {
        () if found.is_file() => File::open(path),
        () if found.is_dir() => Err(Error::new(ErrorKind::IsADirectory, "it is a folder, and not a file")),
        () => Err(Error::other("it is a pipe, a socket or a device, and not a file")),
    }
}

/// The bytes of a file of at most `usual`, or as many times as the user allows; of a larger one nothing is read.
///
/// # Errors
/// As [`open_file`], and if it is larger.
pub fn read_file(path: &Path, usual: u64) -> Result<Vec<u8>> {
    let file = open_file(path)?;
    let length = file.metadata()?.len();
    let most = raised(usual);
    let large = |length| {
        let how = how_to_allow(length, usual);
        Err(Error::other(format!("it has {length} bytes, and at most {most} are read ({how})")))
    };
    if length > most {
        return large(length);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    // The system's own files say that they are empty, and others grow meanwhile.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        length if length > most => large(length),
        _ => Ok(bytes),
    }
}

/// The same of a text in UTF-8.
///
/// # Errors
/// As [`read_file`], and if it is not UTF-8.
pub fn read_text(path: &Path, usual: u64) -> Result<String> {
    String::from_utf8(read_file(path, usual)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is no UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path, most: u64) -> String {
        read_file(path, most).unwrap_err().to_string()
    }

    #[test]
    fn files_are_read_up_to_a_size() {
        let path = std::env::temp_dir().join(format!("laser-guard-{}", std::process::id()));
        fs::write(&path, [b'a'; 100]).unwrap();
        assert_eq!(read_file(&path, 100).unwrap().len(), 100);
        assert_eq!(refused(&path, 99), "it has 100 bytes, and at most 99 are read (LASER_LIMITS=2 allows it)");
        // A file of which nothing is on disk.
        File::options().write(true).open(&path).unwrap().set_len(5 << 30).unwrap();
        assert_eq!(
            refused(&path, 1 << 30),
            "it has 5368709120 bytes, and at most 1073741824 are read (LASER_LIMITS=5 allows it)"
        );
        fs::write(&path, [0xff]).unwrap();
        assert!(read_text(&path, 9).is_err());
        fs::remove_file(&path).unwrap();
        assert_eq!(read_file(&path, 9).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_is_not_a_file_is_not_opened() {
        assert_eq!(refused(&std::env::temp_dir(), 9), "it is a folder, and not a file");
        if cfg!(unix) {
            for device in ["/dev/zero", "/dev/tty", "/dev/null"] {
                assert!(refused(Path::new(device), 9).contains("a device"), "{device}");
            }
        }
        if cfg!(target_os = "linux") {
            // It says that it has no bytes, and has some.
            assert!(!read_file(Path::new("/proc/self/status"), 1 << 20).unwrap().is_empty());
            assert!(refused(Path::new("/proc/self/status"), 9).contains("at most 9"));
        }
    }
}

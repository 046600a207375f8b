//! Files as memory: pages are read when they are touched, and cost no memory of the process's own.

use std::{
    fs::{self, File, Metadata},
    io,
    ops::Deref,
    path::Path,
    time::SystemTime,
};

use memmap2::Mmap;

use crate::error::{CheckpointError, Result};

/// A file in memory, and what it was when it was opened.
#[derive(Debug)]
pub(crate) struct Mapped {
    map: Mmap,
    file: File,
    stamp: Stamp,
}

/// By what it is seen that a file was changed.
#[derive(Debug, PartialEq)]
struct Stamp {
    bytes: u64,
    /// `None` where the file system does not tell.
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self { bytes: found.len(), modified: found.modified().ok() }
    }
}

/// Maps the file at `path` for reading.
pub(crate) fn map(path: &Path) -> Result<Mapped> {
    let failed = |action| move |cause| CheckpointError::Io { action, path: path.to_owned(), cause };
    let found = fs::metadata(path).map_err(failed("open"))?;
    if !found.is_file() {
        return Err(CheckpointError::NotACheckpoint { path: path.to_owned(), why: "it is not a file".to_owned() });
    }
    let file = File::open(path).map_err(failed("open"))?;
    let stamp = Stamp::of(&file.metadata().map_err(failed("read"))?);
    if stamp.bytes == 0 {
        return Err(CheckpointError::Damaged { path: path.to_owned(), why: "the file is empty".to_owned() });
    }
    // SAFETY: the map is only read, as plain bytes that are all checked before use. That nobody
    // shortens the file meanwhile is out of any reader's hands: the process is then ended by SIGBUS,
    // which the program makes an error of. Changes that keep its length are seen by its stamp.
    let map = unsafe { Mmap::map(&file) }.map_err(failed("map"))?;
    Ok(Mapped { map, file, stamp })
}

impl Mapped {
    /// Refuses a file that was written to since it was opened; `path` is its name. (Another file that
    /// came in its place does no harm: this one is still read.)
    pub fn check(&self, path: &Path) -> Result<()> {
        let found = self.file.metadata();
        let found = found.map_err(|cause| CheckpointError::Io { action: "read", path: path.to_owned(), cause })?;
        if Stamp::of(&found) == self.stamp { Ok(()) } else { Err(CheckpointError::Changed { path: path.to_owned() }) }
    }

    /// The same, and refuses a name that stands for another file by now.
    pub fn check_name(&self, path: &Path) -> Result<()> {
        self.check(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let same = |a: Metadata, b: Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
            if !fs::metadata(path).is_ok_and(|named| self.file.metadata().is_ok_and(|opened| same(named, opened))) {
                return Err(CheckpointError::Changed { path: path.to_owned() });
            }
        }
        Ok(())
    }

    /// Reads bytes of the file into `buffer`, and not through the map.
    pub fn read_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        #[cfg(unix)]
        {
            std::os::unix::fs::FileExt::read_exact_at(&self.file, buffer, start)
        }
        #[cfg(not(unix))]
        {
            let end = start as usize + buffer.len();
            buffer.copy_from_slice(self.map.get(start as usize..end).ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

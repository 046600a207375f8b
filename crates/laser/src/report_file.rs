//! The report in a RUN folder, and how it is told from a file of the user's.

use laser_run::{Error, RunFolder, write_whole};
use std::path::Path;
use std::{fs, io};

/// Whether a file is a page that this program wrote.
pub fn is_own_page(path: &Path) -> bool {
    let is_file = fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    // Pages that this program writes are far smaller.
    is_file && laser_guard::read_file(path, 1 << 28).is_ok_and(|bytes| laser_report::is_page(&bytes))
}

/// Writes a RUN folder's report, but not over what somebody else put in its place.
///
/// # Errors
/// It cannot be written, or another file stands there.
pub fn write_page(folder: &RunFolder, page: &str) -> Result<(), Error> {
    let path = folder.report_path();
    if fs::symlink_metadata(&path).is_ok() && !is_own_page(&path) {
        let source = io::Error::other("laser did not write this report: it stays as it is");
        return Err(Error::Io { path, source });
    }
    write_whole(&path, page.as_bytes())
}

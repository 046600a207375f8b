//! The report of a search while it runs.

use laser_report::ReadRun;
use laser_run::{Error, Progress, RunFolder, Stopped, write_whole};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{fs, io};

/// The first report comes after so long, so that a short search is not held up.
const FIRST: Duration = Duration::from_secs(15);
/// At least so long is between two reports.
const LEAST: Duration = Duration::from_secs(60);
/// Writing takes at most one part in so many of a search.
const SHARE: u32 = 50;

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
        let source = io::Error::other("it is no report of laser's, and stays as it is");
        return Err(Error::Io { path, source });
    }
    write_whole(&path, page.as_bytes())
}

/// Passes progress on, and writes the report now and then.
pub struct LiveReport<'a> {
    progress: &'a dyn Progress,
    folder: RunFolder,
    next: Mutex<Instant>,
}

impl<'a> LiveReport<'a> {
    /// Reports of the search in `folder`.
    pub fn new(progress: &'a dyn Progress, folder: RunFolder) -> Self {
        Self { progress, folder, next: Mutex::new(Instant::now() + FIRST) }
    }

    fn write_if_due(&self) {
        // Another thread that is just writing does this one's work, too.
        let Ok(mut next) = self.next.try_lock() else { return };
        let begun = Instant::now();
        if begun < *next {
            return;
        }
        // A report that cannot be written is not a reason to stop a search.
        let _ = write_page(&self.folder, &ReadRun::of_running(&self.folder).data.page());
        *next = Instant::now() + LEAST.max(SHARE * begun.elapsed());
    }
}

impl Progress for LiveReport<'_> {
    fn start(&self, what: &str, total: usize, done: usize) {
        self.progress.start(what, total, done);
    }

    fn advance(&self, steps: usize) {
        self.progress.advance(steps);
        self.write_if_due();
    }

    fn finish(&self) {
        self.progress.finish();
    }

    fn best(&self, text: &str) {
        self.progress.best(text);
    }

    fn note(&self, text: &str) {
        self.progress.note(text);
    }

    fn go_on(&self) -> Result<(), Stopped> {
        self.progress.go_on()
    }

    fn pause(&self) -> Result<(), Stopped> {
        self.progress.pause()
    }
}

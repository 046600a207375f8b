//! The report of a search while it runs.

use crate::report_file::write_page;
use laser_report::ReadRun;
use laser_run::{Progress, RunFolder, Stopped};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The first report comes after so long, so that a short search is not held up.
const FIRST: Duration = Duration::from_secs(15);
/// At least so long is between two reports.
const LEAST: Duration = Duration::from_secs(60);
/// Writing takes at most one part in so many of a search.
const SHARE: u32 = 50;

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

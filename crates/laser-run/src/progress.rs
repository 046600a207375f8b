//! How long work tells how far it is.

/// Receives the progress of one piece of long work at a time.
pub trait Progress: Send + Sync {
    /// Work of `total` steps begins; `done` of them were finished before, by an interrupted run.
    fn start(&self, what: &str, total: usize, done: usize);
    /// `steps` more steps are done.
    fn advance(&self, steps: usize);
    /// The work is done.
    fn finish(&self);
    /// The best so far, in a few words, to be shown beside how far the work is.
    fn best(&self, _: &str) {}
    /// A line for the user that is not a result.
    fn note(&self, _: &str) {}
    /// Whether the work is to go on: its caller may want it to end between two steps.
    ///
    /// # Errors
    /// If it is to end.
    fn go_on(&self) -> Result<(), Stopped> {
        Ok(())
    }
    /// The same, asked where everything that was computed has been passed on: ending here loses nothing.
    ///
    /// # Errors
    /// If it is to end.
    fn pause(&self) -> Result<(), Stopped> {
        Ok(())
    }
}

/// Work that its caller has ended.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("stopped: what has been scored is kept: ask for the same again to resume")]
pub struct Stopped;

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: usize, _: usize) {}
    fn advance(&self, _: usize) {}
    fn finish(&self) {}
}

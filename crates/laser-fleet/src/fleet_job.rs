//! Who does jobs.

use laser_run::{RunDescription, ScorerError};
use std::fmt::Debug;

/// What one worker does at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The first layer that is edited. A worker that has had jobs of the same layer has its matrices decomposed.
    pub layer: usize,
    /// How much work it is, in passes of an example through a layer.
    pub size: f64,
    /// What is to be done, for [`answer`](crate::answer).
    pub text: String,
}

/// Takes a job's number and its answer, or nothing, now and then, so that the search can be ended.
pub type Take<'a> = dyn FnMut(Option<(usize, &str)>) -> Result<(), ScorerError> + 'a;

/// Workers, wherever they are.
pub trait Fleet: Debug + Send + Sync {
    /// The search as the workers have opened it, by the first of them; with `kernels`, by the first that has these. It waits a
    /// moment, and gives nothing if there is none yet, so that the search can be ended.
    ///
    /// # Errors
    /// None can open it.
    fn opened(&self, kernels: Option<&str>) -> Result<Option<RunDescription>, ScorerError>;

    /// For how many workers jobs are to be cut.
    fn workers(&self) -> usize;

    /// Has the jobs done, each at least once, and gives each answer to `take` once, in any order.
    ///
    /// # Errors
    /// A job fails, or is lost again and again; there are no workers; or `take` fails.
    fn work(&self, jobs: &[Job], take: &mut Take) -> Result<(), ScorerError>;
}

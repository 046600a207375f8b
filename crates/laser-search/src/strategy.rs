//! What decides which candidates are scored next.

use crate::error::Result;
use crate::history::History;
use crate::job::Job;
use laser_run::{GradientTrace, RaceTrace, Step};

/// How a search goes through its space, by asking and being told: a pure function of the results so far, which knows no model
/// and no file. Run again over results that it asked for before, it comes to the same end.
///
/// Whatever it does, the best of the candidates that it scored on the whole validation split is chosen.
pub trait Strategy: Send {
    /// What is to be done next; nothing when the strategy has come to its end. Before the first call the unedited model has
    /// been scored, before each other call all that the last one asked for.
    ///
    /// # Errors
    /// The history has not what it must have.
    fn propose(&mut self, history: &History) -> Result<Vec<Job>>;

    /// How it went, after its end.
    fn course(&self) -> Course {
        Course::default()
    }
}

/// What a strategy tells of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Course {
    /// Where candidates raced.
    pub race: Option<RaceTrace>,
    /// Where gradients ranked candidates.
    pub gradient: Option<GradientTrace>,
    /// Where reductions were composed, the accepted steps.
    pub steps: Vec<Step>,
}

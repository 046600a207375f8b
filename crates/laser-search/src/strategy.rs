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

    /// What may still be spent, of a strategy that spends a budget by generations, after the last scoring of a generation; none at any
    /// other time and of any other strategy. Whoever only wants to know what a generation takes may end it.
    fn budget(&mut self) -> Option<&mut Budget> {
        None
    }
}

/// What may still be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Examples that candidates are scored on, summed over the candidates.
    Evaluations(usize),
    /// Candidates that are made, in whole generations.
    Candidates(usize),
}

impl Budget {
    /// How much that is.
    pub fn left(&self) -> usize {
        match *self {
            Self::Evaluations(left) | Self::Candidates(left) => left,
        }
    }

    /// From now on nothing may be spent.
    pub fn end(&mut self) {
        match self {
            Self::Evaluations(left) | Self::Candidates(left) => *left = 0,
        }
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

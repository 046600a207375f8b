//! Which candidates a search scores.
//!
//! A space of candidates comes from [`exhaustive`] or [`noise_edge`]; a [`Strategy`] scores all of them or some, and may make
//! new ones of them. Whatever it does, the best of the candidates that it scored on the whole validation split is chosen.

mod account;
mod beam;
mod compose;
mod exhaustive;
mod gradient;
mod noise_edge;
mod race;

pub use account::{Account, GradientAccount, RaceAccount, Recall, Round, Step};
pub use beam::Beam;
pub use compose::{Compose, Start};
pub use exhaustive::{All, exhaustive};
pub use gradient::Gradient;
pub use noise_edge::noise_edge;
pub use race::Race;

use crate::run_folder::RunFolder;
use crate::sweep::Sweep;
use crate::{Error, Result};
use laser_checkpoint::MatrixId;
use laser_engine::Candidate;
use laser_tasks::Score;
use std::cmp::Ordering;

/// How a search goes through its space. Run again over a journal that has all that it scored, it comes to the same end.
pub trait Strategy {
    /// Scores candidates on validation, where the unedited model has been scored.
    fn run(&self, sweep: &mut Sweep, space: &[Candidate], run: &RunFolder) -> Result<Account>;
}

/// Better first: by accuracy, then by log-loss.
fn by_score(a: &Score, b: &Score) -> Ordering {
    b.accuracy.total_cmp(&a.accuracy).then(a.log_loss.total_cmp(&b.log_loss))
}

/// Refuses a search over no layer or no matrix.
fn somewhere(layers: &[usize], matrices: &[MatrixId]) -> Result<()> {
    let empty = [(layers.is_empty(), "no layer was chosen"), (matrices.is_empty(), "no matrix was chosen")];
    match empty.into_iter().find(|(empty, _)| *empty) {
        Some((_, why)) => Err(Error::NoCandidates { why }),
        None => Ok(()),
    }
}

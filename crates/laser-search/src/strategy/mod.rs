//! Which candidates a search scores.

mod exhaustive;
mod noise_edge;

pub use exhaustive::exhaustive;
pub use noise_edge::noise_edge;

use crate::{Error, Result};
use laser_checkpoint::MatrixId;

/// Refuses a search over no layer or no matrix.
fn somewhere(layers: &[usize], matrices: &[MatrixId]) -> Result<()> {
    let empty = [(layers.is_empty(), "no layer was chosen"), (matrices.is_empty(), "no matrix was chosen")];
    match empty.into_iter().find(|(empty, _)| *empty) {
        Some((_, why)) => Err(Error::NoCandidates { why }),
        None => Ok(()),
    }
}

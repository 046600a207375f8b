//! Which candidates a search scores.

use crate::candidate::Candidate;
use crate::{Error, Result};
use laser_checkpoint::{Edit, Intervention, MatrixId};
use laser_linalg::Rho;

/// The paper's table 5: every layer, matrix and kept fraction, one at a time; ordered by layer, then matrix, then as
/// the fractions were given.
pub fn exhaustive(layers: &[usize], matrices: &[MatrixId], rhos: &[Rho]) -> Result<Vec<Candidate>> {
    let empty = [
        (layers.is_empty(), "no layer was chosen"),
        (matrices.is_empty(), "no matrix was chosen"),
        (rhos.is_empty(), "no rho was chosen"),
    ];
    if let Some((_, why)) = empty.into_iter().find(|(empty, _)| *empty) {
        return Err(Error::NoCandidates { why });
    }
    let different: Vec<Rho> = (0..rhos.len()).filter(|&i| !rhos[..i].contains(&rhos[i])).map(|i| rhos[i]).collect();
    let mut candidates = Vec::with_capacity(layers.len() * matrices.len() * different.len());
    for &layer in layers {
        for &matrix in matrices {
            for &rho in &different {
                candidates.push(Candidate::new([Intervention { layer, matrix, edit: Edit::Rho(rho) }])?);
            }
        }
    }
    Ok(candidates)
}

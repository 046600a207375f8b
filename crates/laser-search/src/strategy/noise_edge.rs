//! One rank a matrix: that which stands above its noise.

use super::somewhere;
use crate::{Error, Result};
use laser_checkpoint::{Config, Edit, Intervention, MatrixId};
use laser_engine::Candidate;
use laser_linalg::NoiseEdge;

/// For each layer and matrix the reduction to the singular values above the edge of the Marchenko-Pastur law that fits its bulk
/// (what laserRMT aims at): the task chooses among the matrices, and never the rank. `edge` gives a matrix's noise edge.
///
/// Of a mixture of experts every expert's matrix has its own. Matrices that are all signal are left out, and so are those that
/// are all noise, whose reduction would be nothing: [`NoiseEdge::rank`] is 0 for them.
pub fn noise_edge<E: From<Error>>(
    config: &Config,
    layers: &[usize],
    matrices: &[MatrixId],
    mut edge: impl FnMut(usize, MatrixId) -> Result<NoiseEdge, E>,
) -> Result<Vec<Candidate>, E> {
    somewhere(layers, matrices)?;
    let mut candidates = Vec::with_capacity(layers.len() * matrices.len());
    for &layer in layers {
        for &matrix in matrices {
            let [rows, cols] = matrix.kind.shape(config);
            let mut interventions = Vec::new();
            for matrix in matrix.each(config) {
                let rank = edge(layer, matrix)?.rank;
                if rank > 0 && rank < rows.min(cols) {
                    interventions.push(Intervention { layer, matrix, edit: Edit::Rank(rank) });
                }
            }
            if !interventions.is_empty() {
                candidates.push(Candidate::new(interventions).map_err(Error::from)?);
            }
        }
    }
    match candidates.is_empty() {
        true => {
            Err(Error::NoCandidates { why: "no matrix has singular values both above and below its noise edge" }.into())
        }
        false => Ok(candidates),
    }
}

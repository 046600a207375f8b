//! The candidates that a strategy starts from.

use crate::error::{Error, Result};
use laser_edit::{Candidate, Edit, Intervention, MatrixId, ModelShape};
use laser_matrix::Rho;
use std::num::NonZeroUsize;

/// The paper's table 5, one reduction at a time: every layer, matrix, number of row blocks and kept fraction, ordered by layer,
/// then matrix, then as the numbers of row blocks and the fractions were given. One block is the whole matrix, which may be
/// approximated at random as in the paper's code. `others` are further edits of each matrix, which come after the fractions.
///
/// # Errors
/// Nothing was chosen of one of them.
pub fn grid(
    layers: &[usize],
    matrices: &[MatrixId],
    blocks: &[NonZeroUsize],
    rhos: &[Rho],
    randomised: bool,
    others: &[Edit],
) -> Result<Vec<Candidate>> {
    somewhere(layers, matrices)?;
    if rhos.is_empty() || blocks.is_empty() {
        return Err(Error::NoCandidates { why: "no rho or no number of blocks was chosen" });
    }
    let (blocks, rhos) = (different(blocks), different(rhos));
    let mut edits: Vec<Edit> = Vec::with_capacity(blocks.len() * rhos.len() + others.len());
    for &blocks in &blocks {
        edits.extend(rhos.iter().map(|&rho| match blocks.get() {
            1 if randomised => Edit::randomised(rho),
            1 => Edit::rho(rho),
            _ => Edit::row_blocks(blocks, rho),
        }));
    }
    for other in others {
        if !edits.contains(other) {
            edits.push(other.clone());
        }
    }
    let mut candidates = Vec::with_capacity(layers.len() * matrices.len() * edits.len());
    for &layer in layers {
        for &matrix in matrices {
            for edit in &edits {
                candidates.push(Candidate::new([Intervention { layer, matrix, edit: edit.clone() }])?);
            }
        }
    }
    Ok(candidates)
}

/// One rank a matrix: for each layer and matrix the reduction to the singular values above the edge of the Marchenko-Pastur law
/// that fits its bulk (what laserRMT aims at). The task chooses among the matrices, and never the rank. `rank` gives how many
/// singular values of a matrix stand above its noise.
///
/// Of a mixture of experts every expert's matrix has its own. Matrices that are all signal are left out, and so are those that
/// are all noise, whose rank is 0 and whose reduction would be nothing.
///
/// # Errors
/// Nothing was chosen, `rank` fails, or every matrix is left out.
pub fn noise_edge<E: From<Error>>(
    shape: &impl ModelShape,
    layers: &[usize],
    matrices: &[MatrixId],
    mut rank: impl FnMut(usize, MatrixId) -> Result<usize, E>,
) -> Result<Vec<Candidate>, E> {
    somewhere(layers, matrices)?;
    let mut candidates = Vec::with_capacity(layers.len() * matrices.len());
    for &layer in layers {
        for &matrix in matrices {
            let [rows, cols] = shape.matrix_shape(matrix.kind);
            let mut interventions = Vec::new();
            for matrix in matrix.each(shape) {
                let rank = rank(layer, matrix)?;
                if rank > 0 && rank < rows.min(cols) {
                    interventions.push(Intervention { layer, matrix, edit: Edit::rank(rank) });
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

/// Refuses a search over no layer or no matrix.
fn somewhere(layers: &[usize], matrices: &[MatrixId]) -> Result<()> {
    let empty = [(layers.is_empty(), "no layer was chosen"), (matrices.is_empty(), "no matrix was chosen")];
    match empty.into_iter().find(|(empty, _)| *empty) {
        Some((_, why)) => Err(Error::NoCandidates { why }),
        None => Ok(()),
    }
}

/// The items without repetitions, in their order.
fn different<T: PartialEq + Copy>(items: &[T]) -> Vec<T> {
    (0..items.len()).filter(|&i| !items[..i].contains(&items[i])).map(|i| items[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use laser_edit::MatrixKind;

    #[test]
    fn one_candidate_for_each_combination_in_order() {
        let blocks = [1, 4, 1].map(|blocks| NonZeroUsize::new(blocks).unwrap());
        let rhos = [0.5, 0.1, 0.5].map(|rho| Rho::new(rho).unwrap());
        let matrices = [MatrixKind::FcIn.into(), MatrixKind::FcOut.into()];
        let candidates = grid(&[3, 7], &matrices, &blocks, &rhos, false, &[]).unwrap();
        let names: Vec<String> = candidates.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), 2 * 2 * 2 * 2);
        assert_eq!(names[..4], ["3.fc_in:0.5", "3.fc_in:0.1", "3.fc_in:blocks=4,0.5", "3.fc_in:blocks=4,0.1"]);
        assert_eq!(names[15], "7.fc_out:blocks=4,0.1");
        let others: Vec<Edit> = ["zero", "0.5", "prune=0.9"].map(|text| text.parse().unwrap()).to_vec();
        let candidates = grid(&[3], &matrices[..1], &[NonZeroUsize::MIN], &rhos, false, &others).unwrap();
        let names: Vec<String> = candidates.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["3.fc_in:0.5", "3.fc_in:0.1", "3.fc_in:zero", "3.fc_in:prune=0.9"]);
        assert!(grid(&[], &matrices, &blocks, &rhos, false, &[]).is_err());
        assert!(grid(&[1], &[], &blocks, &rhos, false, &[]).is_err());
        assert!(grid(&[1], &matrices, &blocks, &[], false, &[]).is_err());
    }

    /// Three layers of two matrices, 8 x 4 and 4 x 8, the second of two experts.
    struct Shape;

    impl ModelShape for Shape {
        fn layers(&self) -> usize {
            3
        }

        fn matrices(&self) -> &[MatrixKind] {
            &[MatrixKind::FcIn, MatrixKind::FcOut]
        }

        fn matrix_shape(&self, kind: MatrixKind) -> [usize; 2] {
            if kind == MatrixKind::FcIn { [8, 4] } else { [4, 8] }
        }

        fn experts(&self, kind: MatrixKind) -> Option<usize> {
            (kind == MatrixKind::FcOut).then_some(2)
        }
    }

    #[test]
    fn matrices_that_are_all_signal_or_all_noise_are_left_out() {
        let matrices = [MatrixKind::FcIn.into(), MatrixKind::FcOut.into()];
        let rank = |layer: usize, matrix: MatrixId| Ok::<_, Error>(layer * (1 + matrix.expert.unwrap_or(0)));
        let found = noise_edge(&Shape, &[0, 1, 2, 4], &matrices, rank).unwrap();
        let names: Vec<String> = found.iter().map(ToString::to_string).collect();
        let expected =
            ["1.fc_in:rank=1", "1.fc_out[0]:rank=1 1.fc_out[1]:rank=2", "2.fc_in:rank=2", "2.fc_out[0]:rank=2"];
        assert_eq!(names, expected);
        assert!(noise_edge(&Shape, &[0, 4], &matrices, |_, _| Ok::<_, Error>(0)).is_err());
    }
}

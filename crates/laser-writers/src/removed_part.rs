//! What an edit takes away from a matrix.

use std::{cell::RefCell, num::NonZeroUsize, ops::Range};

use laser_edit::Intervention;
use laser_linalg::DecomposedMatrix;
use laser_matrix::{Basis, Decompose, EditedMatrix, LowRank, Matrix, SvdError};

use crate::error::Result;

/// What an edit takes away.
pub(crate) enum Removed {
    /// Some singular components, of so few that they were computed.
    Components(LowRank),
    /// So many components, more than were to be computed.
    Many(usize),
    /// Something that is not a sum of singular components.
    Other,
}

/// What `edit` makes of the matrix, and what it takes away if that are at most `most` components.
pub(crate) fn removed_by(
    edit: &Intervention,
    matrix: &DecomposedMatrix,
    most: usize,
) -> Result<(EditedMatrix, Removed)> {
    let asked = Asked { matrix, kept: RefCell::default() };
    let edited = edit.apply(&asked)?;
    let full = matrix.matrix().rows().min(matrix.matrix().cols());
    let removed = match (&edited, asked.kept.into_inner()) {
        (EditedMatrix::LowRank(factors), _) if factors.rank() == 0 => Removed::Many(full),
        (EditedMatrix::LowRank(_), Some(kept)) => {
            let gaps = complement(&kept, full);
            let count = gaps.iter().map(Range::len).sum();
            if count <= most { Removed::Components(matrix.components(&gaps)?) } else { Removed::Many(count) }
        }
        (EditedMatrix::Dense(same), _) if same == matrix.matrix() => {
            Removed::Components(LowRank::zero(same.rows(), same.cols()))
        }
        _ => Removed::Other,
    };
    Ok((edited, removed))
}

/// The numbers below `full` that are in none of the rising ranges.
fn complement(ranges: &[Range<usize>], full: usize) -> Vec<Range<usize>> {
    let mut gaps = Vec::new();
    let mut start = 0;
    for range in ranges.iter().cloned().chain([full..full]) {
        if start < range.start.min(full) {
            gaps.push(start..range.start.min(full));
        }
        start = start.max(range.end);
    }
    gaps
}

/// A matrix that notes which components an edit keeps.
struct Asked<'a> {
    matrix: &'a DecomposedMatrix,
    kept: RefCell<Option<Vec<Range<usize>>>>,
}

impl Decompose for Asked<'_> {
    fn matrix(&self) -> &Matrix {
        self.matrix.matrix()
    }

    fn components(&self, kept: &[Range<usize>]) -> Result<LowRank, SvdError> {
        *self.kept.borrow_mut() = Some(kept.to_vec());
        self.matrix.components(kept)
    }

    fn row_blocks(&self, blocks: NonZeroUsize, rank: &dyn Fn(usize, usize) -> usize) -> Result<Matrix, SvdError> {
        self.matrix.row_blocks(blocks, rank)
    }

    fn randomised(&self, rank: usize, iterations: usize, seed: u64) -> Result<LowRank, SvdError> {
        self.matrix.randomised(rank, iterations, seed)
    }

    fn nearest(&self, basis: Basis, rank: usize) -> Result<LowRank, SvdError> {
        self.matrix.nearest(basis, rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_is_not_kept() {
        assert_eq!(complement(&[0..3], 5), [3..5]);
        assert_eq!(complement(&[2..9], 5), [0..2]);
        assert_eq!(complement(&[0..1, 3..5], 5), [1..3]);
        assert_eq!(complement(&[], 2), [0..2]);
        assert!(complement(&[0..2], 2).is_empty());
    }
}

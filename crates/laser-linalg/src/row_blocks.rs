//! Rank reduction of a matrix block by block.

use std::num::NonZeroUsize;

use crate::{Matrix, Rho, Svd, SvdError, rank_for};

/// Cuts the rows of `matrix` into `blocks` blocks and truncates each to the rank that `rho` keeps of its own shape.
/// The first rows % blocks blocks are one row taller than the others; more blocks than rows means one row a block.
pub fn truncate_row_blocks(matrix: &Matrix, blocks: NonZeroUsize, rho: Rho) -> Result<Matrix, SvdError> {
    let (rows, cols) = (matrix.rows(), matrix.cols());
    let mut result = Matrix::zeros(rows, cols);
    let mut first = 0;
    for block in 0..blocks.get().min(rows) {
        let height = rows / blocks + usize::from(block < rows % blocks);
        let mut part = Matrix::zeros(height, cols);
        part.view_mut().copy_from(matrix.view().subrows(first, height));
        let reduced = Svd::of(&part).map_err(|error| error.below(first))?.truncate(rank_for(rho, height, cols));
        result.view_mut().subrows_mut(first, height).copy_from(reduced.view());
        first += height;
    }
    Ok(result)
}

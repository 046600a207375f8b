//! Rank reduction of a matrix block by block.

use std::num::NonZeroUsize;

use crate::view::{view, view_mut};
use crate::{Matrix, Rho, Svd, SvdError, rank_for};

/// A matrix whose rows are cut into blocks, each decomposed by itself ("Compress to Impress", arXiv 2510.20800).
#[derive(Debug, Clone)]
pub struct RowBlocks {
    rows: usize,
    cols: usize,
    /// Height and decomposition of each block, from the top.
    parts: Vec<(usize, Svd)>,
}

impl RowBlocks {
    /// Cuts `matrix` into `blocks` blocks. The first rows % blocks of them are one row taller than the others; more blocks than
    /// rows means one row a block.
    pub fn of(matrix: &Matrix, blocks: NonZeroUsize) -> Result<Self, SvdError> {
        let (rows, cols) = (matrix.rows(), matrix.cols());
        let mut parts = Vec::with_capacity(blocks.get().min(rows));
        let mut first = 0;
        for block in 0..blocks.get().min(rows) {
            let height = rows / blocks + usize::from(block < rows % blocks);
            let mut part = Matrix::zeros(height, cols);
            view_mut(&mut part).copy_from(view(matrix).subrows(first, height));
            parts.push((height, Svd::of(&part).map_err(|error| below(error, first))?));
            first += height;
        }
        Ok(Self { rows, cols, parts })
    }

    /// The matrix with each block truncated to the rank that `rho` keeps of the block's own shape.
    pub fn truncate(&self, rho: Rho) -> Matrix {
        let mut result = Matrix::zeros(self.rows, self.cols);
        let mut first = 0;
        for (height, svd) in &self.parts {
            let reduced = svd.truncate(rank_for(rho, *height, self.cols));
            view_mut(&mut result).subrows_mut(first, *height).copy_from(view(&reduced));
            first += height;
        }
        result
    }
}

/// [`RowBlocks::truncate`] of a matrix that is reduced in no other way.
pub fn truncate_row_blocks(matrix: &Matrix, blocks: NonZeroUsize, rho: Rho) -> Result<Matrix, SvdError> {
    Ok(RowBlocks::of(matrix, blocks)?.truncate(rho))
}

/// The error of a block of rows as the error of the matrix in which `first` rows lie above the block.
fn below(error: SvdError, first: usize) -> SvdError {
    match error {
        SvdError::NonFinite { row, col } => SvdError::NonFinite { row: first + row, col },
        other => other,
    }
}

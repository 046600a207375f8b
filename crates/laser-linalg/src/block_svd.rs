//! The decompositions of a matrix's blocks of rows.

use std::num::NonZeroUsize;

use crate::product::product;
use crate::view::{view, view_mut};
use crate::{Matrix, Svd, SvdError};

/// A matrix whose rows are cut into blocks, each decomposed by itself.
#[derive(Debug, Clone)]
pub(crate) struct BlockSvd {
    rows: usize,
    cols: usize,
    /// Height and decomposition of each block, from the top.
    parts: Vec<(usize, Svd)>,
}

impl BlockSvd {
    /// Cuts `matrix` into `blocks` blocks, as [`Decompose::row_blocks`](crate::Decompose::row_blocks) says.
    pub(crate) fn of(matrix: &Matrix, blocks: NonZeroUsize) -> Result<Self, SvdError> {
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

    /// The matrix with each block truncated to `rank` of the block's shape.
    pub(crate) fn truncate(&self, rank: &dyn Fn(usize, usize) -> usize) -> Matrix {
        let mut result = Matrix::zeros(self.rows, self.cols);
        let mut first = 0;
        for (height, svd) in &self.parts {
            let part = product(&svd.components(&[0..rank(*height, self.cols)]));
            view_mut(&mut result).subrows_mut(first, *height).copy_from(view(&part));
            first += height;
        }
        result
    }
}

/// The error of a block of rows as the error of the matrix in which `first` rows lie above the block.
fn below(error: SvdError, first: usize) -> SvdError {
    match error {
        SvdError::NonFinite { row, col } => SvdError::NonFinite { row: first + row, col },
        other => other,
    }
}

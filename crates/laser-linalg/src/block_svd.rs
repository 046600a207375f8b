//! The decompositions of a matrix's blocks of rows.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::ops::Range;

use crate::careful_svd::CarefulSvd;
use crate::product::product;
use crate::view::{view, view_mut};
use laser_matrix::{Matrix, SvdError};

/// A matrix whose rows are cut into blocks, each decomposed by itself.
#[derive(Debug, Clone)]
pub(crate) struct BlockSvd {
    /// The rows and the decomposition of each block, from the top.
    parts: Vec<(Range<usize>, CarefulSvd)>,
}

impl BlockSvd {
    /// Cuts `matrix` into `blocks` blocks, as [`Decompose::row_blocks`](laser_matrix::Decompose::row_blocks) says.
    pub(crate) fn of(matrix: &Matrix, blocks: NonZeroUsize) -> Result<Self, SvdError> {
        let rows = matrix.rows();
        let mut parts = Vec::with_capacity(blocks.get().min(rows));
        let mut first = 0;
        for block in 0..blocks.get().min(rows) {
            let height = rows / blocks + usize::from(block < rows % blocks);
            let block = first..first + height;
            let svd = CarefulSvd::of(&cut(matrix, &block)).map_err(|error| below(error, first))?;
            parts.push((block, svd));
            first += height;
        }
        Ok(Self { parts })
    }

    /// `matrix`, of which these are the blocks, with each block truncated to `rank` of its shape.
    pub(crate) fn truncate(&self, matrix: &Matrix, rank: &dyn Fn(usize, usize) -> usize) -> Matrix {
        let mut result = Matrix::zeros(matrix.rows(), matrix.cols());
        for (block, svd) in &self.parts {
            let kept = 0..rank(block.len(), matrix.cols());
            let part = product(&svd.components(&[kept], || Cow::Owned(cut(matrix, block))));
            view_mut(&mut result).subrows_mut(block.start, block.len()).copy_from(view(&part));
        }
        result
    }

    /// How many decompositions of the matrix's size are kept.
    pub(crate) fn count(&self) -> usize {
        self.parts.iter().map(|(_, svd)| svd.count()).max().unwrap_or(0)
    }
}

fn cut(matrix: &Matrix, block: &Range<usize>) -> Matrix {
    let mut part = Matrix::zeros(block.len(), matrix.cols());
    view_mut(&mut part).copy_from(view(matrix).subrows(block.start, block.len()));
    part
}

/// The error of a block of rows as the error of the matrix in which `first` rows lie above the block.
fn below(error: SvdError, first: usize) -> SvdError {
    match error {
        SvdError::NonFinite { row, col } => SvdError::NonFinite { row: first + row, col },
        other => other,
    }
}

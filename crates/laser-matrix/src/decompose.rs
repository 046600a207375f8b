//! The decompositions that edits of a matrix ask for.

use std::num::NonZeroUsize;
use std::ops::Range;

use thiserror::Error;

use crate::{Basis, LowRank, Matrix};

/// A matrix W and its decompositions, W = sum of sigma_i u_i v_i^T with sigma_1 >= sigma_2 >= ... >= 0 in particular. Who
/// implements it may keep what it has computed for the next edit.
pub trait Decompose {
    /// W as it is.
    fn matrix(&self) -> &Matrix;

    /// The sum of sigma_i u_i v_i^T over the i, from 0, in `kept`: ranges that rise and do not overlap. What lies beyond
    /// min(rows, cols) is left out.
    ///
    /// # Errors
    /// If W has no decomposition.
    fn components(&self, kept: &[Range<usize>]) -> Result<LowRank, SvdError>;

    /// W with its rows cut into `blocks` blocks, each reduced to its best approximation of rank `rank(rows, cols)` of the
    /// block's own shape. The first rows % blocks of them are one row taller than the others; more blocks than rows means
    /// one row per block.
    ///
    /// # Errors
    /// If a block has no decomposition.
    fn row_blocks(&self, blocks: NonZeroUsize, rank: &dyn Fn(usize, usize) -> usize) -> Result<Matrix, SvdError>;

    /// W Q Q^T for a Q of `rank` orthonormal columns, found by `iterations` power iterations on a Gaussian matrix drawn by
    /// `seed` (Halko, Martinsson and Tropp, arXiv 0909.4061, algorithm 4.4).
    ///
    /// # Errors
    /// If an entry of W is not a finite number.
    fn randomised(&self, rank: usize, iterations: usize, seed: u64) -> Result<LowRank, SvdError>;

    /// The W' of rank at most `rank` that is nearest to W as `basis` measures it. Those of lower ranks are nested in it.
    ///
    /// # Errors
    /// If what the basis is taken from is not known.
    fn nearest(&self, basis: Basis, rank: usize) -> Result<LowRank, SvdError>;
}

/// Why a matrix has no decomposition.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SvdError {
    /// An entry is infinite or not a number.
    #[error("the entry in row {row}, column {col} is not a finite number")]
    NonFinite {
        /// Its row, from 0.
        row: usize,
        /// Its column, from 0.
        col: usize,
    },
    /// The largest singular value is above the largest f32.
    #[error("a singular value of the {rows} x {cols} matrix is too large for a 32-bit float")]
    Overflow {
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        cols: usize,
    },
    /// A basis is asked for, and what it is taken from is not known.
    #[error("what goes through the matrix was not observed on a calibration text, or its neighbours are not known")]
    NoBasis,
    /// No algorithm gave an answer.
    #[error("no singular value decomposition of the {rows} x {cols} matrix converged")]
    NoConvergence {
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        cols: usize,
    },
}

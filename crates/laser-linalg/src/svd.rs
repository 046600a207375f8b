//! The exact thin singular value decomposition W = U S V^T, with fallbacks.
//!
//! U is rows x k, V is cols x k, k = min(rows, cols), S = diag(sigma_1 >= ... >= sigma_k >= 0).
//! Equal input gives bitwise equal output whatever the number of threads.

use std::ops::Range;

use crate::fallback::{FALLBACKS, PRECISE, SvdAlgorithm, first_of};
use crate::scale::{Normalised, scaled_back};
use crate::thin::{Thin, tolerance};
use laser_matrix::{LowRank, Matrix, SvdError};

/// A cut between singular values whose gap is a smaller part of them is a close one.
const CLOSE: f64 = 1e-3;

/// A thin singular value decomposition.
#[derive(Clone, Debug)]
pub struct Svd {
    /// Of W / 2^exponent. Singular values of a small W can be below the smallest normal f32, where they have few digits;
    /// those of the normalised matrix are not.
    thin: Thin<f32>,
    exponent: i32,
    sigma: Vec<f32>,
}

impl Svd {
    /// The decomposition of `matrix`, exact up to f32 rounding.
    ///
    /// # Errors
    /// If an entry is not finite, a singular value is above the largest f32, or no algorithm converges.
    pub fn of(matrix: &Matrix) -> Result<Self, SvdError> {
        Self::by(&FALLBACKS, matrix)
    }

    /// The decomposition of `matrix` in f64, rounded to f32 at the end.
    ///
    /// # Errors
    /// Those of [`Self::of`].
    pub(crate) fn in_f64(matrix: &Matrix) -> Result<Self, SvdError> {
        Self::by(&PRECISE, matrix)
    }

    fn by(algorithms: &[SvdAlgorithm], matrix: &Matrix) -> Result<Self, SvdError> {
        let (rows, cols) = (matrix.rows(), matrix.cols());
        let normalised = Normalised::of(matrix)?;
        let exponent = normalised.exponent();
        let thin = first_of(algorithms, normalised).ok_or(SvdError::NoConvergence { rows, cols })?;
        let sigma = scaled_back(&thin.sigma, exponent).ok_or(SvdError::Overflow { rows, cols })?;
        Ok(Self { thin, exponent, sigma })
    }

    /// sigma_1 >= ... >= sigma_k >= 0, k = min(rows, cols).
    pub fn singular_values(&self) -> &[f32] {
        &self.sigma
    }

    /// Whether `kept`, as for [`Self::components`], ends or begins between two singular values that are nearly equal. The
    /// error of their vectors is about eps sigma_1 over their gap, and each side of such a cut takes much of it: 1e-4 and more
    /// in f32. Where both values are no more than rounding, so is what the cut tells apart.
    pub(crate) fn has_close_cut(&self, kept: &[Range<usize>]) -> bool {
        let sigma = &self.thin.sigma;
        let largest = f64::from(sigma.first().copied().unwrap_or(0.0));
        let rounding = tolerance(self.thin.u.nrows(), self.thin.v.nrows(), largest);
        kept.iter().flat_map(|range| [range.start, range.end]).any(|cut| {
            if cut == 0 || cut >= sigma.len() {
                return false;
            }
            let (above, below) = (f64::from(sigma[cut - 1]), f64::from(sigma[cut]));
            above > rounding && above - below < CLOSE * above
        })
    }

    /// The sum of sigma_i u_i v_i^T over the i, from 0, in `kept`: ranges that rise and do not overlap. What lies beyond k is
    /// left out. `&[0..r]` gives the best approximation of rank r (Eckart and Young 1936), `&[r..k]` what that removes.
    pub fn components(&self, kept: &[Range<usize>]) -> LowRank {
        let Thin { u, sigma, v } = &self.thin;
        let k = sigma.len();
        let kept: Vec<usize> = kept.iter().flat_map(|range| range.start.min(k)..range.end.min(k)).collect();
        let shape = [u.nrows(), v.nrows()];
        LowRank::from_fn(
            shape,
            kept.len(),
            self.exponent,
            |i, n| u[(i, kept[n])],
            |n| sigma[kept[n]],
            |j, n| v[(j, kept[n])],
        )
    }
}

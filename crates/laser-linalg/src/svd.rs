//! The exact thin singular value decomposition W = U S V^T, with fallbacks.
//!
//! U is rows x k, V is cols x k, k = min(rows, cols), S = diag(sigma_1 >= ... >= sigma_k >= 0).
//! Equal input gives bitwise equal output whatever the number of threads.

use std::ops::Range;

use faer::{Mat, MatRef};

use crate::ladder::{LADDER, climb};
use crate::view::view;
use crate::{LowRank, Matrix, SvdError, values};

/// A thin singular value decomposition.
#[derive(Clone, Debug)]
pub struct Svd {
    /// rows x k, orthonormal columns.
    pub(crate) u: Mat<f32>,
    /// k values, falling.
    pub(crate) sigma: Vec<f32>,
    /// cols x k, orthonormal columns.
    pub(crate) v: Mat<f32>,
}

impl Svd {
    /// The decomposition of `matrix`, exact up to f32 rounding.
    pub fn of(matrix: &Matrix) -> Result<Self, SvdError> {
        let (scaled, exponent) = scaled(matrix)?;
        let (rows, cols) = scaled.shape();
        let mut svd = LADDER
            .iter()
            .filter_map(|&rung| climb(rung, scaled.as_ref()))
            .find(|svd| svd.reproduces(scaled.as_ref()))
            .ok_or(SvdError::NoConvergence { rows, cols })?;
        svd.sigma = scaled_back(svd.sigma, exponent).ok_or(SvdError::Overflow { rows, cols })?;
        Ok(svd)
    }

    /// sigma_1 >= ... >= sigma_k >= 0, k = min(rows, cols).
    pub fn singular_values(&self) -> &[f32] {
        &self.sigma
    }

    /// The sum of sigma_i u_i v_i^T over the i, from 0, in `kept`: ranges that rise and do not overlap. What lies beyond k is
    /// left out. `&[0..r]` gives the best approximation of rank r (Eckart and Young 1936), `&[r..k]` what that removes.
    pub fn components(&self, kept: &[Range<usize>]) -> LowRank {
        let k = self.sigma.len();
        let kept: Vec<usize> = kept.iter().flat_map(|range| range.start.min(k)..range.end.min(k)).collect();
        let shape = [self.u.nrows(), self.v.nrows()];
        let (u, v) = (|i, n: usize| self.u[(i, kept[n])], |j, n: usize| self.v[(j, kept[n])]);
        LowRank::from_fn(shape, kept.len(), 0, u, |n| self.sigma[kept[n]], v)
    }

    /// Whether U S V^T acts on a vector of signs, and weighs in the Frobenius norm, as `matrix` does: a check in
    /// O(rows * cols) that finds an answer which a rung took for converged and is not.
    pub(crate) fn reproduces(&self, matrix: MatRef<'_, f32>) -> bool {
        let (rows, cols) = (matrix.nrows(), matrix.ncols());
        let mut residual = vec![0.0_f64; rows];
        let mut squares = 0.0_f64;
        for j in 0..cols {
            for (i, r) in residual.iter_mut().enumerate() {
                let x = f64::from(matrix[(i, j)]);
                *r += probe_sign(j) * x;
                squares += x * x;
            }
        }
        for (k, &sigma) in self.sigma.iter().enumerate() {
            let projection: f64 = (0..cols).map(|j| probe_sign(j) * f64::from(self.v[(j, k)])).sum();
            let weight = f64::from(sigma) * projection;
            for (i, r) in residual.iter_mut().enumerate() {
                *r -= weight * f64::from(self.u[(i, k)]);
            }
        }
        let norm = squares.sqrt();
        let error = residual.iter().map(|r| r * r).sum::<f64>().sqrt();
        let sigmas = self.sigma.iter().map(|&s| f64::from(s) * f64::from(s));
        let tolerance = tolerance(rows, cols, norm);
        // NaN fails each comparison.
        self.sigma.windows(2).all(|pair| pair[0] >= pair[1])
            && error <= tolerance
            && (sigmas.sum::<f64>().sqrt() - norm).abs() <= tolerance
    }
}

/// The singular values of `matrix` without the vectors, falling: those of [`Svd::of`] up to f32 rounding.
pub(crate) fn singular_values(matrix: &Matrix) -> Result<Vec<f32>, SvdError> {
    let (scaled, exponent) = scaled(matrix)?;
    let (rows, cols) = scaled.shape();
    match values::singular_values(scaled.as_ref()) {
        Some(sigma) => scaled_back(sigma, exponent).ok_or(SvdError::Overflow { rows, cols }),
        None => Ok(Svd::of(matrix)?.sigma),
    }
}

/// The matrix divided by the power of two next to its largest entry, and the exponent: squares of the entries must neither
/// overflow nor vanish, and a power of two changes no digit.
pub(crate) fn scaled(matrix: &Matrix) -> Result<(Mat<f32>, i32), SvdError> {
    let (rows, cols) = (matrix.rows(), matrix.cols());
    if let Some(at) = matrix.data().iter().position(|x| !x.is_finite()) {
        return Err(SvdError::NonFinite { row: at / cols, col: at % cols });
    }
    let exponent = largest_exponent(matrix);
    let view = view(matrix);
    Ok((Mat::from_fn(rows, cols, |i, j| times_power_of_two(view[(i, j)], -exponent)), exponent))
}

/// None where a value is above the largest f32.
fn scaled_back(mut sigma: Vec<f32>, exponent: i32) -> Option<Vec<f32>> {
    for sigma in &mut sigma {
        *sigma = times_power_of_two(*sigma, exponent);
    }
    sigma.iter().all(|sigma| sigma.is_finite()).then_some(sigma)
}

/// Entry `j` of the vector x on which an answer is checked. For signs drawn at random the mean of ||E x||^2 is ||E||_F^2.
pub(crate) fn probe_sign(j: usize) -> f64 {
    let hash = (j as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    if hash.count_ones().is_multiple_of(2) { 1.0 } else { -1.0 }
}

/// How far an answer in f32 may be from a matrix of this Frobenius norm.
pub(crate) fn tolerance(rows: usize, cols: usize, norm: f64) -> f64 {
    16.0 * f64::from(f32::EPSILON) * (rows.max(cols) as f64).sqrt() * norm
}

/// The e with 2^e <= max |entry| < 2^(e + 1); 0 for a zero or empty matrix.
fn largest_exponent(matrix: &Matrix) -> i32 {
    let largest = matrix.data().iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    if largest == 0.0 {
        0
    } else {
        // Every f32, subnormal ones too, is a normal f64.
        ((f64::from(largest).to_bits() >> 52) as i32) - 1023
    }
}

pub(crate) fn times_power_of_two(x: f32, exponent: i32) -> f32 {
    (f64::from(x) * 2.0_f64.powi(exponent)) as f32
}

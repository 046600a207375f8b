//! Matrices of any scale: decomposed is the matrix over a power of two.

use std::ops::Range;

use faer::{Mat, MatRef};

use crate::view::view;
use laser_matrix::{Matrix, SvdError};

/// A matrix divided by the power of two next to its largest entry: squares of the entries must neither overflow nor vanish,
/// and a power of two changes no digit. Entries are divided as they are asked for, since a copy may be hundreds of megabytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Normalised<'a> {
    matrix: MatRef<'a, f32>,
    exponent: i32,
    factor: f64,
}

impl<'a> Normalised<'a> {
    pub(crate) fn of(matrix: &'a Matrix) -> Result<Self, SvdError> {
        let cols = matrix.cols();
        if let Some(at) = matrix.data().iter().position(|x| !x.is_finite()) {
            return Err(SvdError::NonFinite { row: at / cols, col: at % cols });
        }
        let exponent = largest_exponent(matrix);
        Ok(Self { matrix: view(matrix), exponent, factor: 2.0_f64.powi(-exponent) })
    }

    /// A matrix that needs no division.
    #[cfg(test)]
    pub(crate) fn as_is(matrix: MatRef<'a, f32>) -> Self {
        Self { matrix, exponent: 0, factor: 1.0 }
    }

    /// The matrix is this one times two to this power.
    pub(crate) fn exponent(self) -> i32 {
        self.exponent
    }

    /// Rows and columns.
    pub(crate) fn shape(self) -> (usize, usize) {
        self.matrix.shape()
    }

    pub(crate) fn transpose(self) -> Self {
        Self { matrix: self.matrix.transpose(), ..self }
    }

    pub(crate) fn at(self, row: usize, col: usize) -> f32 {
        (f64::from(self.matrix[(row, col)]) * self.factor) as f32
    }

    pub(crate) fn to_f32(self) -> Mat<f32> {
        let (rows, cols) = self.shape();
        Mat::from_fn(rows, cols, |i, j| self.at(i, j))
    }

    pub(crate) fn to_f64(self) -> Mat<f64> {
        self.rows_to_f64(0..self.matrix.nrows())
    }

    /// Some of its rows.
    pub(crate) fn rows_to_f64(self, rows: Range<usize>) -> Mat<f64> {
        Mat::from_fn(rows.len(), self.matrix.ncols(), |i, j| self.at(rows.start + i, j).into())
    }
}

/// The singular values of the matrix that was divided by 2^exponent. None where one is above the largest f32.
pub(crate) fn scaled_back(sigma: &[f32], exponent: i32) -> Option<Vec<f32>> {
    let sigma: Vec<f32> = sigma.iter().map(|&sigma| times_power_of_two(sigma, exponent)).collect();
    sigma.iter().all(|sigma| sigma.is_finite()).then_some(sigma)
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

fn times_power_of_two(x: f32, exponent: i32) -> f32 {
    (f64::from(x) * 2.0_f64.powi(exponent)) as f32
}

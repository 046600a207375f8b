//! Matrices of any scale: decomposed is the matrix over a power of two.

use faer::Mat;

use crate::view::view;
use laser_matrix::{Matrix, SvdError};

/// The matrix divided by the power of two next to its largest entry, and the exponent: squares of the entries must neither
/// overflow nor vanish, and a power of two changes no digit.
pub(crate) fn normalised(matrix: &Matrix) -> Result<(Mat<f32>, i32), SvdError> {
    let (rows, cols) = (matrix.rows(), matrix.cols());
    if let Some(at) = matrix.data().iter().position(|x| !x.is_finite()) {
        return Err(SvdError::NonFinite { row: at / cols, col: at % cols });
    }
    let exponent = largest_exponent(matrix);
    let view = view(matrix);
    Ok((Mat::from_fn(rows, cols, |i, j| times_power_of_two(view[(i, j)], -exponent)), exponent))
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

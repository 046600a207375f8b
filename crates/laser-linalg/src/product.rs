//! Edited matrices with all their entries.

use std::num::NonZeroUsize;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use crate::view::view_mut;
use laser_matrix::{EditedMatrix, LowRank, Matrix};

/// Into how many parts faer cuts a large product: a constant, as the way that a sum is grouped could depend on it.
pub(crate) const PARTS: Par = Par::Rayon(NonZeroUsize::new(8).unwrap());

/// An edited matrix with all its entries. The same factors give the same bits whatever the number of threads.
pub fn dense(edited: EditedMatrix) -> Matrix {
    match edited {
        EditedMatrix::Dense(matrix) => matrix,
        EditedMatrix::Sparse(sparse) => sparse.to_dense(),
        EditedMatrix::LowRank(factors) => product(&factors),
    }
}

/// W = 2^e U diag(s) V^T.
pub fn product(factors: &LowRank) -> Matrix {
    let mut product = Matrix::zeros(factors.rows(), factors.cols());
    // faer takes the columns one by one, so that they are laid out so.
    let columns = |matrix: &Matrix, by: &dyn Fn(usize) -> f32| {
        Mat::from_fn(matrix.rows(), matrix.cols(), |i, k| matrix.data()[i * matrix.cols() + k] * by(k))
    };
    let weighted = columns(factors.u(), &|k| factors.s()[k]);
    let v = columns(factors.v(), &|_| 1.0);
    matmul(view_mut(&mut product), Accum::Replace, weighted.as_ref(), v.transpose(), 1.0, PARTS);
    scale(product.data_mut(), factors.exponent());
    product
}

/// Multiplies by 2^exponent.
fn scale(values: &mut [f32], exponent: i32) {
    if exponent != 0 {
        let factor = 2.0_f64.powi(exponent);
        values.iter_mut().for_each(|x| *x = (f64::from(*x) * factor) as f32);
    }
}

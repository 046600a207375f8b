//! The nearest matrices of low rank where the distance is measured by a curvature.
//!
//! With L L^T = C the second moments of the inputs and M M^T = G those of the gradients by the outputs (I without them), the
//! distance of W' from W is ||M^T (W' - W) L||_F. By Eckart and Young the nearest W' of rank r has M^T W' L = U_r U_r^T M^T W L,
//! U the left singular vectors of M^T W L: W' = (M^-T U_r) (U_r^T M^T W). With C alone this is what SVD-LLM (arXiv 2403.07378)
//! calls truncation-aware whitening.
//!
//! Matrices W_1 ... W_n of neighbouring layers that share one factor of rank r are nearest as W_i V_r V_r^T, V the eigenvectors
//! of W_1^T W_1 + ... + W_n^T W_n from the largest on (or U_r U_r^T W_i, where they share the outputs' factor). TRAWL (arXiv
//! 2406.17261) decomposes such a stack as a tensor.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_upper_triangular_in_place;
use faer::{Accum, Mat, MatRef, Par};

use crate::fallback::{eigenvectors, in_f64};
use crate::product::PARTS;
use crate::scale::Normalised;
use crate::view::view;
use laser_matrix::{LowRank, Matrix, Stack, SvdError};

/// What is added to the diagonal of second moments, as a part of its mean: directions that few tokens took must not count as
/// nothing.
const DAMPING: f64 = 0.01;

/// The nearest matrices of all ranks to one matrix.
#[derive(Clone, Debug)]
pub(crate) struct Nearest {
    /// rows x k, columns of norm 1: those of M^-T U.
    left: Mat<f32>,
    /// The product of the columns' norms.
    weights: Vec<f32>,
    /// cols x k, columns of norm 1: those of W^T M U, of the matrix divided by 2^exponent.
    right: Mat<f32>,
    exponent: i32,
}

impl Nearest {
    /// To `matrix`, of whose inputs and gradients by outputs some were observed, a row for each token.
    pub(crate) fn of(matrix: &Matrix, inputs: &Matrix, gradients: Option<&Matrix>) -> Result<Self, SvdError> {
        let (rows, cols) = (matrix.rows(), matrix.cols());
        let none = || SvdError::NoConvergence { rows, cols };
        let normalised = Normalised::of(matrix)?;
        let m = gradients.map(|seen| moment_root(seen, rows)).transpose()?;
        let w = normalised.to_f64();
        // M^T W.
        let weighed = match &m {
            Some(m) => times(m.transpose(), w.as_ref()),
            None => w,
        };
        let measured = times(weighed.as_ref(), moment_root(inputs, cols)?.as_ref());
        let mut left = in_f64(measured.as_ref()).ok_or_else(none)?.u;
        let right = times(weighed.transpose(), left.as_ref());
        if let Some(m) = &m {
            solve_upper_triangular_in_place(m.transpose(), left.as_mut(), Par::Seq);
        }
        Ok(Self::product(left, right, normalised.exponent()))
    }

    /// To `matrix`, one of a stack.
    pub(crate) fn in_stack(matrix: &Matrix, stack: &Stack) -> Result<Self, SvdError> {
        let (rows, cols) = (matrix.rows(), matrix.cols());
        let side = if stack.shares_outputs { rows } else { cols };
        let mut squares = Mat::<f64>::zeros(side, side);
        for neighbour in &stack.matrices {
            finite(neighbour)?;
            let w = to_f64(neighbour);
            let (a, b) = if stack.shares_outputs { (w.as_ref(), w.transpose()) } else { (w.transpose(), w.as_ref()) };
            matmul(squares.as_mut(), Accum::Add, a, b, 1.0, PARTS);
        }
        let shared = eigenvectors(squares.as_ref()).ok_or(SvdError::NoConvergence { rows, cols })?;
        let shared = Mat::from_fn(side, rows.min(cols), |i, j| shared[(i, j)]);
        let normalised = Normalised::of(matrix)?;
        let w = normalised.to_f64();
        let other = if stack.shares_outputs { w.transpose() } else { w.as_ref() };
        let other = times(other, shared.as_ref());
        let (left, right) = if stack.shares_outputs { (shared, other) } else { (other, shared) };
        Ok(Self::product(left, right, normalised.exponent()))
    }

    /// 2^exponent times the product of `left` and the transpose of `right`.
    fn product(mut left: Mat<f64>, mut right: Mat<f64>, exponent: i32) -> Self {
        let mut weights = vec![1.0_f64; left.ncols()];
        for matrix in [&mut left, &mut right] {
            for (k, weight) in weights.iter_mut().enumerate() {
                let norm = matrix.col(k).norm_l2();
                *weight *= norm;
                if norm > 0.0 {
                    matrix.col_mut(k).iter_mut().for_each(|x| *x /= norm);
                }
            }
        }
        let weights = weights.into_iter().map(|weight| weight as f32).collect();
        Self { left: narrow(&left), weights, right: narrow(&right), exponent }
    }

    /// The nearest of rank `rank`.
    pub(crate) fn rank(&self, rank: usize) -> LowRank {
        let rank = rank.min(self.left.ncols());
        let shape = [self.left.nrows(), self.right.nrows()];
        LowRank::from_fn(
            shape,
            rank,
            self.exponent,
            |i, k| self.left[(i, k)],
            |k| self.weights[k],
            |j, k| self.right[(j, k)],
        )
    }
}

/// A lower triangular L with L L^T = X^T X / c + [`DAMPING`] I, where c makes the mean of the diagonal of the first term 1.
/// The identity where all of `seen`, X `[tokens, width]`, is zero or nothing was seen.
fn moment_root(seen: &Matrix, width: usize) -> Result<Mat<f64>, SvdError> {
    finite(seen)?;
    let x = to_f64(seen);
    let mut moments = times(x.transpose(), x.as_ref());
    let mean = (0..width).map(|i| moments[(i, i)]).sum::<f64>() / width as f64;
    if mean.is_nan() || mean <= 0.0 {
        return Ok(Mat::identity(width, width));
    }
    for j in 0..width {
        moments.col_mut(j).iter_mut().for_each(|entry| *entry /= mean);
        moments[(j, j)] += DAMPING;
    }
    let scratch = cholesky_in_place_scratch::<f64>(width, Par::Seq, Default::default());
    let stack = &mut MemBuffer::new(scratch);
    cholesky_in_place(moments.as_mut(), Default::default(), Par::Seq, MemStack::new(stack), Default::default())
        .map_err(|_| SvdError::NoConvergence { rows: width, cols: width })?;
    // What stands above the diagonal is left as it was.
    for j in 1..width {
        moments.col_mut(j).iter_mut().take(j).for_each(|entry| *entry = 0.0);
    }
    Ok(moments)
}

fn finite(matrix: &Matrix) -> Result<(), SvdError> {
    match matrix.data().iter().position(|x| !x.is_finite()) {
        Some(at) => Err(SvdError::NonFinite { row: at / matrix.cols(), col: at % matrix.cols() }),
        None => Ok(()),
    }
}

fn to_f64(matrix: &Matrix) -> Mat<f64> {
    let view = view(matrix);
    Mat::from_fn(matrix.rows(), matrix.cols(), |i, j| view[(i, j)].into())
}

fn narrow(matrix: &Mat<f64>) -> Mat<f32> {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)] as f32)
}

fn times(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut product = Mat::zeros(a.nrows(), b.ncols());
    matmul(product.as_mut(), Accum::Replace, a, b, 1.0, PARTS);
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Svd, product};

    fn matrix(rows: usize, cols: usize, seed: usize) -> Matrix {
        Matrix::from_fn(rows, cols, |i, j| ((i * 31 + j * 17 + i * j + seed * (i + 2 * j)) % 23) as f32 / 23.0 - 0.5)
    }

    /// ||M^T (a - b) L||_F.
    fn distance(a: &Matrix, b: &Matrix, inputs: &Matrix, gradients: Option<&Matrix>) -> f64 {
        let apart = Mat::from_fn(a.rows(), a.cols(), |i, j| {
            f64::from(a.data()[i * a.cols() + j]) - f64::from(b.data()[i * a.cols() + j])
        });
        let right = times(apart.as_ref(), moment_root(inputs, a.cols()).unwrap().as_ref());
        match gradients {
            Some(seen) => times(moment_root(seen, a.rows()).unwrap().transpose(), right.as_ref()).norm_l2(),
            None => right.norm_l2(),
        }
    }

    #[test]
    fn without_structure_in_what_was_seen_it_is_plain_truncation() {
        for (rows, cols) in [(9, 14), (14, 9)] {
            let w = matrix(rows, cols, 0);
            let plain = Svd::of(&w).unwrap();
            for seen in [Matrix::zeros(0, cols), Matrix::zeros(5, cols)] {
                let nearest = Nearest::of(&w, &seen, Some(&Matrix::zeros(5, rows))).unwrap();
                for rank in [0, 1, 4, 9] {
                    let (a, b) = (product(&nearest.rank(rank)), product(&plain.components(&[0..rank])));
                    assert!(a.data().iter().zip(b.data()).all(|(a, b)| (a - b).abs() < 1e-5), "{rank}");
                }
            }
        }
    }

    #[test]
    fn it_is_nearer_than_plain_truncation_and_full_rank_changes_nothing() {
        for (rows, cols) in [(9, 14), (14, 9), (6, 30), (30, 6)] {
            let w = matrix(rows, cols, 1);
            let (inputs, gradients) = (matrix(40, cols, 2), matrix(25, rows, 3));
            let plain = Svd::of(&w).unwrap();
            for gradients in [None, Some(&gradients)] {
                let nearest = Nearest::of(&w, &inputs, gradients).unwrap();
                for rank in [1, 2, 5] {
                    let (a, b) = (product(&nearest.rank(rank)), product(&plain.components(&[0..rank])));
                    let (near, far) = (distance(&w, &a, &inputs, gradients), distance(&w, &b, &inputs, gradients));
                    assert!(near < far, "{rows} x {cols}, rank {rank}: {near} {far}");
                }
                let whole = product(&nearest.rank(rows.min(cols)));
                assert!(whole.data().iter().zip(w.data()).all(|(a, b)| (a - b).abs() < 1e-5));
            }
        }
    }

    #[test]
    fn a_stack_is_cut_as_one_matrix() {
        for shares_outputs in [false, true] {
            let matrices: Vec<Matrix> = (0..3).map(|seed| matrix(10, 7, seed)).collect();
            let stack = Stack { matrices: matrices.clone(), shares_outputs };
            // One above the other, or side by side.
            let whole =
                Matrix::from_fn(if shares_outputs { 10 } else { 30 }, if shares_outputs { 21 } else { 7 }, |i, j| {
                    matrices[if shares_outputs { j / 7 } else { i / 10 }].data()[i % 10 * 7 + j % 7]
                });
            let best = product(&Svd::of(&whole).unwrap().components(&[0..3]));
            for (number, own) in matrices.iter().enumerate() {
                let found = product(&Nearest::in_stack(own, &stack).unwrap().rank(3));
                for (at, value) in found.data().iter().enumerate() {
                    let (i, j) = (at / 7, at % 7);
                    let (row, col) = if shares_outputs { (i, number * 7 + j) } else { (number * 10 + i, j) };
                    assert!((best.data()[row * whole.cols() + col] - value).abs() < 1e-5);
                }
                let one = Stack { matrices: vec![own.clone()], shares_outputs };
                let (alone, plain) = (Nearest::in_stack(own, &one).unwrap(), Svd::of(own).unwrap());
                let (alone, plain) = (product(&alone.rank(2)), product(&plain.components(&[0..2])));
                assert!(alone.data().iter().zip(plain.data()).all(|(a, b)| (a - b).abs() < 1e-5));
            }
        }
    }

    #[test]
    fn the_scale_of_what_was_seen_and_of_the_matrix_does_not_matter() {
        let (w, inputs, gradients) = (matrix(8, 12, 1), matrix(30, 12, 2), matrix(30, 8, 3));
        let times = |matrix: &Matrix, factor: f32| {
            Matrix::from_fn(matrix.rows(), matrix.cols(), |i, j| matrix.data()[i * matrix.cols() + j] * factor)
        };
        let expected = product(&Nearest::of(&w, &inputs, Some(&gradients)).unwrap().rank(3));
        let powers = [1e-30, 1e30].map(|factor: f32| factor.log2().round().exp2());
        for factor in powers {
            let found = Nearest::of(&w, &times(&inputs, factor), Some(&times(&gradients, factor))).unwrap();
            assert_eq!(product(&found.rank(3)), expected);
            let found = Nearest::of(&times(&w, factor), &inputs, Some(&gradients)).unwrap();
            assert_eq!(product(&found.rank(3)), times(&expected, factor));
        }
        let bad = Matrix::from_fn(2, 12, |_, j| if j == 3 { f32::NAN } else { 1.0 });
        assert_eq!(Nearest::of(&w, &bad, None).unwrap_err(), SvdError::NonFinite { row: 0, col: 3 });
    }
}

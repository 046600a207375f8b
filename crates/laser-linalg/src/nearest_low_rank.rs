//! The nearest matrices of low rank where the distance is measured by a curvature.
//!
//! With L L^T = C the second moments of the inputs and M M^T = G those of the gradients by the outputs (I without them), the
//! distance of W' from W is ||M^T (W' - W) L||_F. By Eckart and Young the nearest W' of rank r has M^T W' L = U_r U_r^T M^T W L,
//! U the left singular vectors of M^T W L: W' = (M^-T U_r) (U_r^T M^T W). With C alone this is what SVD-LLM (arXiv 2403.07378)
//! calls truncation-aware whitening.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_upper_triangular_in_place;
use faer::{Accum, Mat, MatRef, Par};

use crate::fallback::in_f64;
use crate::product::PARTS;
use crate::scale::normalised;
use crate::thin::to_f64;
use crate::view::view;
use laser_matrix::{LowRank, Matrix, SvdError};

/// What is added to the diagonal of second moments, as a part of its mean: directions that few tokens took must not count as
/// nothing.
const DAMPING: f64 = 0.01;

/// The nearest matrices of all ranks to one matrix.
#[derive(Clone, Debug)]
pub(crate) struct Nearest {
    /// rows x k: M^-T U.
    left: Mat<f32>,
    /// cols x k: W^T M U, of the matrix divided by 2^exponent.
    right: Mat<f32>,
    exponent: i32,
}

impl Nearest {
    /// To `matrix`, of whose inputs and gradients by outputs some were observed, a row for each token.
    pub(crate) fn of(matrix: &Matrix, inputs: &Matrix, gradients: Option<&Matrix>) -> Result<Self, SvdError> {
        let (rows, cols) = (matrix.rows(), matrix.cols());
        let none = || SvdError::NoConvergence { rows, cols };
        let (normalised, exponent) = normalised(matrix)?;
        let m = gradients.map(|seen| moment_root(seen, rows)).transpose()?;
        let w = to_f64(normalised.as_ref());
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
        let narrow = |m: &Mat<f64>| Mat::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)] as f32);
        Ok(Self { left: narrow(&left), right: narrow(&right), exponent })
    }

    /// The nearest of rank `rank`.
    pub(crate) fn rank(&self, rank: usize) -> LowRank {
        let rank = rank.min(self.left.ncols());
        let shape = [self.left.nrows(), self.right.nrows()];
        LowRank::from_fn(shape, rank, self.exponent, |i, k| self.left[(i, k)], |_| 1.0, |j, k| self.right[(j, k)])
    }
}

/// A lower triangular L with L L^T = X^T X / c + [`DAMPING`] I, where c makes the mean of the diagonal of the first term 1.
/// The identity where all of `seen`, X `[tokens, width]`, is zero or nothing was seen.
fn moment_root(seen: &Matrix, width: usize) -> Result<Mat<f64>, SvdError> {
    if let Some(at) = seen.data().iter().position(|x| !x.is_finite()) {
        return Err(SvdError::NonFinite { row: at / width, col: at % width });
    }
    let x = to_f64(view(seen));
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

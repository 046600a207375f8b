//! The singular values alone, at a fraction of the cost of the vectors: Householder bidiagonalisation in f32, then bisection
//! in f64, which cannot fail to converge.
//!
//! As in [`fallback`](crate::fallback) all of it runs in one thread, so that the bits do not depend on the number of threads.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_sequence_transpose_on_the_left_in_place_scratch,
    apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj,
};
use faer::linalg::svd::bidiag::{bidiag_in_place, bidiag_in_place_scratch};
use faer::traits::RealField;
use faer::{Conj, Mat, MatMut, MatRef, Par};

use crate::Svd;
use crate::qr::{QrFactors, TALL};
use crate::scale::{Normalised, scaled_back};
use crate::thin::{probe_sign, to_f32, tolerance};
use laser_matrix::{Matrix, SvdError};

/// The singular values of `matrix` without the vectors, falling: those of [`Svd::of`] up to f32 rounding.
pub(crate) fn singular_values(matrix: &Matrix) -> Result<Vec<f32>, SvdError> {
    let (rows, cols) = (matrix.rows(), matrix.cols());
    let normalised = Normalised::of(matrix)?;
    match of_normalised(normalised) {
        Some(sigma) => scaled_back(&sigma, normalised.exponent()).ok_or(SvdError::Overflow { rows, cols }),
        None => Ok(Svd::of(matrix)?.singular_values().to_vec()),
    }
}

/// sigma_1 >= ... >= sigma_k >= 0 of a matrix whose entries neither overflow nor vanish when squared, k = min(rows, cols).
/// None where the bidiagonal form does not act on a vector of signs, and weigh in the Frobenius norm, as the matrix does.
fn of_normalised(matrix: Normalised<'_>) -> Option<Vec<f32>> {
    let (rows, cols) = matrix.shape();
    if rows < cols {
        return of_normalised(matrix.transpose());
    }
    if cols == 0 {
        return Some(Vec::new());
    }
    let mut image = Mat::<f64>::zeros(rows, 1);
    let mut squares = 0.0_f64;
    for j in 0..cols {
        for i in 0..rows {
            let x = f64::from(matrix.at(i, j));
            image[(i, 0)] += probe_sign(j) * x;
            squares += x * x;
        }
    }
    let bidiagonal = if rows as f64 > TALL * cols as f64 {
        let qr = QrFactors::of(matrix.to_f64());
        transform(qr.reflections.as_ref(), qr.coefficients.as_ref(), image.as_mut());
        Bidiagonal::of(to_f32(qr.r()))
    } else {
        Bidiagonal::of(matrix.to_f32())
    };
    let error = bidiagonal.distance_at_probe(image);
    let norm = squares.sqrt();
    let tolerance = tolerance(rows, cols, norm);
    // NaN fails each comparison.
    (error <= tolerance && (bidiagonal.norm() - norm).abs() <= tolerance).then(|| bidiagonal.singular_values())
}

/// `x`, times the transpose of the orthogonal matrix that a sequence of Householder reflections stands for.
fn transform<T: RealField>(basis: MatRef<'_, T>, coefficients: MatRef<'_, T>, x: MatMut<'_, T>) {
    let scratch = apply_block_householder_sequence_transpose_on_the_left_in_place_scratch::<T>(
        basis.nrows(),
        coefficients.nrows(),
        x.ncols(),
    );
    apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj(
        basis,
        coefficients,
        Conj::No,
        x,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
    );
}

/// A = U B V^T for rows >= cols >= 1, B upper bidiagonal (Golub and Van Loan, Matrix Computations, section 5.4).
struct Bidiagonal {
    /// rows x cols: B on its diagonal and above it; the reflections of U below, those of V to the right.
    packed: Mat<f32>,
    left: Mat<f32>,
    right: Mat<f32>,
}

impl Bidiagonal {
    fn of(mut matrix: Mat<f32>) -> Self {
        let (rows, cols) = matrix.shape();
        let (mut left, mut right) = (Mat::zeros(1, cols), Mat::zeros(1, cols - 1));
        let scratch = bidiag_in_place_scratch::<f32>(rows, cols, Par::Seq, Default::default());
        bidiag_in_place(
            matrix.as_mut(),
            left.as_mut(),
            right.as_mut(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        );
        Self { packed: matrix, left, right }
    }

    fn diagonal(&self, i: usize) -> f64 {
        self.packed[(i, i)].into()
    }

    /// Entry (i, i + 1) of B.
    fn above(&self, i: usize) -> f64 {
        if i + 1 < self.packed.ncols() { self.packed[(i, i + 1)].into() } else { 0.0 }
    }

    fn norm(&self) -> f64 {
        let squares = (0..self.packed.ncols()).map(|i| self.diagonal(i).powi(2) + self.above(i).powi(2));
        squares.sum::<f64>().sqrt()
    }

    /// ||U^T y - B V^T x|| for the vector x of signs, where the first rows of `image` are y and the others should be zero.
    fn distance_at_probe(&self, image: Mat<f64>) -> f64 {
        let (rows, cols) = self.packed.shape();
        let mut y = to_f32(image.as_ref().subrows(0, rows).to_owned());
        transform(self.packed.as_ref(), self.left.as_ref(), y.as_mut());
        let mut x = Mat::from_fn(cols, 1, |j, _| probe_sign(j) as f32);
        transform(
            self.packed.as_ref().subrows(0, cols).transpose().submatrix(1, 0, cols - 1, cols - 1),
            self.right.as_ref(),
            x.as_mut().subrows_mut(1, cols - 1),
        );
        let mut squares = 0.0;
        for i in 0..image.nrows() {
            let got = if i < rows { y[(i, 0)].into() } else { image[(i, 0)] };
            let mut expected = 0.0;
            if i < cols {
                let next = if i + 1 < cols { x[(i + 1, 0)] } else { 0.0 };
                expected = self.diagonal(i) * f64::from(x[(i, 0)]) + self.above(i) * f64::from(next);
            }
            squares += (got - expected) * (got - expected);
        }
        squares.sqrt()
    }

    /// Each to within 2^-44 of the Frobenius norm, by bisection: the number of singular values below x is the number of
    /// negative pivots of B^T B - x^2 I, which the stationary qd algorithm finds from the squares of the entries of B
    /// (Fernando and Parlett 1994, Accurate singular values and differential qd algorithms).
    fn singular_values(&self) -> Vec<f32> {
        /// As many at once as keep the divider busy.
        const LANES: usize = 8;
        let n = self.packed.ncols();
        let squares: Vec<_> = (0..n).map(|i| (self.diagonal(i).powi(2), self.above(i).powi(2))).collect();
        let norm = self.norm();
        let mut sigma = Vec::with_capacity(n);
        for first in (0..n).step_by(LANES) {
            let mut low = [0.0_f64; LANES];
            let mut high = [norm; LANES];
            for _ in 0..44 {
                let middle: [f64; LANES] = std::array::from_fn(|lane| 0.5 * (low[lane] + high[lane]));
                let below = count_below(&squares, middle);
                for lane in 0..LANES {
                    if n - below[lane] > first + lane {
                        low[lane] = middle[lane];
                    } else {
                        high[lane] = middle[lane];
                    }
                }
            }
            sigma.extend(low.iter().map(|&x| x as f32));
        }
        sigma.truncate(n);
        sigma.sort_by(|a, b| b.total_cmp(a));
        sigma
    }
}

/// For each x the number of singular values below it of the bidiagonal matrix with these squares (diagonal, above).
fn count_below<const N: usize>(squares: &[(f64, f64)], x: [f64; N]) -> [usize; N] {
    /// Stands for a pivot of zero: far below any square of an entry that counts, far above where its reciprocal overflows.
    const TINY: f64 = 1e-200;
    let shift = x.map(|x| x * x);
    let mut t = shift.map(|s| -s);
    let mut below = [0.0_f64; N];
    for &(diagonal, above) in squares {
        for lane in 0..N {
            let pivot = diagonal + t[lane];
            let pivot = if pivot.abs() < TINY { -TINY } else { pivot };
            below[lane] += if pivot < 0.0 { 1.0 } else { 0.0 };
            t[lane] = t[lane] * (above / pivot) - shift[lane];
        }
    }
    below.map(|count| count as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fallback::tests::inputs;
    use crate::fallback::{SvdAlgorithm, first_of};

    #[test]
    fn the_values_are_those_of_the_decomposition() {
        for (name, matrix) in inputs() {
            let matrix = Normalised::as_is(matrix.as_ref());
            let exact = first_of(&[SvdAlgorithm::Gram], matrix).unwrap().sigma;
            for matrix in [matrix.transpose(), matrix] {
                let got = of_normalised(matrix).expect(name);
                assert_eq!(got.len(), exact.len(), "{name}");
                assert!(got.windows(2).all(|pair| pair[0] >= pair[1]), "{name}");
                let largest = exact.first().copied().unwrap_or(0.0);
                let (rows, cols) = matrix.shape();
                for (a, b) in got.iter().zip(&exact) {
                    let off = f64::from((a - b).abs());
                    assert!(off <= tolerance(rows, cols, largest.into()), "{name}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_bidiagonal_form_is_found() {
        let matrix = Mat::from_fn(40, 30, |i, j| ((i * 31 + j * 17) % 23) as f32 / 23.0 - 0.5);
        let image = Mat::from_fn(40, 1, |i, _| (0..30).map(|j| probe_sign(j) * f64::from(matrix[(i, j)])).sum::<f64>());
        let right = Bidiagonal::of(matrix.clone());
        let tolerance = tolerance(40, 30, matrix.norm_l2().into());
        assert!(right.distance_at_probe(image.clone()) <= tolerance);
        for at in [(0, 0), (3, 4), (20, 2), (2, 20), (29, 29)] {
            let mut wrong = Bidiagonal::of(matrix.clone());
            wrong.packed[at] += 0.01;
            assert!(wrong.distance_at_probe(image.clone()) > tolerance, "{at:?}");
        }
    }
}

//! Householder QR decompositions, on one thread.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj,
};
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size};
use faer::traits::RealField;
use faer::traits::math_utils::zero;
use faer::{Conj, Mat, MatMut, Par};

/// With the longer side this many times the shorter one, a QR decomposition first is cheaper (Golub and Van Loan, section 8.6.4).
pub(crate) const TALL: f64 = 11.0 / 6.0;

/// A = Q R for rows >= cols: Q is rows x cols with orthonormal columns even where A has dependent ones, R is cols x cols and
/// upper triangular.
pub(crate) fn qr<T: RealField>(matrix: Mat<T>) -> (Mat<T>, Mat<T>) {
    let (rows, cols) = matrix.shape();
    if cols == 0 {
        return (Mat::identity(rows, cols), Mat::zeros(0, 0));
    }
    let factors = QrFactors::of(matrix);
    (factors.q(), factors.r())
}

/// A QR decomposition with Q left as Householder reflections.
pub(crate) struct QrFactors<T> {
    /// rows x cols: R on and above the diagonal, the reflections below it.
    pub(crate) reflections: Mat<T>,
    /// block size x cols.
    pub(crate) coefficients: Mat<T>,
}

impl<T: RealField> QrFactors<T> {
    /// For rows >= cols >= 1.
    pub(crate) fn of(matrix: Mat<T>) -> Self {
        let (rows, cols) = matrix.shape();
        let block = recommended_block_size::<T>(rows, cols);
        let mut reflections = matrix;
        let mut coefficients = Mat::zeros(block, cols);
        let scratch = qr_in_place_scratch::<T>(rows, cols, block, Par::Seq, Default::default());
        qr_in_place(
            reflections.as_mut(),
            coefficients.as_mut(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        );
        Self { reflections, coefficients }
    }

    /// Q, rows x cols.
    pub(crate) fn q(&self) -> Mat<T> {
        let (rows, cols) = self.reflections.shape();
        let mut q = Mat::identity(rows, cols);
        self.reflect(q.as_mut(), cols);
        q
    }

    /// Multiplies from the left by the product of the first `count` reflections.
    fn reflect(&self, mut matrix: MatMut<'_, T>, count: usize) {
        let (rows, block, cols) = (matrix.nrows(), self.coefficients.nrows(), matrix.ncols());
        let scratch = apply_block_householder_sequence_on_the_left_in_place_scratch::<T>(rows, block, cols);
        apply_block_householder_sequence_on_the_left_in_place_with_conj(
            self.reflections.as_ref().subcols(0, count),
            self.coefficients.as_ref().subcols(0, count),
            Conj::No,
            matrix.as_mut(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
        );
    }

    /// R, cols x cols.
    pub(crate) fn r(&self) -> Mat<T> {
        let cols = self.reflections.ncols();
        Mat::from_fn(cols, cols, |i, j| if i <= j { self.reflections[(i, j)].clone() } else { zero() })
    }
}

impl QrFactors<f64> {
    /// Q, rounded by `round`. It is made some columns at a time: in f64 all of it may be hundreds of megabytes.
    pub(crate) fn rounded_q<T: RealField>(&self, round: fn(f64) -> T) -> Mat<T> {
        let (rows, cols) = self.reflections.shape();
        // Reflections come in blocks; those behind a column of the identity leave it as it is.
        let width = self.coefficients.nrows() * 256_usize.div_ceil(self.coefficients.nrows());
        let mut q = Mat::zeros(rows, cols);
        for first in (0..cols).step_by(width) {
            let end = cols.min(first + width);
            let mut part = Mat::from_fn(rows, end - first, |i, j| if i == first + j { 1.0 } else { 0.0 });
            self.reflect(part.as_mut(), end);
            for j in first..end {
                for i in 0..rows {
                    q[(i, j)] = round(part[(i, j - first)]);
                }
            }
        }
        q
    }
}

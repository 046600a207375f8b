//! QR decompositions in f64.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj,
};
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size};
use faer::{Conj, Mat, MatRef, Par};

/// With the longer side this many times the shorter one, a QR decomposition first is cheaper (Golub and Van Loan, section 8.6.4).
pub(crate) const TALL: f64 = 11.0 / 6.0;

/// A = Q R for rows >= cols: Q is rows x cols with orthonormal columns even where A has dependent ones, R is cols x cols and
/// upper triangular.
pub(crate) fn qr(matrix: MatRef<'_, f64>) -> (Mat<f64>, Mat<f64>) {
    let (rows, cols) = (matrix.nrows(), matrix.ncols());
    let mut q = Mat::identity(rows, cols);
    if cols == 0 {
        return (q, Mat::zeros(0, 0));
    }
    let factors = QrFactors::of(matrix.to_owned());
    let scratch =
        apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(rows, factors.coefficients.nrows(), cols);
    apply_block_householder_sequence_on_the_left_in_place_with_conj(
        factors.reflections.as_ref(),
        factors.coefficients.as_ref(),
        Conj::No,
        q.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
    );
    (q, factors.r())
}

/// A QR decomposition with Q left as Householder reflections.
pub(crate) struct QrFactors {
    /// rows x cols: R on and above the diagonal, the reflections below it.
    pub(crate) reflections: Mat<f64>,
    /// block size x cols.
    pub(crate) coefficients: Mat<f64>,
}

impl QrFactors {
    /// For rows >= cols >= 1.
    pub(crate) fn of(matrix: Mat<f64>) -> Self {
        let (rows, cols) = matrix.shape();
        let block = recommended_block_size::<f64>(rows, cols);
        let mut reflections = matrix;
        let mut coefficients = Mat::zeros(block, cols);
        let scratch = qr_in_place_scratch::<f64>(rows, cols, block, Par::Seq, Default::default());
        qr_in_place(
            reflections.as_mut(),
            coefficients.as_mut(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        );
        Self { reflections, coefficients }
    }

    /// R, cols x cols.
    pub(crate) fn r(&self) -> Mat<f64> {
        let cols = self.reflections.ncols();
        Mat::from_fn(cols, cols, |i, j| if i <= j { self.reflections[(i, j)] } else { 0.0 })
    }
}

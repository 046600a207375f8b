//! The algorithms that decompose a matrix, each the fallback of the one before: faer's bidiagonal solvers can fail to
//! converge, and what they give is checked.
//!
//! All of it runs in one thread. faer groups sums by the number of parts into which it cuts the work, so that another number
//! of threads would mean other bits; and decomposing several matrices at once uses the cores better.

use std::ops::Range;

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::svd::{ComputeSvdVectors, SvdParams, svd, svd_scratch};
use faer::traits::RealField;
use faer::{Accum, Auto, Mat, MatMut, MatRef, Par, Spec};

use crate::qr::{QrFactors, TALL, qr};
use crate::scale::Normalised;
use crate::thin::{Thin, falling_order, to_f32};

/// A way to the decomposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SvdAlgorithm {
    /// Bidiagonalisation in f32.
    Single,
    /// Bidiagonalisation in f64.
    Double,
    /// The eigenvectors of the Gram matrix of the shorter side, in f64.
    Gram,
}

/// The algorithms in the order in which they are tried.
pub(crate) const FALLBACKS: [SvdAlgorithm; 3] = [SvdAlgorithm::Single, SvdAlgorithm::Double, SvdAlgorithm::Gram];

/// Those whose errors are f64's, until the factors are rounded to f32. The first needs half of the second's memory.
pub(crate) const PRECISE: [SvdAlgorithm; 2] = [SvdAlgorithm::Gram, SvdAlgorithm::Double];

/// The first decomposition by one of `algorithms` that converges and reproduces the matrix.
pub(crate) fn first_of(algorithms: &[SvdAlgorithm], matrix: Normalised<'_>) -> Option<Thin<f32>> {
    let mut found = algorithms.iter().filter_map(|&algorithm| decompose(algorithm, matrix));
    found.find(|thin| thin.reproduces(matrix.shape(), |i, j| matrix.at(i, j).into()))
}

/// The decomposition by one algorithm; None where it does not converge. Matrices are dropped as soon as they can be: in f64
/// one of 11,008 x 4,096 is 361 MB.
fn decompose(algorithm: SvdAlgorithm, matrix: Normalised<'_>) -> Option<Thin<f32>> {
    let (rows, cols) = matrix.shape();
    if rows < cols {
        return decompose(algorithm, matrix.transpose()).map(Thin::transpose);
    }
    match algorithm {
        SvdAlgorithm::Single if is_tall(rows, cols) => {
            let (q, r) = qr(matrix.to_f64());
            let (q, r) = (to_f32(q), to_f32(r));
            Some(times(q.as_ref(), bidiagonal(r.as_ref())?))
        }
        SvdAlgorithm::Double if is_tall(rows, cols) => {
            let (q, r) = qr(matrix.to_f64());
            Some(times(q.as_ref(), bidiagonal(r.as_ref())?).narrow())
        }
        SvdAlgorithm::Single => bidiagonal(matrix.to_f32().as_ref()),
        SvdAlgorithm::Double => bidiagonal(matrix.to_f64().as_ref()).map(Thin::narrow),
        SvdAlgorithm::Gram => gram((rows, cols), |part| matrix.rows_to_f64(part), |x| x as f32),
    }
}

/// The decomposition of a matrix that is in f64 itself.
pub(crate) fn in_f64(matrix: MatRef<'_, f64>) -> Option<Thin<f64>> {
    let (rows, cols) = matrix.shape();
    if rows < cols {
        return in_f64(matrix.transpose()).map(Thin::transpose);
    }
    let found = if is_tall(rows, cols) {
        let (q, r) = qr(matrix.to_owned());
        bidiagonal(r.as_ref()).map(|r| times(q.as_ref(), r))
    } else {
        bidiagonal(matrix)
    };
    let is_right = |thin: &Thin<f64>| thin.reproduces((rows, cols), |i, j| matrix[(i, j)]);
    let some = |part: Range<usize>| matrix.subrows(part.start, part.len()).to_owned();
    found.filter(is_right).or_else(|| gram((rows, cols), some, |x| x).filter(is_right))
}

fn is_tall(rows: usize, cols: usize) -> bool {
    rows as f64 > TALL * cols as f64
}

/// The decomposition of Q R, of that of R.
fn times<T: RealField>(q: MatRef<'_, T>, r: Thin<T>) -> Thin<T> {
    let mut u = Mat::zeros(q.nrows(), r.u.ncols());
    product(u.as_mut(), q, r.u.as_ref());
    Thin { u, ..r }
}

fn product<T: RealField>(result: MatMut<'_, T>, left: MatRef<'_, T>, right: MatRef<'_, T>) {
    matmul(result, Accum::Replace, left, right, T::one_impl(), Par::Seq);
}

/// Householder bidiagonalisation, then QR iterations or divide and conquer (Golub and Van Loan, Matrix Computations,
/// section 8.6).
fn bidiagonal<T: RealField + Copy + Into<f64>>(matrix: MatRef<'_, T>) -> Option<Thin<T>> {
    let (rows, cols) = (matrix.nrows(), matrix.ncols());
    let k = rows.min(cols);
    let mut params = <SvdParams as Auto<T>>::auto();
    // faer's own QR decomposition of a tall matrix drops a column whose remainder is below 16 * rows * eps of it: in f32
    // that is 2 % of the column at 11,008 rows, and the small singular values go with it. `decompose` does it in f64.
    params.qr_ratio_threshold = f64::INFINITY;
    let params: Spec<SvdParams, T> = params.into();
    let thin = ComputeSvdVectors::Thin;
    let mut buffer = MemBuffer::new(svd_scratch::<T>(rows, cols, thin, thin, Par::Seq, params));
    let (mut u, mut v) = (Mat::zeros(rows, k), Mat::zeros(cols, k));
    let mut sigma = Diag::zeros(k);
    svd(matrix, sigma.as_mut(), Some(u.as_mut()), Some(v.as_mut()), Par::Seq, MemStack::new(&mut buffer), params)
        .ok()?;
    drop(buffer);
    // faer leaves the values of a matrix of low rank out of order (0.24.4: a rank of 3, written as 300 equal rows).
    let sigma = sigma.column_vector().iter().copied().collect();
    Some(Thin { u, sigma, v }.falling())
}

/// For a matrix A with rows >= cols: A^T A = V S^2 V^T, and the columns of A V = U S made orthonormal from the largest on.
/// The last step also gives the directions of zero singular values their u. All is done in f64.
///
/// Squaring loses singular values below sqrt(eps) * sigma_1; in f64 that is below f32's own rounding.
///
/// `some` gives some of the matrix's rows; `round` makes what is kept of the factors.
fn gram<T: RealField + Copy + Into<f64>>(
    (rows, cols): (usize, usize),
    some: impl Fn(Range<usize>) -> Mat<f64>,
    round: fn(f64) -> T,
) -> Option<Thin<T>> {
    if cols == 0 {
        return Some(Thin { u: Mat::zeros(rows, 0), sigma: Vec::new(), v: Mat::zeros(0, 0) });
    }
    let v = {
        let mut square = Mat::zeros(cols, cols);
        for part in parts(rows) {
            let part = some(part);
            triangular::matmul(
                square.as_mut(),
                BlockStructure::TriangularLower,
                Accum::Add,
                part.transpose(),
                BlockStructure::Rectangular,
                part.as_ref(),
                BlockStructure::Rectangular,
                1.0,
                Par::Seq,
            );
        }
        eigenvectors(square.as_ref())?
    };
    let mut us = Mat::zeros(rows, cols);
    for part in parts(rows) {
        product(us.as_mut().subrows_mut(part.start, part.len()), some(part).as_ref(), v.as_ref());
    }
    let kept = Mat::from_fn(cols, cols, |i, j| round(v[(i, j)]));
    drop(v);
    let factors = QrFactors::of(us);
    let diagonal: Vec<f64> = (0..cols).map(|j| factors.reflections[(j, j)]).collect();
    let mut u = factors.rounded_q(round);
    drop(factors);
    for (j, _) in diagonal.iter().enumerate().filter(|&(_, &sigma)| sigma < 0.0) {
        u.col_mut(j).iter_mut().for_each(|x| *x = -*x);
    }
    let sigma: Vec<f64> = diagonal.into_iter().map(f64::abs).collect();
    let thin = Thin { u, sigma: sigma.iter().map(|&sigma| round(sigma)).collect(), v: kept };
    // Those that rounding has made no more than noise come in no sure order.
    Some(match falling_order(&sigma) {
        Some(order) => thin.in_order(&order),
        None => thin,
    })
}

/// Rows in parts of which copies take little memory.
fn parts(rows: usize) -> impl Iterator<Item = Range<usize>> {
    const HEIGHT: usize = 512;
    (0..rows).step_by(HEIGHT).map(move |first| first..rows.min(first + HEIGHT))
}

/// The eigenvectors of a symmetric matrix, of which the lower triangle is read, as columns; that of the largest eigenvalue
/// first.
pub(crate) fn eigenvectors(square: MatRef<'_, f64>) -> Option<Mat<f64>> {
    let (n, par) = (square.nrows(), Par::Seq);
    let mut rising = Mat::zeros(n, n);
    let scratch = self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, par, Default::default());
    self_adjoint_evd(
        square,
        Diag::zeros(n).as_mut(),
        Some(rising.as_mut()),
        par,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .ok()?;
    Some(Mat::from_fn(n, n, |i, j| rising[(i, n - 1 - j)]))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Entries in [-0.5, 0.5), the same each time.
    fn random(rows: usize, cols: usize, seed: u64) -> Mat<f32> {
        let mut state = seed;
        Mat::from_fn(rows, cols, |_, _| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        })
    }

    fn rank_one(rows: usize, cols: usize) -> Mat<f32> {
        Mat::from_fn(rows, cols, |i, j| (i as f32 + 1.0) * (0.5 - j as f32) / 64.0)
    }

    fn hilbert(n: usize) -> Mat<f32> {
        Mat::from_fn(n, n, |i, j| 1.0 / (i + j + 1) as f32)
    }

    fn duplicated_rows(rows: usize, cols: usize) -> Mat<f32> {
        let few = random(3, cols, 5);
        Mat::from_fn(rows, cols, |i, j| few[(i % 3, j)])
    }

    /// A product of rank 5 plus noise: what a reduced and rounded weight matrix looks like.
    fn low_rank_and_noise(rows: usize, cols: usize) -> Mat<f32> {
        let product = random(rows, 5, 1) * random(5, cols, 2);
        let noise = random(rows, cols, 3);
        Mat::from_fn(rows, cols, |i, j| product[(i, j)] + 1e-3 * noise[(i, j)])
    }

    pub(crate) fn inputs() -> Vec<(&'static str, Mat<f32>)> {
        vec![
            ("empty", Mat::zeros(0, 0)),
            ("no columns", Mat::zeros(4, 0)),
            ("no rows", Mat::zeros(0, 4)),
            ("one entry", random(1, 1, 1)),
            ("a row", random(1, 9, 1)),
            ("a column", random(9, 1, 1)),
            ("zero", Mat::zeros(6, 4)),
            ("large zero", Mat::zeros(150, 160)),
            ("identity", Mat::identity(200, 140)),
            ("square", random(40, 40, 1)),
            ("large square", random(180, 180, 1)),
            ("wide", random(70, 300, 1)),
            ("tall", random(300, 150, 1)),
            ("rank one", rank_one(30, 20)),
            ("large rank one", rank_one(160, 500)),
            ("Hilbert", hilbert(12)),
            ("large Hilbert", hilbert(150)),
            ("duplicated rows", duplicated_rows(30, 20)),
            ("many duplicated rows", duplicated_rows(400, 150)),
            ("many duplicated rows, nearly square", duplicated_rows(200, 150)),
            ("many duplicated rows, square", duplicated_rows(150, 150)),
            ("very many duplicated rows, square", duplicated_rows(300, 300)),
            ("very many duplicated rows", duplicated_rows(500, 300)),
            ("low rank and noise, square", low_rank_and_noise(150, 150)),
            ("low rank and noise, tall", low_rank_and_noise(1500, 150)),
            ("low rank and noise, wide", low_rank_and_noise(150, 1500)),
        ]
    }

    fn largest_off_identity(m: &Mat<f32>) -> f32 {
        let gram = m.transpose() * m;
        (gram - Mat::<f32>::identity(m.ncols(), m.ncols())).norm_max()
    }

    #[test]
    fn every_algorithm_decomposes_every_input() {
        for (name, matrix) in inputs() {
            let normalised = Normalised::as_is(matrix.as_ref());
            let (rows, cols) = matrix.shape();
            let k = rows.min(cols);
            let tolerance = 16.0 * f32::EPSILON * (rows.max(cols) as f32).sqrt();
            let exact = decompose(SvdAlgorithm::Gram, normalised).unwrap();
            for algorithm in FALLBACKS {
                let context = format!("{name} by {algorithm:?}");
                let Some(svd) = decompose(algorithm, normalised) else {
                    // faer's bidiagonal solver does fail on these: that is what the last algorithm is for.
                    assert!(name.contains("duplicated") && algorithm != SvdAlgorithm::Gram, "{context}");
                    continue;
                };
                assert_eq!(svd.u.shape(), (rows, k), "{context}");
                assert_eq!(svd.v.shape(), (cols, k), "{context}");
                assert_eq!(svd.sigma.len(), k, "{context}");
                assert!(svd.sigma.iter().all(|&sigma| sigma >= 0.0), "{context}");
                assert!(svd.reproduces((rows, cols), |i, j| matrix[(i, j)].into()), "{context}");
                if k == 0 {
                    continue;
                }
                assert!(largest_off_identity(&svd.u) < tolerance, "{context}: U");
                assert!(largest_off_identity(&svd.v) < tolerance, "{context}: V");
                let us = Mat::from_fn(rows, k, |i, j| svd.u[(i, j)] * svd.sigma[j]);
                let error = (&matrix - us * svd.v.transpose()).norm_l2();
                assert!(error <= tolerance * matrix.norm_l2(), "{context}: {error}");
                for (a, b) in svd.sigma.iter().zip(&exact.sigma) {
                    assert!((a - b).abs() <= tolerance * exact.sigma[0], "{context}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn an_answer_that_does_not_reproduce_the_matrix_is_refused() {
        let matrix = low_rank_and_noise(60, 40);
        let reproduces = |svd: &Thin<f32>| svd.reproduces(matrix.shape(), |i, j| matrix[(i, j)].into());
        let svd = decompose(SvdAlgorithm::Single, Normalised::as_is(matrix.as_ref())).unwrap();
        assert!(reproduces(&svd));

        let mut no_tail = svd.clone();
        no_tail.sigma[5..].fill(0.0);
        let mut unsorted = svd.clone();
        unsorted.sigma.reverse();
        let mut flipped = svd.clone();
        flipped.u[(7, 0)] = -flipped.u[(7, 0)];
        let mut not_a_number = svd;
        not_a_number.v[(3, 39)] = f32::NAN;
        for wrong in [no_tail, unsorted, flipped, not_a_number] {
            assert!(!reproduces(&wrong));
        }
    }
}

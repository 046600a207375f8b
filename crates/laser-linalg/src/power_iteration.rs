//! The randomised truncation that the paper's published code takes (`torch.svd_lowrank(q=rank, niter=2)`).

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use crate::product::PARTS;
use crate::qr::QrFactors;
use crate::scale::Normalised;
use laser_matrix::{LowRank, Matrix, SvdError};

/// W Q Q^T, where the `rank` orthonormal columns of Q come of `iterations` power iterations on a Gaussian matrix (Halko,
/// Martinsson and Tropp, arXiv 0909.4061, algorithm 4.4): near the best approximation of that rank, and not it. The factors
/// are W Q, ones, and Q. The same seed gives the same bits whatever the number of threads.
pub(crate) fn randomised(matrix: &Matrix, rank: usize, iterations: usize, seed: u64) -> Result<LowRank, SvdError> {
    let normalised = Normalised::of(matrix)?;
    let (rows, cols) = (matrix.rows(), matrix.cols());
    let rank = rank.min(rows).min(cols);
    if rank == 0 {
        return Ok(LowRank::zero(rows, cols));
    }
    let (exponent, normalised) = (normalised.exponent(), normalised.to_f32());
    let w = normalised.as_ref();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let start = Mat::<f32>::from_fn(rows, rank, |_, _| StandardNormal.sample(&mut random));
    let mut q = orthonormal(times(w.transpose(), start.as_ref()));
    for _ in 0..iterations {
        let across = orthonormal(times(w, q.as_ref()));
        q = orthonormal(times(w.transpose(), across.as_ref()));
    }
    let coordinates = times(w, q.as_ref());
    Ok(LowRank::from_fn([rows, cols], rank, exponent, |i, k| coordinates[(i, k)], |_| 1.0, |j, k| q[(j, k)]))
}

fn times(a: MatRef<f32>, b: MatRef<f32>) -> Mat<f32> {
    let mut product = Mat::zeros(a.nrows(), b.ncols());
    matmul(product.as_mut(), Accum::Replace, a, b, 1.0, PARTS);
    product
}

/// Orthonormal columns that span those of `a`, which has no fewer rows than columns.
fn orthonormal(a: Mat<f32>) -> Mat<f32> {
    QrFactors::of(a).q()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Svd, product};

    fn randomised_truncate(matrix: &Matrix, rank: usize, iterations: usize, seed: u64) -> Result<Matrix, SvdError> {
        Ok(product(&randomised(matrix, rank, iterations, seed)?))
    }

    fn matrix(rows: usize, cols: usize, decay: f64) -> Matrix {
        let entry = |i: usize, j: usize| {
            (0..rows.min(cols))
                .map(|k| decay.powi(k as i32) * ((i * (k + 3)) as f64).sin() * ((j * (k + 5) + k) as f64).cos())
                .sum::<f64>() as f32
        };
        Matrix::new(rows, cols, (0..rows * cols).map(|n| entry(n / cols, n % cols)).collect()).unwrap()
    }

    fn distance(a: &Matrix, b: &Matrix) -> f64 {
        a.data().iter().zip(b.data()).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn it_is_near_the_best_and_never_better() {
        for (rows, cols) in [(40, 90), (90, 40), (33, 33)] {
            let w = matrix(rows, cols, 0.8);
            for rank in [1, 5, 20] {
                let best = distance(&w, &product(&Svd::of(&w).unwrap().components(&[0..rank])));
                let found = distance(&w, &randomised_truncate(&w, rank, 2, 7).unwrap());
                assert!(found >= best * (1.0 - 1e-4) - 1e-4, "{rows} x {cols} at {rank}: {found} below {best}");
                assert!(found <= best * 1.2 + 1e-4, "{rows} x {cols} at {rank}: {found} far above {best}");
            }
        }
    }

    #[test]
    fn ends_of_the_range() {
        let w = matrix(12, 7, 0.9);
        assert_eq!(randomised_truncate(&w, 0, 2, 1).unwrap(), Matrix::zeros(12, 7));
        assert!(distance(&w, &randomised_truncate(&w, 7, 2, 1).unwrap()) < 1e-4);
        let zeros = Matrix::zeros(6, 4);
        assert_eq!(randomised_truncate(&zeros, 2, 2, 1).unwrap(), zeros);
        assert_eq!(randomised_truncate(&w, 3, 2, 1).unwrap(), randomised_truncate(&w, 3, 2, 1).unwrap());
        assert_ne!(randomised_truncate(&w, 3, 2, 1).unwrap(), randomised_truncate(&w, 3, 2, 2).unwrap());
        let broken = Matrix::new(1, 2, vec![1.0, f32::NAN]).unwrap();
        assert!(randomised_truncate(&broken, 1, 2, 1).is_err());
    }
}

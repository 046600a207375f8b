//! Cuts between nearly equal singular values, against a reference in f64.

use std::num::NonZeroUsize;

use faer::Mat;
use laser_linalg::{DecomposedMatrix, Svd, product};
use laser_matrix::{Decompose, LowRank, Matrix};

/// Orthonormal columns.
fn orthonormal(rows: usize, cols: usize, seed: u64) -> Mat<f64> {
    let mut state = seed;
    let random = Mat::from_fn(rows, cols, |_, _| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    });
    random.qr().compute_thin_Q()
}

/// A 64 x 80 matrix of these singular values.
fn with_spectrum(sigma: &[f64], seed: u64) -> Matrix {
    let (u, v) = (orthonormal(64, 64, seed), orthonormal(80, 64, !seed));
    let w = Mat::from_fn(64, 64, |i, k| u[(i, k)] * sigma[k]) * v.transpose();
    Matrix::from_fn(64, 80, |i, j| w[(i, j)] as f32)
}

/// A spectrum as a llama's, in which sigma_16 and sigma_17 are 1.1344 and 1.1337.
fn llama_like() -> Vec<f64> {
    let mut sigma: Vec<f64> = (0..64).map(|k| 2.0 * (-0.035 * k as f64).exp()).collect();
    (sigma[15], sigma[16]) = (1.1344, 1.1337);
    sigma[17..].iter_mut().for_each(|s| *s *= 0.98);
    sigma
}

/// ||got - exact||_F / ||exact||_F.
fn error(got: &Matrix, exact: &Mat<f64>) -> f64 {
    let difference =
        Mat::from_fn(got.rows(), got.cols(), |i, j| f64::from(got.data()[i * got.cols() + j]) - exact[(i, j)]);
    difference.norm_l2() / exact.norm_l2()
}

/// What rounding the matrix to f32 does to the exact answer is the same for any algorithm, and is taken out by a reference
/// that starts from the rounded matrix.
fn reference(w: &Matrix, kept: std::ops::Range<usize>) -> Mat<f64> {
    let wide = Mat::from_fn(w.rows(), w.cols(), |i, j| f64::from(w.data()[i * w.cols() + j]));
    let svd = wide.thin_svd().unwrap();
    let (u, s, v) = (svd.U(), svd.S().column_vector(), svd.V());
    let weighted = Mat::from_fn(w.rows(), kept.len(), |i, k| u[(i, kept.start + k)] * s[kept.start + k]);
    weighted * v.subcols(kept.start, kept.len()).transpose()
}

#[test]
fn a_cut_between_nearly_equal_singular_values_is_made_in_f64() {
    let mut worst = [0.0_f64; 2];
    for seed in 1..9 {
        let w = with_spectrum(&llama_like(), seed);
        let (single, decomposed) = (Svd::of(&w).unwrap(), DecomposedMatrix::new(w.clone()));
        for kept in [0..16, 16..64] {
            let exact = reference(&w, kept.clone());
            let before = error(&product(&single.components(std::slice::from_ref(&kept))), &exact);
            let after = error(&product(&decomposed.components(&[kept]).unwrap()), &exact);
            worst = [worst[0].max(before), worst[1].max(after)];
        }
    }
    println!("relative error at the close cut: {:.1e} in f32, {:.1e} now", worst[0], worst[1]);
    assert!(worst[0] > 2e-5, "f32 would do: {:e}", worst[0]);
    assert!(worst[1] < 3e-7, "{:e}", worst[1]);
}

/// Squares of singular values are what is decomposed: small ones must not suffer.
#[test]
fn a_close_cut_far_below_the_largest_singular_value() {
    let mut sigma: Vec<f64> = (0..64).map(|k| 10.0_f64.powf(-(k as f64) / 16.0)).collect();
    sigma[48] = sigma[47] * (1.0 - 1e-4);
    for seed in 1..5 {
        let w = with_spectrum(&sigma, seed);
        let decomposed = DecomposedMatrix::new(w.clone());
        for kept in [0..48, 48..64] {
            let (exact, cut) = (reference(&w, kept.clone()), product(&decomposed.components(&[kept]).unwrap()));
            assert!(error(&cut, &exact) < 3e-7, "{:e}", error(&cut, &exact));
        }
    }
}

fn same_bits(a: &LowRank, b: &LowRank) -> bool {
    product(a).data().iter().zip(product(b).data()).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// Whatever was asked for before.
#[test]
fn other_cuts_keep_the_bits_of_f32() {
    let w = with_spectrum(&llama_like(), 3);
    let (single, decomposed) = (Svd::of(&w).unwrap(), DecomposedMatrix::new(w));
    let mut changed = Vec::new();
    for rank in (0..=64).chain((0..=64).rev()) {
        let kept = [0..rank];
        if !same_bits(&decomposed.components(&kept).unwrap(), &single.components(&kept)) {
            changed.push(rank);
        }
    }
    assert_eq!(changed, [16, 16]);
}

#[test]
fn both_cuts_of_a_band_and_those_of_blocks_count() {
    let w = with_spectrum(&llama_like(), 5);
    let (single, decomposed) = (Svd::of(&w).unwrap(), DecomposedMatrix::new(w.clone()));
    for (from, to, is_close) in [(16, 40, true), (3, 16, true), (3, 40, false)] {
        let kept = [0..from, to..64];
        let same = same_bits(&decomposed.components(&kept).unwrap(), &single.components(&kept));
        assert_eq!(same, !is_close, "{from} to {to}");
    }
    // Two such matrices, one above the other, are two blocks.
    let other = with_spectrum(&llama_like(), 6);
    let both = Matrix::new(128, 80, [w.data(), other.data()].concat()).unwrap();
    let blocks = DecomposedMatrix::new(both).row_blocks(NonZeroUsize::new(2).unwrap(), &|_, _| 16).unwrap();
    let exact = [reference(&w, 0..16), reference(&other, 0..16)];
    for (rows, exact) in blocks.data().chunks(64 * 80).zip(exact) {
        let block = Matrix::new(64, 80, rows.to_vec()).unwrap();
        assert!(error(&block, &exact) < 3e-7);
    }
}

/// Where all that a cut tells apart is rounding, nothing is decomposed again.
#[test]
fn a_cut_through_zeros_is_made_in_f32() {
    let mut sigma = llama_like();
    sigma[8..].fill(0.0);
    let w = with_spectrum(&sigma, 7);
    let (single, decomposed) = (Svd::of(&w).unwrap(), DecomposedMatrix::new(w));
    for rank in 8..64 {
        assert!(same_bits(&decomposed.components(&[0..rank]).unwrap(), &single.components(&[0..rank])), "{rank}");
    }
}

/// A matrix for which f32 goes by way of a QR decomposition.
#[test]
fn tall_matrices_are_f64_all_the_way() {
    let w = with_spectrum(&llama_like(), 4);
    let basis = orthonormal(300, 80, 9);
    let wide = Mat::from_fn(80, 64, |j, i| f64::from(w.data()[i * 80 + j]));
    let tall = basis * wide;
    let tall = Matrix::from_fn(300, 64, |i, j| tall[(i, j)] as f32);
    let exact = reference(&tall, 0..16);
    for matrix in [tall.transpose(), tall.clone()] {
        let reduced = product(&DecomposedMatrix::new(matrix).components(&[0..16]).unwrap());
        let reduced = if reduced.rows() == 300 { reduced } else { reduced.transpose() };
        assert!(error(&reduced, &exact) < 3e-7, "{:e}", error(&reduced, &exact));
    }
}

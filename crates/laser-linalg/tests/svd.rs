//! Properties of the decomposition and of what is made from it.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, Par};
use laser_linalg::Svd;
use laser_matrix::{Matrix, SvdError};
use proptest::prelude::*;

fn random(rows: usize, cols: usize, seed: u64) -> Matrix {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    Matrix::new(rows, cols, (0..rows * cols).map(|_| next()).collect()).unwrap()
}

fn product(left: &Matrix, right: &Matrix) -> Matrix {
    let mut result = Matrix::zeros(left.rows(), right.cols());
    for i in 0..left.rows() {
        for j in 0..right.cols() {
            let terms = (0..left.cols())
                .map(|k| f64::from(left.data()[i * left.cols() + k]) * f64::from(right.data()[k * right.cols() + j]));
            result.data_mut()[i * right.cols() + j] = terms.sum::<f64>() as f32;
        }
    }
    result
}

fn combined(a: &Matrix, b: &Matrix, f: impl Fn(f32, f32) -> f32) -> Matrix {
    let data = a.data().iter().zip(b.data()).map(|(&x, &y)| f(x, y));
    Matrix::new(a.rows(), a.cols(), data.collect()).unwrap()
}

fn distance(a: &Matrix, b: &Matrix) -> f64 {
    assert_eq!((a.rows(), a.cols()), (b.rows(), b.cols()));
    let squares = a.data().iter().zip(b.data());
    squares.map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum::<f64>().sqrt()
}

fn truncate(svd: &Svd, rank: usize) -> Matrix {
    laser_linalg::product(&svd.components(&[0..rank]))
}

fn tail(svd: &Svd, rank: usize) -> Matrix {
    laser_linalg::product(&svd.components(&[rank..usize::MAX]))
}

fn bits(matrix: &Matrix) -> Vec<u32> {
    matrix.data().iter().map(|x| x.to_bits()).collect()
}

/// The components in `range` as they were multiplied before there were factors: (U S) V^T by faer, all column-major, in eight
/// parts.
fn formula(svd: &Svd, rows: usize, cols: usize, range: std::ops::Range<usize>) -> Matrix {
    let all = svd.components(&[0..usize::MAX]);
    let of = |matrix: &Matrix| Mat::from_fn(matrix.rows(), all.rank(), |i, k| matrix.data()[i * all.rank() + k]);
    let (u, v) = (of(all.u()), of(all.v()));
    let (start, count) = (range.start, range.len());
    let mut sum = Matrix::zeros(rows, cols);
    let weighted = Mat::from_fn(rows, count, |row, i| u[(row, start + i)] * svd.singular_values()[start + i]);
    matmul(
        MatMut::from_row_major_slice_mut(sum.data_mut(), rows, cols),
        Accum::Replace,
        weighted.as_ref(),
        v.as_ref().subcols(start, count).transpose(),
        1.0,
        Par::rayon(8),
    );
    sum
}

/// 16 eps sqrt(max(rows, cols)) sigma_1 sqrt(min(rows, cols)): the last factor since the norms here are Frobenius norms.
fn tolerance(w: &Matrix, svd: &Svd) -> f64 {
    let sigma_1 = svd.singular_values().first().copied().unwrap_or(0.0);
    let sizes = (w.rows() * w.cols()) as f64;
    16.0 * f64::from(f32::EPSILON) * sizes.sqrt() * f64::from(sigma_1)
}

/// Any small shape; one in three of low rank, each at one of several scales.
fn matrices() -> impl Strategy<Value = Matrix> {
    (1..40usize, 1..40usize, any::<u64>(), 0..3usize, -30..=30i32).prop_map(|(rows, cols, seed, kind, exponent)| {
        let mut w = match kind {
            0 => product(&random(rows, 2, seed), &random(2, cols, !seed)),
            _ => random(rows, cols, seed),
        };
        let scale = 10f32.powi(exponent);
        w.data_mut().iter_mut().for_each(|x| *x *= scale);
        w
    })
}

proptest! {
    #![proptest_config(laser_testing::cases())]

    #[test]
    fn eckart_young(w in matrices(), rank in 0..45usize) {
        let svd = Svd::of(&w).unwrap();
        let removed = svd.singular_values().iter().skip(rank);
        let expected = removed.map(|&s| f64::from(s).powi(2)).sum::<f64>().sqrt();
        let got = distance(&w, &truncate(&svd, rank));
        prop_assert!((got - expected).abs() <= tolerance(&w, &svd), "{got} {expected}");
    }

    #[test]
    fn truncation_and_tail_add_up(w in matrices(), rank in 0..45usize) {
        let svd = Svd::of(&w).unwrap();
        let sum = combined(&truncate(&svd, rank), &tail(&svd, rank), |x, y| x + y);
        prop_assert!(distance(&w, &sum) <= tolerance(&w, &svd));
    }

    /// The factors are those of the decomposition, and their product has the bits of the formula that was here before them.
    #[test]
    fn factors_multiply_to_the_truncation(w in matrices(), from in 0..45usize, to in 0..45usize) {
        let svd = Svd::of(&w).unwrap();
        let k = svd.singular_values().len();
        let (from, to) = (from.min(to).min(k), from.max(to).min(k));
        let factors = svd.components(&[from..to]);
        prop_assert_eq!((factors.rows(), factors.cols(), factors.rank()), (w.rows(), w.cols(), to - from));
        // Near the ends of f32's range the formula overflowed or lost digits.
        let largest = w.data().iter().fold(0.0_f32, |max, x| max.max(x.abs()));
        if (1e-15..1e15).contains(&largest) {
            let expected = formula(&svd, w.rows(), w.cols(), from..to);
            prop_assert_eq!(bits(&laser_linalg::product(&factors)), bits(&expected));
        }
    }

    #[test]
    fn truncating_twice_changes_nothing(w in matrices(), rank in 0..45usize) {
        let svd = Svd::of(&w).unwrap();
        let once = truncate(&svd, rank);
        let again = Svd::of(&once).unwrap();
        prop_assert!(distance(&once, &truncate(&again, rank)) <= tolerance(&w, &svd));
        for &sigma in again.singular_values().iter().skip(rank) {
            prop_assert!(f64::from(sigma) <= tolerance(&w, &svd));
        }
    }

    #[test]
    fn transposition_changes_nothing(w in matrices(), rank in 0..45usize) {
        let (svd, of_transpose) = (Svd::of(&w).unwrap(), Svd::of(&w.transpose()).unwrap());
        let tolerance = tolerance(&w, &svd);
        for (a, b) in svd.singular_values().iter().zip(of_transpose.singular_values()) {
            prop_assert!((f64::from(*a) - f64::from(*b)).abs() <= tolerance);
        }
        // Where the singular values on both sides of the cut are equal, the best approximation is not unique.
        let sigma = |i: usize| svd.singular_values().get(i).copied().map_or(0.0, f64::from);
        if rank == 0 || sigma(rank - 1) - sigma(rank) > 0.05 * sigma(0) {
            let (a, b) = (truncate(&svd, rank), truncate(&of_transpose, rank).transpose());
            prop_assert!(distance(&a, &b) <= 20.0 * tolerance);
        }
    }

    #[test]
    fn a_power_of_two_scales_every_bit(w in matrices(), rank in 0..45usize) {
        let scaled = |w: &Matrix, by: f32| combined(w, w, |x, _| x * by);
        let (a, b) = (Svd::of(&w).unwrap(), Svd::of(&scaled(&w, 0.25)).unwrap());
        prop_assert_eq!(scaled(&truncate(&a, rank), 0.25), truncate(&b, rank));
    }
}

#[test]
fn diagonal_matrix_has_its_entries_as_singular_values() {
    let w = Matrix::new(3, 3, vec![0.0, -2.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 3.0]).unwrap();
    let svd = Svd::of(&w).unwrap();
    for (got, expected) in svd.singular_values().iter().zip([3.0, 2.0, 0.5]) {
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
    }
    let rank_one = Matrix::new(3, 3, vec![0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0]).unwrap();
    assert!(distance(&truncate(&svd, 1), &rank_one) < 1e-6);
}

#[test]
fn repeated_singular_values() {
    let mut w = Matrix::zeros(150, 150);
    for i in 0..150 {
        w.data_mut()[i * 150 + (i * 7) % 150] = 1.0;
    }
    let svd = Svd::of(&w).unwrap();
    for rank in [0, 1, 75, 149, 150] {
        let got = distance(&w, &truncate(&svd, rank));
        assert!((got - ((150 - rank) as f64).sqrt()).abs() < 1e-4, "{rank}: {got}");
    }
}

/// faer 0.24.4 gives the singular values of such a matrix out of order, or none at all.
#[test]
fn many_equal_rows_keep_their_rank() {
    for (rows, cols) in [(150, 150), (200, 150), (300, 300), (400, 150), (150, 400)] {
        let few = random(3, cols, 5);
        let w = Matrix::new(rows, cols, few.data().iter().copied().cycle().take(rows * cols).collect()).unwrap();
        let svd = Svd::of(&w).unwrap();
        assert!(svd.singular_values()[2] > 1.0);
        assert!(distance(&w, &truncate(&svd, 3)) <= tolerance(&w, &svd));
        assert!(tail(&svd, 3).frobenius_norm() <= tolerance(&w, &svd));
    }
}

/// faer 0.24.4 with its own QR decomposition of a tall matrix loses everything but the first five components of this one.
#[test]
fn small_components_of_a_tall_matrix_are_kept() {
    let large = product(&random(3000, 5, 1), &random(5, 200, 2));
    let w = combined(&large, &random(3000, 200, 3), |x, y| x + 1e-3 * y);
    for w in [w.transpose(), w] {
        let svd = Svd::of(&w).unwrap();
        assert!(distance(&w, &truncate(&svd, 200)) <= tolerance(&w, &svd));
        let kept = svd.singular_values();
        assert!((0.008..0.03).contains(&kept[199]) && kept[5] < 0.03, "{} {}", kept[5], kept[199]);
    }
}

#[test]
fn degenerate_shapes() {
    for (rows, cols) in [(0, 0), (0, 5), (5, 0), (1, 1), (1, 7), (7, 1), (3, 4)] {
        let w = random(rows, cols, 1);
        let svd = Svd::of(&w).unwrap();
        assert_eq!(svd.singular_values().len(), rows.min(cols));
        for rank in [0, 1, 3, usize::MAX] {
            let reduced = truncate(&svd, rank);
            assert_eq!((reduced.rows(), reduced.cols()), (rows, cols));
            let tail = tail(&svd, rank);
            assert_eq!((tail.rows(), tail.cols()), (rows, cols));
            assert_eq!(svd.components(&[0..rank]).rank(), rank.min(rows.min(cols)));
        }
        assert_eq!(truncate(&svd, 0), Matrix::zeros(rows, cols));
        assert_eq!(tail(&svd, usize::MAX), Matrix::zeros(rows, cols));
        assert!(distance(&truncate(&svd, usize::MAX), &w) < 1e-6);
    }
}

#[test]
fn extreme_scales() {
    for scale in [f32::from_bits(1), 1e-42, 1e-38, 1e-30, 1e30, 1e37] {
        let unit = random(20, 30, 3);
        let w = combined(&unit, &unit, |x, _| x * scale);
        let svd = Svd::of(&w).unwrap();
        // Subnormal numbers are spaced evenly; a few roundings to that spacing an entry.
        let spacing = 2.0 * f64::from(f32::from_bits(1)) * 600f64.sqrt();
        let error = distance(&w, &truncate(&svd, 20));
        assert!(error <= tolerance(&w, &svd) + spacing, "{scale:e}: {error:e}");
    }
}

/// Of a singular value below the smallest normal f32, not a digit is lost in the product.
#[test]
fn small_components_of_a_small_matrix_keep_their_digits() {
    let unit = combined(&random(12, 11, 3), &random(12, 11, 4), |x, y| x + 1e-6 * y);
    let by = |w: &Matrix, exponent: i32| combined(w, w, |x, _| (f64::from(x) * 2.0_f64.powi(exponent)) as f32);
    let small = by(&unit, -100);
    assert_eq!(by(&small, 100), unit);
    for rank in 0..=11 {
        let (a, b) = (truncate(&Svd::of(&unit).unwrap(), rank), truncate(&Svd::of(&small).unwrap(), rank));
        assert_eq!(by(&a, -100), b, "{rank}");
    }
}

#[test]
fn bad_entries_are_errors() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut w = random(4, 5, 1);
        w.data_mut()[13] = bad;
        assert_eq!(Svd::of(&w).unwrap_err(), SvdError::NonFinite { row: 2, col: 3 });
    }
    let mut w = Matrix::zeros(2, 2);
    w.data_mut().fill(f32::MAX);
    assert_eq!(Svd::of(&w).unwrap_err(), SvdError::Overflow { rows: 2, cols: 2 });
}

/// As in the property test, of sizes at which faer takes other ways.
#[test]
fn factors_of_large_matrices_multiply_to_the_same_bits() {
    for (rows, cols) in [(96, 48), (48, 96), (128, 128), (300, 520), (700, 90)] {
        let w = random(rows, cols, 11);
        let svd = Svd::of(&w).unwrap();
        let k = rows.min(cols);
        for range in [0..1, 0..2, 0..k / 10, 0..k / 2, k / 10..k, k - 1..k, 0..k] {
            let factors = svd.components(std::slice::from_ref(&range));
            let expected = formula(&svd, rows, cols, range.clone());
            assert_eq!(bits(&laser_linalg::product(&factors)), bits(&expected), "{rows} x {cols}, {range:?}");
        }
    }
}

/// The same bits from one, two and three threads, and from several decompositions at once.
#[test]
fn threads_change_no_bit() {
    let w = random(600, 500, 9);
    let run = || {
        let svd = Svd::of(&w).unwrap();
        (svd.singular_values().to_vec(), truncate(&svd, 300), tail(&svd, 300))
    };
    let expected = run();
    for threads in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            assert_eq!(run(), expected);
            let (a, b) = rayon::join(run, run);
            assert_eq!(a, expected);
            assert_eq!(b, expected);
        });
    }
}

//! What the singular values say: ranks, energy, sizes, and where noise ends.

use std::f64::consts::PI;
use std::time::Instant;

use laser_linalg::{FactoredSize, Spectrum, SpectrumError, Svd};
use laser_matrix::{Matrix, Rho, SvdError};
use proptest::prelude::*;

/// Independent normal entries (Box and Muller 1958).
fn gaussian(rows: usize, cols: usize, deviation: f64, seed: u64) -> Matrix {
    let mut state = seed;
    let mut uniform = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut next = || (deviation * (-2.0 * (1.0 - uniform()).ln()).sqrt() * (2.0 * PI * uniform()).cos()) as f32;
    Matrix::new(rows, cols, (0..rows * cols).map(|_| next()).collect()).unwrap()
}

/// A signal of `rank` components, each with a singular value of about `strength` times that of the noise edge, and noise of
/// deviation 1.
fn planted(rows: usize, cols: usize, rank: usize, strength: f64, seed: u64) -> Matrix {
    let (left, right) = (gaussian(rows, rank, 1.0, seed), gaussian(rank, cols, 1.0, !seed));
    let mut sum = gaussian(rows, cols, 1.0, seed ^ 0x55);
    let (m, n) = ((rows as f64).sqrt(), (cols as f64).sqrt());
    let scale = strength * (m + n) / (m * n);
    for (at, x) in sum.data_mut().iter_mut().enumerate() {
        let (i, j) = (at / cols, at % cols);
        let signal = (0..rank).map(|k| f64::from(left.data()[i * rank + k]) * f64::from(right.data()[k * cols + j]));
        *x += (scale * signal.sum::<f64>()) as f32;
    }
    sum
}

fn rho(value: f64) -> Rho {
    Rho::new(value).unwrap()
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs())
}

/// Any shape, full or low rank or with a signal in noise.
fn matrices() -> impl Strategy<Value = Matrix> {
    (1..50usize, 1..50usize, any::<u64>(), 0..3usize).prop_map(|(rows, cols, seed, kind)| match kind {
        0 => gaussian(rows, cols, 1.0, seed),
        1 => planted(rows, cols, 1 + rows.min(cols) / 8, 3.0, seed),
        _ => {
            let (left, right) = (gaussian(rows, 1, 1.0, seed), gaussian(1, cols, 1.0, !seed));
            let outer = (0..rows * cols).map(|at| left.data()[at / cols] * right.data()[at % cols]);
            Matrix::new(rows, cols, outer.collect()).unwrap()
        }
    })
}

/// Falling values, some zero, at any scale.
fn spectra() -> impl Strategy<Value = Spectrum> {
    (prop::collection::vec(0.0..1.0f32, 1..60), 0..60usize, 0..20usize, -30..=30i32, any::<bool>()).prop_map(
        |(mut sigma, longer, zeros, exponent, wide)| {
            sigma.sort_by(|a, b| b.total_cmp(a));
            let n = sigma.len();
            sigma[n - zeros.min(n)..].fill(0.0);
            sigma.iter_mut().for_each(|s| *s *= 10f32.powi(exponent));
            let (rows, cols) = if wide { (n, n + longer) } else { (n + longer, n) };
            Spectrum::new(rows, cols, sigma).unwrap()
        },
    )
}

proptest! {
    #![proptest_config(laser_testing::cases())]

    #[test]
    fn the_values_alone_are_those_of_the_decomposition(w in matrices()) {
        let (alone, svd) = (Spectrum::of(&w).unwrap(), Svd::of(&w).unwrap());
        prop_assert_eq!((alone.rows(), alone.cols()), (w.rows(), w.cols()));
        prop_assert_eq!(alone.singular_values().len(), svd.singular_values().len());
        for (a, b) in alone.singular_values().iter().zip(svd.singular_values()) {
            prop_assert!((a - b).abs() <= 1e-5 * svd.singular_values()[0], "{} {}", a, b);
        }
        prop_assert!(close(alone.energy().sqrt(), w.frobenius_norm(), 1e-5));
    }

    #[test]
    fn ranks_keep_their_bounds(s in spectra()) {
        let rank = s.singular_values().iter().filter(|&&x| x > 0.0).count() as f64;
        let (effective, stable) = (s.effective_rank(), s.stable_rank());
        if rank == 0.0 {
            prop_assert_eq!((effective, stable), (0.0, 0.0));
        } else {
            // Renyi entropies fall with their order: exp(H_1) >= exp(H_inf) = sum sigma / sigma_1 >= sum sigma^2 / sigma_1^2.
            prop_assert!(1.0 <= stable && stable <= effective * (1.0 + 1e-9) && effective <= rank, "{} {}", stable, effective);
        }
    }

    #[test]
    fn scaling_changes_no_rank_and_scales_the_edge(w in matrices(), exponent in -60..=60i32) {
        let factor = 2f32.powi(exponent);
        let mut scaled = w.clone();
        scaled.data_mut().iter_mut().for_each(|x| *x *= factor);
        let (a, b) = (Spectrum::of(&w).unwrap(), Spectrum::of(&scaled).unwrap());
        prop_assert!(close(a.effective_rank(), b.effective_rank(), 1e-12));
        prop_assert!(close(a.stable_rank(), b.stable_rank(), 1e-12));
        let (a, b) = (a.noise_edge(), b.noise_edge());
        let factor = f64::from(factor);
        prop_assert!(close(a.sigma * factor, b.sigma, 1e-12), "{:?} {:?}", a, b);
        prop_assert!(close(a.edge * factor, b.edge, 1e-12), "{:?} {:?}", a, b);
        prop_assert!(close(a.threshold * factor, b.threshold, 1e-12), "{:?} {:?}", a, b);
        prop_assert_eq!(a.rank, b.rank);
    }

    #[test]
    fn transposition_changes_nothing(w in matrices()) {
        let (a, b) = (Spectrum::of(&w).unwrap(), Spectrum::of(&w.transpose()).unwrap());
        prop_assert!(close(a.effective_rank(), b.effective_rank(), 1e-3));
        prop_assert!(close(a.stable_rank(), b.stable_rank(), 1e-4));
        let largest = f64::from(a.singular_values()[0]);
        let (a, b) = (a.noise_edge(), b.noise_edge());
        prop_assert!((a.edge - b.edge).abs() <= 1e-3 * largest, "{:?} {:?}", a, b);
        prop_assert_eq!(a.rank, b.rank);
    }

    #[test]
    fn energy_kept_grows_with_rho(s in spectra(), x in 0.0..=1.0f64, y in 0.0..=1.0f64) {
        let (low, high) = (s.energy_kept(rho(x.min(y))), s.energy_kept(rho(x.max(y))));
        prop_assert!((0.0..=1.0).contains(&low) && low <= high && high <= 1.0);
        prop_assert_eq!(s.energy_kept(rho(1.0)), 1.0);
    }

    #[test]
    fn the_noise_edge_is_a_number_for_any_spectrum(s in spectra()) {
        let noise = s.noise_edge();
        prop_assert!(noise.sigma.is_finite() && noise.edge.is_finite() && noise.threshold.is_finite(), "{:?}", noise);
        prop_assert!(0.0 <= noise.edge && noise.edge <= noise.threshold);
        let (m, n) = ((s.rows() as f64).sqrt(), (s.cols() as f64).sqrt());
        prop_assert!(close(noise.edge, noise.sigma * (m + n), 1e-12));
        let above = s.singular_values().iter().filter(|&&x| f64::from(x) > noise.threshold).count();
        prop_assert_eq!(noise.rank, above);
    }
}

#[test]
fn formulas() {
    let s = Spectrum::new(4, 3, vec![4.0, 2.0, 2.0]).unwrap();
    assert_eq!(s.energy(), 24.0);
    assert_eq!(s.stable_rank(), 1.5);
    // p = 1/2, 1/4, 1/4: an entropy of 1.5 bits.
    assert!(close(s.effective_rank(), 2f64.powf(1.5), 1e-15));
    assert_eq!(s.energy_kept(rho(0.0)), 0.0);
    assert_eq!(s.energy_kept(rho(0.34)), 16.0 / 24.0);
    assert_eq!(s.energy_kept(rho(0.7)), 20.0 / 24.0);
    let size = s.factored_size(rho(0.34));
    assert_eq!(size, FactoredSize { rank: 1, factored: 7, dense: 12 });
    assert!(close(size.saved(), 5.0 / 12.0, 1e-15));
    assert!(close(s.factored_size(rho(1.0)).saved(), -9.0 / 12.0, 1e-15));
    assert_eq!(s.factored_size(rho(0.0)).saved(), 1.0);
}

#[test]
fn numbers_that_are_no_singular_values_are_errors() {
    assert_eq!(Spectrum::new(2, 3, vec![1.0]), Err(SpectrumError::Count { rows: 2, cols: 3, got: 1 }));
    for (values, index) in [([1.0, 2.0], 1), ([1.0, -0.5], 1), ([f32::INFINITY, 1.0], 0)] {
        assert_eq!(Spectrum::new(2, 3, values.to_vec()), Err(SpectrumError::Value { index, value: values[index] }));
    }
    assert!(Spectrum::new(2, 3, vec![f32::NAN, 1.0]).is_err());
    let mut w = Matrix::zeros(2, 2);
    w.data_mut()[3] = f32::NAN;
    assert_eq!(Spectrum::of(&w), Err(SvdError::NonFinite { row: 1, col: 1 }));
    w.data_mut().fill(f32::MAX);
    assert_eq!(Spectrum::of(&w), Err(SvdError::Overflow { rows: 2, cols: 2 }));
}

#[test]
fn degenerate_matrices() {
    for (rows, cols) in [(0, 0), (0, 5), (5, 0), (1, 1), (1, 9), (9, 1), (7, 4), (200, 150)] {
        let zero = Spectrum::of(&Matrix::zeros(rows, cols)).unwrap();
        assert_eq!((zero.effective_rank(), zero.stable_rank(), zero.energy()), (0.0, 0.0, 0.0));
        assert_eq!(zero.energy_kept(rho(0.5)), 1.0);
        let noise = zero.noise_edge();
        assert_eq!((noise.sigma, noise.edge, noise.threshold, noise.rank), (0.0, 0.0, 0.0, 0));
        assert!(zero.factored_size(rho(0.5)).saved().is_finite());

        let mut constant = Matrix::zeros(rows, cols);
        constant.data_mut().fill(-0.3);
        let constant = Spectrum::of(&constant).unwrap();
        if let Some(&sigma) = constant.singular_values().first() {
            assert!(close(sigma.into(), 0.3 * ((rows * cols) as f64).sqrt(), 1e-5));
            assert!(close(constant.effective_rank(), 1.0, 1e-3), "{}", constant.effective_rank());
            assert!(close(constant.stable_rank(), 1.0, 1e-6));
            let rank = usize::from(rows.min(cols) > 2);
            assert_eq!(constant.noise_edge().rank, rank, "{rows} x {cols}: {:?}", constant.noise_edge());
        }
    }
    // The deviation of a row of noise is its root mean square.
    let row = Spectrum::of(&gaussian(1, 1000, 0.2, 4)).unwrap().noise_edge();
    assert!(close(row.sigma, 0.2, 0.05) && row.rank == 0, "{row:?}");
}

#[test]
fn equal_singular_values_are_all_noise() {
    let s = Spectrum::new(100, 100, vec![1.0; 100]).unwrap();
    assert!(close(s.effective_rank(), 100.0, 1e-12));
    assert_eq!(s.stable_rank(), 100.0);
    assert_eq!(s.noise_edge().rank, 0);
}

#[test]
fn pure_noise_has_no_rank() {
    let mut above_the_threshold = 0;
    for seed in 0..4 {
        for (rows, cols) in [(256, 256), (256, 688), (480, 120), (128, 512), (400, 399)] {
            let w = gaussian(rows, cols, 0.02, 1000 * seed + rows as u64);
            let s = Spectrum::of(&w).unwrap();
            let noise = s.noise_edge();
            assert!(close(noise.sigma, 0.02, 0.02), "{rows} x {cols}: {noise:?}");
            // One value of less than a hundred would be more than 1 %.
            let above_edge = s.singular_values().iter().filter(|&&x| f64::from(x) > noise.edge).count();
            assert!(above_edge as f64 <= 0.01 * rows.min(cols) as f64, "{rows} x {cols}: {above_edge}");
            above_the_threshold += noise.rank;
        }
    }
    // One in a hundred matrices may have one.
    assert!(above_the_threshold <= 1, "{above_the_threshold}");
}

#[test]
fn a_planted_signal_is_counted_and_does_not_lift_the_noise() {
    for (rows, cols, rank, strength) in [
        (200, 200, 5, 2.0),
        (200, 500, 1, 2.0),
        (300, 120, 10, 100.0),
        (250, 300, 40, 3.0),
        (300, 200, 80, 4.0),
        (120, 400, 3, 1e4),
    ] {
        let noise = Spectrum::of(&planted(rows, cols, rank, strength, 7)).unwrap().noise_edge();
        assert_eq!(noise.rank, rank, "{rows} x {cols}: {noise:?}");
        assert!(close(noise.sigma, 1.0, 0.03), "{rows} x {cols}, rank {rank}: {noise:?}");
    }
}

#[test]
fn a_low_rank_without_noise_is_counted() {
    for (rows, cols, rank) in [(60, 90, 7), (150, 150, 20), (400, 150, 3)] {
        let (left, right) = (gaussian(rows, rank, 1.0, 1), gaussian(rank, cols, 1.0, 2));
        let entry = |at: usize| {
            let terms = (0..rank).map(|k| left.data()[at / cols * rank + k] * right.data()[k * cols + at % cols]);
            terms.sum::<f32>()
        };
        let w = Matrix::new(rows, cols, (0..rows * cols).map(entry).collect()).unwrap();
        let noise = Spectrum::of(&w).unwrap().noise_edge();
        assert_eq!(noise.rank, rank, "{noise:?}");
    }
}

/// Minutes of work: `cargo test --release -p laser-linalg --test spectrum -- --ignored --nocapture`.
#[test]
#[ignore = "minutes of work"]
fn pure_noise_of_the_shapes_of_large_models() {
    for (rows, cols) in [(1024, 4096), (4096, 4096), (4096, 11008)] {
        let w = gaussian(rows, cols, 0.02, 1);
        let start = Instant::now();
        let s = Spectrum::of(&w).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let noise = s.noise_edge();
        let above = s.singular_values().iter().filter(|&&x| f64::from(x) > noise.edge).count();
        let share = above as f64 / rows.min(cols) as f64;
        println!(
            "{rows} x {cols}: sigma {:.6}, edge {:.5}, threshold {:.5}, sigma_1 {:.5}, {above} above the edge ({share:.5}), \
             {} above the threshold, {seconds:.0} s",
            noise.sigma,
            noise.edge,
            noise.threshold,
            s.singular_values()[0],
            noise.rank
        );
        assert!(close(noise.sigma, 0.02, 0.002), "{rows} x {cols}: {noise:?}");
        assert!(share < 0.01 && noise.rank <= 1, "{rows} x {cols}: {noise:?}");
    }
}

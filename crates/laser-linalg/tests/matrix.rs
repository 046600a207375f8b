//! Matrices, ranks and row blocks.

use std::num::NonZeroUsize;

use laser_linalg::{DecomposedMatrix, Svd, product};
use laser_matrix::{Decompose, Matrix, Rho, ShapeError, SvdError, rank_for};
use proptest::prelude::*;

fn rho(value: f64) -> Rho {
    Rho::new(value).unwrap()
}

fn blocks(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn matrix(rows: usize, cols: usize, data: &[f32]) -> Matrix {
    Matrix::new(rows, cols, data.to_vec()).unwrap()
}

#[test]
fn shape_and_data_must_agree() {
    assert_eq!(Matrix::new(2, 3, vec![0.0; 5]), Err(ShapeError { rows: 2, cols: 3, got: 5 }));
    assert!(Matrix::new(usize::MAX, 2, Vec::new()).is_err());
    let m = matrix(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(m.transpose(), matrix(3, 2, &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
    assert_eq!(m.frobenius_norm(), 91f64.sqrt());
    assert_eq!(matrix(1, 2, &[3e30, 4e30]).frobenius_norm() as f32, 5e30);
}

#[test]
fn rho_is_a_fraction() {
    for good in [0.0, 1e-9, 0.5, 1.0] {
        assert_eq!(Rho::new(good).unwrap().get(), good);
    }
    for bad in [-0.1, 1.000001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let message = Rho::new(bad).unwrap_err().to_string();
        assert!(message.contains("from 0 to 1"), "{message}");
    }
}

#[test]
fn rank_is_guarded_against_rounding() {
    assert_eq!(rank_for(rho(0.3), 10, 20), 3);
    assert_eq!(rank_for(rho(0.29999999), 10, 20), 3);
    assert_eq!(rank_for(rho(0.29), 100, 100), 29);
    assert_eq!(rank_for(rho(1.0 - 0.9), 10, 10), 1);
    assert_eq!(rank_for(rho(0.299), 10, 10), 2);
    assert_eq!(rank_for(rho(0.01), 576, 1536), 5);
    assert_eq!(rank_for(rho(0.01), 99, 99), 0);
    assert_eq!(rank_for(rho(0.0), 10, 10), 0);
    assert_eq!(rank_for(rho(1.0), 7, 10), 7);
    assert_eq!(rank_for(rho(1.0), 0, 10), 0);
}

proptest! {
    #![proptest_config(laser_testing::cases())]

    #[test]
    fn rank_of_an_exact_fraction(n in 1..20_000usize, r in 0..20_000usize) {
        let r = r.min(n);
        prop_assert_eq!(rank_for(rho(r as f64 / n as f64), n, n + 1), r);
    }
}

fn truncate(matrix: &Matrix, rank: usize) -> Matrix {
    product(&Svd::of(matrix).unwrap().components(&[0..rank]))
}

fn truncate_row_blocks(matrix: &Matrix, blocks: NonZeroUsize, rho: Rho) -> Result<Matrix, SvdError> {
    DecomposedMatrix::new(matrix.clone()).row_blocks(blocks, &|rows, cols| rank_for(rho, rows, cols))
}

#[test]
fn row_blocks_are_truncated_each_on_its_own() {
    let data: Vec<f32> = (0..70).map(|i| ((i * 37 % 101) as f32 - 50.0) / 10.0).collect();
    let m = matrix(10, 7, &data);
    // 10 rows in 4 blocks: 3, 3, 2, 2; of ranks 1, 1, 1, 1.
    let reduced = truncate_row_blocks(&m, blocks(4), rho(0.5)).unwrap();
    for (first, height) in [(0, 3), (3, 3), (6, 2), (8, 2)] {
        let range = first * 7..(first + height) * 7;
        let alone = truncate(&matrix(height, 7, &data[range.clone()]), 1);
        assert_eq!(&reduced.data()[range], alone.data());
    }
    assert_eq!(truncate_row_blocks(&m, blocks(1), rho(0.5)).unwrap(), truncate(&m, 3));
    // One row a block: rank 1 of 1 keeps it, rank 0 of 1 does not.
    let rows = truncate_row_blocks(&m, blocks(99), rho(1.0)).unwrap();
    assert!(rows.data().iter().zip(&data).all(|(a, b)| (a - b).abs() < 1e-5));
    assert_eq!(truncate_row_blocks(&m, blocks(99), rho(0.9)).unwrap(), Matrix::zeros(10, 7));
    assert_eq!(truncate_row_blocks(&Matrix::zeros(0, 7), blocks(2), rho(0.5)).unwrap(), Matrix::zeros(0, 7));
}

#[test]
fn a_bad_entry_is_named_by_its_place_in_the_whole_matrix() {
    let mut m = Matrix::zeros(6, 2);
    m.data_mut()[9] = f32::NAN;
    assert_eq!(truncate_row_blocks(&m, blocks(3), rho(0.5)).unwrap_err(), SvdError::NonFinite { row: 4, col: 1 });
}

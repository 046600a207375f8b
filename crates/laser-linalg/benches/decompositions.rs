//! Decompositions of a matrix: `just bench decompositions`.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use laser_linalg::{Spectrum, Svd, product};
use laser_matrix::Matrix;

/// Of SmolLM2-135M: a key projection, a square projection, a gate.
const SHAPES: [[usize; 2]; 3] = [[192, 576], [576, 576], [1536, 576]];

/// Entries that look random, the same in every run.
fn matrix([rows, cols]: [usize; 2]) -> Matrix {
    Matrix::from_fn(rows, cols, |i, j| {
        let mixed = (i * cols + j + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 40) as f32 / (1 << 23) as f32 - 1.0) / (cols as f32).sqrt()
    })
}

fn decompositions(criterion: &mut Criterion) {
    for [rows, cols] in SHAPES {
        let (matrix, shape) = (matrix([rows, cols]), format!("{rows}x{cols}"));
        criterion.bench_with_input(BenchmarkId::new("svd", &shape), &matrix, |bench, matrix| {
            bench.iter(|| Svd::of(matrix));
        });
        criterion.bench_with_input(BenchmarkId::new("spectrum", &shape), &matrix, |bench, matrix| {
            bench.iter(|| Spectrum::of(matrix));
        });
        // The reduced matrix of a decomposition that is there, at a tenth of the rank.
        let svd = Svd::of(&matrix).expect("a decomposition");
        criterion.bench_with_input(BenchmarkId::new("reduced", &shape), &svd, |bench, svd| {
            bench.iter(|| product(&svd.components(&[0..rows.min(cols) / 10])));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = decompositions
}
criterion_main!(benches);

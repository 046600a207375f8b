//! `y = x Wᵀ` by faer, where the processor lacks what [packed matrices](super::packed) takes.
//!
//! Weights that stay in memory are kept transposed, `Wᵀ [inputs, outputs]`: faer packs that form
//! without a stride, which for few rows (decoding) makes the product up to half as fast again.

use super::meter;
use crate::parts::Precision;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Below this many floating-point operations a product is not worth a second thread.
const PARALLEL_FLOPS: usize = 4_000_000;

/// Parts of a product start at multiples of this, the widest micro-kernel's height, so that none is
/// a sliver.
const ALIGNMENT: usize = 96;

/// The instructions that faer takes on this processor. Products have the same bits by AVX2 and by
/// AVX-512, decompositions have not.
pub fn instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        return "faer avx512";
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        return "faer avx2";
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        return "faer neon";
    }
    "faer scalar"
}

/// faer sums over this many inputs at a time, and adds the sums up.
pub(super) const DEPTH: usize = 512;

/// Products of at most this many multiplications are taken by faer's kernels for tiny matrices,
/// which sum over all inputs at once.
pub(super) const TINY: usize = 16 * 16 * 16;

/// Row-major `x [rows, inputs]` times row-major `transposed [inputs, outputs]`, row-major.
pub fn linear(x: &[f32], transposed: &[f32], [rows, inputs, outputs]: [usize; 3]) -> Vec<f32> {
    let w = MatRef::from_row_major_slice(transposed, inputs, outputs);
    meter::count(Precision::F32, [rows, inputs, outputs], || product(x, w, rows))
}

/// Row-major `x [rows, inputs]` times `w [inputs, outputs]`, row-major.
///
/// faer sums over `inputs` in an order that depends neither on the number of rows nor on the number
/// of outputs, with two shortcuts: a single row is a matrix-vector product, and a tiny product
/// is not cut along `inputs`. Rows too few are therefore filled up with repetitions.
fn product(x: &[f32], w: MatRef<f32>, rows: usize) -> Vec<f32> {
    let (inputs, outputs) = (w.nrows(), w.ncols());
    let least = if inputs > DEPTH { TINY / (inputs * outputs.max(1)) + 1 } else { 1 }.max(2);
    if (1..least).contains(&rows) {
        let mut y = product(&x.repeat(least.div_ceil(rows)), w, least.next_multiple_of(rows));
        y.truncate(rows * outputs);
        return y;
    }
    let mut y = vec![0.0; rows * outputs];
    multiply(
        MatMut::from_row_major_slice_mut(&mut y, rows, outputs),
        MatRef::from_row_major_slice(x, rows, inputs),
        w,
        rayon::current_num_threads(),
    );
    y
}

/// `y = a b` in up to `parts` parts. faer's own threads wait by spinning, which wastes a shared
/// machine; rayon's sleep.
fn multiply(y: MatMut<f32>, a: MatRef<f32>, b: MatRef<f32>, parts: usize) {
    let (rows, outputs) = (y.nrows(), y.ncols());
    let longest = rows.max(outputs);
    if parts < 2 || 2 * rows * outputs * a.ncols() < PARALLEL_FLOPS || longest < 2 * ALIGNMENT {
        return matmul(y, Accum::Replace, a, b, 1.0, Par::Seq);
    }
    let first = parts / 2;
    let cut = (longest * first / parts).next_multiple_of(ALIGNMENT);
    if rows >= outputs {
        let ((y1, y2), (a1, a2)) = (y.split_at_row_mut(cut), a.split_at_row(cut));
        rayon::join(|| multiply(y1, a1, b, first), || multiply(y2, a2, b, parts - first));
    } else {
        let ((y1, y2), (b1, b2)) = (y.split_at_col_mut(cut), b.split_at_col(cut));
        rayon::join(|| multiply(y1, a, b1, first), || multiply(y2, a, b2, parts - first));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_path_tells_avx512_from_avx2_of_which_decompositions_differ() {
        assert_eq!(instructions() == "faer avx512", std::arch::is_x86_feature_detected!("avx512f"));
    }

    fn values(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed | 1;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
            })
            .collect()
    }

    fn product(x: &[f32], w: &[f32], rows: usize, inputs: usize, outputs: usize) -> Vec<f32> {
        super::product(x, MatRef::from_row_major_slice(w, inputs, outputs), rows)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..laser_testing::cases() })]

        /// What every equality of batched and one-by-one evaluation rests on.
        #[test]
        fn a_row_has_the_same_bits_in_any_batch(rows in 1usize..200, inputs in 1usize..700, outputs in 1usize..700, seed: u64) {
            let (x, w) = (values(rows * inputs, seed), values(outputs * inputs, !seed));
            let all = product(&x, &w, rows, inputs, outputs);
            for row in [0, rows / 2, rows - 1] {
                let alone = product(&x[row * inputs..][..inputs], &w, 1, inputs, outputs);
                prop_assert_eq!(&alone[..], &all[row * outputs..][..outputs]);
            }
        }

        #[test]
        fn agrees_with_the_definition(rows in 1usize..9, inputs in 1usize..80, outputs in 1usize..40, seed: u64) {
            let (x, w) = (values(rows * inputs, seed), values(outputs * inputs, !seed));
            let y = product(&x, &w, rows, inputs, outputs);
            for i in 0..rows {
                for j in 0..outputs {
                    let exact: f64 = (0..inputs).map(|k| f64::from(x[i * inputs + k]) * f64::from(w[k * outputs + j])).sum();
                    prop_assert!((f64::from(y[i * outputs + j]) - exact).abs() <= 1e-5 * (inputs as f64).sqrt());
                }
            }
        }
    }

    #[test]
    fn tiny_products_sum_in_the_order_of_large_ones() {
        for outputs in 1..5 {
            let (rows, inputs) = (300, 514);
            let (x, w) = (values(rows * inputs, 1), values(outputs * inputs, 2));
            let all = product(&x, &w, rows, inputs, outputs);
            for few in 1..9 {
                assert_eq!(product(&x[..few * inputs], &w, few, inputs, outputs), all[..few * outputs]);
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_on_any_number_of_threads() {
        let (rows, inputs, outputs) = (130, 576, 1536);
        let (x, w) = (values(rows * inputs, 1), values(outputs * inputs, 2));
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| product(&x, &w, rows, inputs, outputs))
        };
        let one = on(1);
        for threads in [2, 3, 8] {
            assert_eq!(one, on(threads));
        }
    }
}

//! Loops over f32 slices that the compiler turns into vector instructions.
//!
//! Sums run in [`LANES`] interleaved partial sums on every machine, so that a result does not
//! depend on the width of the instructions that computed it. Call these inside [`dispatch`], which
//! picks the widest that the CPU has.

/// Partial sums of a reduction: one AVX-512 register of f32.
const LANES: usize = 16;

/// The bits of the bf16 nearest to `value`, in the upper half.
#[inline(always)]
pub fn bf16_bits(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) & 0xffff_0000;
    // Rounding would carry a NaN's bits over its sign.
    if value.is_nan() { 0x7fc0_0000 } else { rounded }
}

/// Runs `work` compiled for the widest vector instructions of this CPU.
#[inline(always)]
pub fn dispatch<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Σ aᵢ bᵢ.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
        }
    }
    let mut sum = fold(lanes);
    for (a, b) in a_rest.iter().zip(b_rest) {
        sum = a.mul_add(*b, sum);
    }
    sum
}

/// [`dot`] of `a` with each of `rows`, `width` elements apart in `data`.
///
/// The partial sums of several rows are all made before any of them is folded: where both stand in
/// one loop, the compiler lets the fold decide how wide the multiplications are.
#[inline(always)]
pub fn dots(a: &[f32], data: &[f32], width: usize, rows: &[u32], out: &mut [f32]) {
    const ROWS: usize = 16;
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    for (rows, out) in rows.chunks(ROWS).zip(out.chunks_mut(ROWS)) {
        let mut lanes = [[0.0f32; LANES]; ROWS];
        for (lanes, &row) in lanes.iter_mut().zip(rows) {
            let (b_blocks, _) = data[row as usize * width..][..a.len()].as_chunks::<LANES>();
            for (a, b) in a_blocks.iter().zip(b_blocks) {
                for lane in 0..LANES {
                    lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
                }
            }
        }
        for ((lanes, out), &row) in lanes.iter().zip(out).zip(rows) {
            let b_rest = &data[row as usize * width..][a.len() - a_rest.len()..a.len()];
            let mut sum = fold(*lanes);
            for (a, b) in a_rest.iter().zip(b_rest) {
                sum = a.mul_add(*b, sum);
            }
            *out = sum;
        }
    }
}

/// Σ aᵢ.
#[inline(always)]
pub fn sum(a: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (blocks, rest) = a.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] += block[lane];
        }
    }
    rest.iter().fold(fold(lanes), |sum, a| sum + a)
}

/// y += a x.
#[inline(always)]
pub fn axpy(a: f32, x: &[f32], y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = a.mul_add(*x, *y);
    }
}

/// The largest element; −∞ for an empty slice. NaNs are passed over.
#[inline(always)]
pub fn max(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] = if block[lane] > lanes[lane] { block[lane] } else { lanes[lane] };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |max, &v| if v > max { v } else { max })
}

/// Σ exp(vᵢ - max).
#[inline(always)]
pub fn sum_exp(values: &[f32], max: f32) -> f64 {
    let mut total = 0.0f64;
    // Blocks short enough that the f32 partial sums keep their precision over a large vocabulary.
    for block in values.chunks(64 * LANES) {
        let mut lanes = [0.0f32; LANES];
        let (chunks, rest) = block.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                lanes[lane] += exp(chunk[lane] - max);
            }
        }
        total += f64::from(fold(lanes));
        total += rest.iter().map(|v| f64::from(exp(v - max))).sum::<f64>();
    }
    total
}

/// Σ exp(aᵢ - max), and Σ exp(aᵢ - max) (aᵢ - bᵢ).
#[inline(always)]
pub fn sum_exp_times_difference(a: &[f32], b: &[f32], max: f32) -> (f64, f64) {
    let (mut total, mut weighted) = (0.0f64, 0.0f64);
    for (a, b) in a.chunks(64 * LANES).zip(b.chunks(64 * LANES)) {
        let (mut sums, mut products) = ([0.0f32; LANES], [0.0f32; LANES]);
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                let weight = exp(a[lane] - max);
                sums[lane] += weight;
                products[lane] = weight.mul_add(a[lane] - b[lane], products[lane]);
            }
        }
        total += f64::from(fold(sums));
        weighted += f64::from(fold(products));
        for (a, b) in a_rest.iter().zip(b_rest) {
            let weight = f64::from(exp(a - max));
            total += weight;
            weighted += weight * f64::from(a - b);
        }
    }
    (total, weighted)
}

#[inline(always)]
fn fold(lanes: [f32; LANES]) -> f32 {
    let mut lanes = lanes;
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// eˣ to about one unit in the last place, without branches: x = n ln 2 + r, |r| ≤ ½ ln 2, and eʳ
/// by its Taylor polynomial of degree 7 (remainder below 6e-9). Saturates at both ends of the
/// range; NaN stays NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x < -87.0 { -87.0 } else { x };
    let clamped = if clamped > 88.0 { 88.0 } else { clamped };
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, clamped));
    let mut p = 1.0 / 5040.0;
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = r.mul_add(p, c);
    }
    let two_to_n = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    p * two_to_n
}

/// tanh x by [`exp`]: 1 - 2 / (e^2x + 1).
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate_over_its_range() {
        let mut x = -86.9f32;
        while x < 87.9 {
            let exact = f64::from(x).exp();
            let relative = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(relative < 2e-7, "exp({x}) is off by {relative}");
            x += 0.0137;
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1000.0) < 1e-37 && exp(1000.0).is_finite() && exp(f32::NAN).is_nan());
    }

    #[test]
    fn reductions_agree_with_their_definitions() {
        for n in [0usize, 1, 15, 16, 17, 100, 1025, 5000] {
            let a: Vec<f32> = (0..n).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
            let b: Vec<f32> = (0..n).map(|i| ((i * 53 % 97) as f32 - 48.0) / 25.0).collect();
            let exact: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!((f64::from(dot(&a, &b)) - exact).abs() < 1e-3);
            let data = [&b[..], &a[..], &b[..]].concat();
            let mut found = [0.0; 21];
            let rows: Vec<u32> = (0..21).map(|i| i * 2 % 3).collect();
            dots(&a, &data, n, &rows, &mut found);
            let expected = rows.iter().map(|&row| if row == 1 { dot(&a, &a) } else { dot(&a, &b) });
            assert!(expected.zip(found).all(|(expected, found)| expected == found));
            assert!((f64::from(sum(&a)) - a.iter().map(|a| f64::from(*a)).sum::<f64>()).abs() < 1e-3);
            let largest = a.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(max(&a), largest);
            if n > 0 {
                let exact = a.iter().map(|v| f64::from(*v).exp()).sum::<f64>().ln();
                assert!((f64::from(largest) + sum_exp(&a, largest).ln() - exact).abs() < 1e-6);
            }
        }
    }
}

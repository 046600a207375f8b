//! `y = x Wᵀ` in bf16: weights, inputs and results are rounded to eight bits of mantissa, sums are made in f32.

use super::meter;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use gemmkit::{MatMut, MatRef, Parallelism, bf16, gemm};
use rayon::prelude::*;
use std::sync::Arc;

/// Rows, or where there are few, outputs that a thread computes at a time, whatever the number of threads.
const PART: usize = 256;

/// Rows from which on gemmkit takes its general road.
const LEAST: usize = 17;

/// Whether this processor multiplies in bf16 faster than in f32.
pub fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// A weight matrix in bf16, `[outputs, inputs]` row-major, on the CPU. Cloning shares it.
#[derive(Debug, Clone)]
pub struct RoundedMatrix {
    weights: Arc<Vec<bf16>>,
    outputs: usize,
    inputs: usize,
}

impl RoundedMatrix {
    /// Rounds row-major `weights [outputs, inputs]`.
    pub fn new(weights: &[f32], outputs: usize, inputs: usize) -> Self {
        Self { weights: Arc::new(weights.iter().map(|&w| bf16::from_f32(w)).collect()), outputs, inputs }
    }

    /// The weights as they are multiplied with, row-major, and their shape.
    pub fn widened(&self) -> (Vec<f32>, (usize, usize)) {
        (self.weights.iter().map(|w| w.to_f32()).collect(), (self.outputs, self.inputs))
    }

    /// `x Wᵀ` for `x [rows, inputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply_op1_no_bwd(self)
    }

    fn product(&self, x: &[f32], rows: usize) -> Vec<f32> {
        let (outputs, inputs) = (self.outputs, self.inputs);
        let x: Vec<bf16> = x.iter().map(|&x| bf16::from_f32(x)).collect();
        let mut y = vec![0.0f32; rows * outputs];
        if y.is_empty() || inputs == 0 {
            return y;
        }
        if rows >= 2 * PART || outputs < 2 * PART {
            let parts = x.par_chunks(PART * inputs).zip(y.par_chunks_mut(PART * outputs));
            parts.for_each(|(x, y)| {
                let part = multiply(x, &self.weights, inputs);
                y.iter_mut().zip(part).for_each(|(y, part)| *y = part.to_f32());
            });
            return y;
        }
        let parts: Vec<Vec<bf16>> =
            self.weights.par_chunks(PART * inputs).map(|weights| multiply(&x, weights, inputs)).collect();
        for (number, part) in parts.iter().enumerate() {
            let width = part.len() / rows.max(1);
            for (part, y) in part.chunks_exact(width).zip(y.chunks_exact_mut(outputs)) {
                let y = &mut y[number * PART..][..width];
                y.iter_mut().zip(part).for_each(|(y, part)| *y = part.to_f32());
            }
        }
        y
    }
}

/// Row-major `x wᵀ`, both `[_, inputs]`.
///
/// gemmkit sums over the inputs in another order where there are few rows; they are filled up with repetitions.
fn multiply(x: &[bf16], w: &[bf16], inputs: usize) -> Vec<bf16> {
    let (rows, outputs) = (x.len() / inputs, w.len() / inputs);
    if (1..LEAST).contains(&rows) {
        let mut y = multiply(&x.repeat(LEAST.div_ceil(rows)), w, inputs);
        y.truncate(rows * outputs);
        return y;
    }
    let mut y = vec![bf16::ZERO; rows * outputs];
    gemm(
        bf16::ONE,
        MatRef::from_row_major(x, rows, inputs),
        MatRef::from_col_major(w, inputs, outputs),
        bf16::ZERO,
        MatMut::from_row_major(&mut y, rows, outputs),
        Parallelism::Serial,
    );
    y
}

impl CustomOp1 for RoundedMatrix {
    fn name(&self) -> &'static str {
        "linear in bf16"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = layout.shape().dims2()?;
        if inputs != self.inputs {
            candle_core::bail!("linear in bf16: x has {inputs} columns, the weight {}", self.inputs);
        }
        let x = super::contiguous("linear in bf16", x, layout)?;
        let y = meter::count_bf16(rows, inputs, self.outputs, || self.product(x, rows));
        Ok((CpuStorage::F32(y), Shape::from((rows, self.outputs))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_row_has_the_same_bits_in_any_batch() {
        let (inputs, outputs) = (96, 600);
        let x = Tensor::randn(0f32, 1.0, (1025, inputs), &Device::Cpu).unwrap();
        let w = Tensor::randn(0f32, 1.0, outputs * inputs, &Device::Cpu).unwrap().to_vec1::<f32>().unwrap();
        let matrix = RoundedMatrix::new(&w, outputs, inputs);
        let all = matrix.forward(&x).unwrap().to_vec2::<f32>().unwrap();
        for rows in [1, 2, 16, 17, 300, 513, 769] {
            let some = matrix.forward(&x.narrow(0, 0, rows).unwrap()).unwrap().to_vec2::<f32>().unwrap();
            assert!(some[..] == all[..rows], "{rows} rows");
        }
        let last = matrix.forward(&x.narrow(0, 1024, 1).unwrap()).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(last[0], all[1024]);
    }

    /// Within the rounding of inputs, weights and result, for any cut of the work.
    #[test]
    fn agrees_with_the_product_in_f32() {
        for (rows, inputs, outputs) in [(1, 40, 7), (3, 576, 1536), (513, 96, 64), (700, 64, 600), (0, 8, 8)] {
            let x = Tensor::randn(0f32, 1.0, (rows, inputs), &Device::Cpu).unwrap();
            let w = Tensor::randn(0f32, 1.0, (outputs, inputs), &Device::Cpu).unwrap();
            let values = w.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let found = RoundedMatrix::new(&values, outputs, inputs).forward(&x).unwrap();
            let values = |y: Tensor| y.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let exact = values(x.matmul(&w.t().unwrap()).unwrap());
            let sizes = values(x.abs().unwrap().matmul(&w.abs().unwrap().t().unwrap()).unwrap());
            for ((found, exact), size) in values(found).iter().zip(exact).zip(sizes) {
                // Two roundings by 2^-9 a term, and one of the result.
                let bound = size / 250.0 + exact.abs() / 256.0;
                assert!((found - exact).abs() <= bound, "{found} for {exact}");
            }
        }
    }
}

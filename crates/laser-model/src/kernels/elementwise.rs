//! Operations on two tensors of one shape, element by element.
//!
//! candle has both, but its CPU threads wait for work by spinning, which costs more than the sums.

use super::vector;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `a + b`, for two contiguous tensors of one shape.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.device().is_cpu() { a.apply_op2_no_bwd(b, &Elementwise::Add) } else { a + b }
}

/// The gate of a gated MLP: `silu(gate) * up`, with `silu(x) = x / (1 + exp(-x))`, for two contiguous tensors of one shape.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if gate.device().is_cpu() { gate.apply_op2_no_bwd(up, &Elementwise::SwiGlu) } else { gate.silu()? * up }
}

enum Elementwise {
    Add,
    SwiGlu,
}

impl CustomOp2 for Elementwise {
    fn name(&self) -> &'static str {
        match self {
            Elementwise::Add => "add",
            Elementwise::SwiGlu => "swiglu",
        }
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = a_layout.shape().clone();
        if shape != *b_layout.shape() {
            candle_core::bail!("{}: the shapes {shape:?} and {:?} differ", self.name(), b_layout.shape());
        }
        let a = super::contiguous(self.name(), a, a_layout)?;
        let b = super::contiguous(self.name(), b, b_layout)?;
        let out = match self {
            Elementwise::Add => zip(a, b, |a, b| a + b),
            Elementwise::SwiGlu => zip(a, b, |gate, up| gate / (1.0 + vector::exp(-gate)) * up),
        };
        Ok((CpuStorage::F32(out), shape))
    }
}

#[inline(always)]
fn zip(a: &[f32], b: &[f32], operation: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut out = vec![0.0f32; a.len()];
    out.par_chunks_mut(CHUNK).zip(a.par_chunks(CHUNK)).zip(b.par_chunks(CHUNK)).for_each(|((out, a), b)| {
        vector::dispatch(
            #[inline(always)]
            || {
                for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                    *out = operation(a, b);
                }
            },
        );
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn agree_with_candle() {
        let a = Tensor::randn(0f32, 3.0, (37, 1290), &Device::Cpu).unwrap();
        let b = Tensor::randn(0f32, 3.0, (37, 1290), &Device::Cpu).unwrap();
        let furthest =
            |x: Tensor, y: Tensor| (x - y).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert_eq!(furthest(add(&a, &b).unwrap(), (&a + &b).unwrap()), 0.0);
        assert!(furthest(swiglu(&a, &b).unwrap(), (a.silu().unwrap() * &b).unwrap()) < 1e-5);
    }
}

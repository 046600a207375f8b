//! The gate of a gated MLP: `silu(gate) * up`, with `silu(x) = x / (1 + exp(-x))`.

use super::vector;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `silu(gate) * up`, element by element, for two contiguous tensors of one shape.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if gate.device().is_cpu() { gate.apply_op2_no_bwd(up, &SwiGlu) } else { gate.silu()? * up }
}

struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, gate: &CpuStorage, gate_layout: &Layout, up: &CpuStorage, up_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let shape = gate_layout.shape().clone();
        if shape != *up_layout.shape() {
            candle_core::bail!("swiglu: the gate is {shape:?}, the up projection {:?}", up_layout.shape());
        }
        let gate = super::contiguous("swiglu", gate, gate_layout)?;
        let up = super::contiguous("swiglu", up, up_layout)?;
        let mut out = vec![0.0f32; gate.len()];
        out.par_chunks_mut(CHUNK).zip(gate.par_chunks(CHUNK)).zip(up.par_chunks(CHUNK)).for_each(|((out, gate), up)| {
            vector::dispatch(
                #[inline(always)]
                || {
                    for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
                        *out = gate / (1.0 + vector::exp(-gate)) * up;
                    }
                },
            );
        });
        Ok((CpuStorage::F32(out), shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn agrees_with_candle() {
        let gate = Tensor::randn(0f32, 3.0, (37, 129), &Device::Cpu).unwrap();
        let up = Tensor::randn(0f32, 3.0, (37, 129), &Device::Cpu).unwrap();
        let ours = swiglu(&gate, &up).unwrap();
        let theirs = (gate.silu().unwrap() * &up).unwrap();
        let difference = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(difference < 1e-5, "{difference}");
    }
}

//! Operations element by element.
//!
//! candle has them, but its CPU threads wait for work by spinning, which costs more than the sums.

use super::vector;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use laser_checkpoint::Activation;
use std::mem::MaybeUninit;

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `a + b`, for two contiguous tensors of one shape.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if super::is_ours(&[a, b]) { a.apply_op2_no_bwd(b, &Elementwise::Add) } else { a + b }
}

/// `activation(x)`, for a contiguous tensor.
pub fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    if super::is_ours(&[x]) {
        return x.apply_op1_no_bwd(&Activate(activation));
    }
    match activation {
        Activation::Silu => x.silu(),
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Relu => x.relu(),
    }
}

/// The gate of a gated MLP: `activation(gate) * up`, for two contiguous tensors of one shape.
pub fn gated(gate: &Tensor, up: &Tensor, activation: Activation) -> Result<Tensor> {
    if super::is_ours(&[gate, up]) {
        gate.apply_op2_no_bwd(up, &Elementwise::Gated(activation))
    } else {
        activate(gate, activation)? * up
    }
}

/// x / (1 + exp(-x)).
#[inline(always)]
fn silu(x: f32) -> f32 {
    x / (1.0 + vector::exp(-x))
}

/// x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3) (Hendrycks and Gimpel, arXiv 1606.08415).
#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    let u = SQRT_2_OVER_PI * x * (0.044_715 * x).mul_add(x, 1.0);
    x / (1.0 + vector::exp(-2.0 * u))
}

/// x (1 + erf(x / sqrt 2)) / 2.
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + candle_core::cpu::erf::erf_f32(x * std::f32::consts::FRAC_1_SQRT_2))
}

struct Activate(Activation);

impl CustomOp1 for Activate {
    fn name(&self) -> &'static str {
        "activate"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = super::contiguous(self.name(), x, layout)?;
        // The second operand is not looked at.
        let out = match self.0 {
            Activation::Silu => zip(x, x, |x, _| silu(x)),
            Activation::Gelu => zip(x, x, |x, _| gelu(x)),
            Activation::GeluTanh => zip(x, x, |x, _| gelu_tanh(x)),
            Activation::Relu => zip(x, x, |x, _| x.max(0.0)),
        };
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

enum Elementwise {
    Add,
    Gated(Activation),
}

impl CustomOp2 for Elementwise {
    fn name(&self) -> &'static str {
        match self {
            Elementwise::Add => "add",
            Elementwise::Gated(_) => "gated",
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
            Elementwise::Gated(Activation::Silu) => zip(a, b, |gate, up| silu(gate) * up),
            Elementwise::Gated(Activation::Gelu) => zip(a, b, |gate, up| gelu(gate) * up),
            Elementwise::Gated(Activation::GeluTanh) => zip(a, b, |gate, up| gelu_tanh(gate) * up),
            Elementwise::Gated(Activation::Relu) => zip(a, b, |gate, up| gate.max(0.0) * up),
        };
        Ok((CpuStorage::F32(out), shape))
    }
}

#[inline(always)]
fn zip(a: &[f32], b: &[f32], operation: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let write = |number: usize, out: &mut [MaybeUninit<f32>]| {
        let (a, b) = (&a[number * CHUNK..][..out.len()], &b[number * CHUNK..][..out.len()]);
        vector::dispatch(
            #[inline(always)]
            || {
                for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                    out.write(operation(a, b));
                }
            },
        );
    };
    // SAFETY: an element is written for each of a, and b has as many.
    unsafe { super::written(a.len(), CHUNK, write) }
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
        let activations = [
            (Activation::Silu, a.silu().unwrap()),
            (Activation::Gelu, a.gelu_erf().unwrap()),
            (Activation::GeluTanh, a.gelu().unwrap()),
            (Activation::Relu, a.relu().unwrap()),
        ];
        for (activation, expected) in activations {
            assert!(furthest(activate(&a, activation).unwrap(), expected.clone()) < 1e-5, "{activation:?}");
            assert!(furthest(gated(&a, &b, activation).unwrap(), (expected * &b).unwrap()) < 1e-5, "{activation:?}");
        }
    }
}

//! Operations element by element.

use super::fill::written;
use super::vector;
use crate::error::{Error, Result};
use crate::parts::Activation;
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `a + b`.
pub fn add(a: &[f32], b: &[f32]) -> Result<Vec<f32>> {
    check("add", a, b)?;
    Ok(zip(a, b, |a, b| a + b))
}

/// `a + b * scale`.
pub fn add_scaled(a: &[f32], b: &[f32], scale: f32) -> Result<Vec<f32>> {
    check("add", a, b)?;
    Ok(zip(a, b, |a, b| a + b * scale))
}

/// `activation(x)`.
pub fn activate(x: &[f32], activation: Activation) -> Vec<f32> {
    // The second operand is not looked at.
    match activation {
        Activation::Silu => zip(x, x, |x, _| silu(x)),
        Activation::Gelu => zip(x, x, |x, _| gelu(x)),
        Activation::GeluTanh => zip(x, x, |x, _| gelu_tanh(x)),
        Activation::Relu => zip(x, x, |x, _| x.max(0.0)),
        Activation::ReluSquared => zip(x, x, |x, _| x.max(0.0) * x.max(0.0)),
    }
}

/// `activation(gate) * up`.
pub fn gated(gate: &[f32], up: &[f32], activation: Activation) -> Result<Vec<f32>> {
    check("gated", gate, up)?;
    Ok(match activation {
        Activation::Silu => zip(gate, up, |gate, up| silu(gate) * up),
        Activation::Gelu => zip(gate, up, |gate, up| gelu(gate) * up),
        Activation::GeluTanh => zip(gate, up, |gate, up| gelu_tanh(gate) * up),
        Activation::Relu => zip(gate, up, |gate, up| gate.max(0.0) * up),
        Activation::ReluSquared => zip(gate, up, |gate, up| gate.max(0.0) * gate.max(0.0) * up),
    })
}

/// Each row of `x [rows, width]` times the sigmoid of its gate.
pub fn gate_rows(x: &[f32], gates: &[f32], width: usize) -> Result<Vec<f32>> {
    if x.len() != gates.len() * width {
        let why = format!("{} values are not {} rows of {width}", x.len(), gates.len());
        return Err(Error::Operands { op: "gate rows", why });
    }
    let mut gated = x.to_vec();
    for (row, gate) in gated.chunks_exact_mut(width.max(1)).zip(gates) {
        let gate = 1.0 / (1.0 + vector::exp(-gate));
        row.iter_mut().for_each(|x| *x *= gate);
    }
    Ok(gated)
}

/// `x * scale`. What is zero becomes a positive zero.
pub fn scale(x: &mut [f32], scale: f32) {
    x.iter_mut().for_each(|x| *x = *x * scale + 0.0);
}

/// Adds `bias` to each row of `x`.
pub fn add_bias(x: &mut [f32], bias: &[f32]) -> Result<()> {
    if bias.is_empty() || !x.len().is_multiple_of(bias.len()) {
        let why = format!("{} values are not rows of {}", x.len(), bias.len());
        return Err(Error::Operands { op: "bias", why });
    }
    x.par_chunks_mut((CHUNK / bias.len()).max(1) * bias.len()).for_each(|rows| {
        for row in rows.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
        }
    });
    Ok(())
}

/// cap * tanh(x / cap), element by element.
pub fn soft_cap(x: &mut [f32], cap: f64) {
    let (down, up) = ((1.0 / cap) as f32, cap as f32);
    x.par_chunks_mut(CHUNK).for_each(|x| {
        x.iter_mut().for_each(|x| *x = (*x * down + 0.0).tanh() * up + 0.0);
    });
}

fn check(op: &'static str, a: &[f32], b: &[f32]) -> Result<()> {
    if a.len() != b.len() {
        return Err(Error::Operands { op, why: format!("{} values and {}", a.len(), b.len()) });
    }
    Ok(())
}

/// x / (1 + exp(-x)).
#[inline(always)]
fn silu(x: f32) -> f32 {
    x / (1.0 + vector::exp(-x))
}

/// x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3) (Hendrycks and Gimpel, arXiv
/// 1606.08415).
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
    unsafe { written(a.len(), CHUNK, write) }
}

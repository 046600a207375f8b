//! Root-mean-square and layer normalisation of rows.

use super::fill::filled;
use super::vector;
use crate::error::{Error, Result};
use crate::parts::NormKind;

/// Elements a thread takes at a time, about.
const CHUNK: usize = 1 << 13;

/// Each row of `x [rows, width]`, normalised and then multiplied by `weight` and added to `bias`,
/// both `[width]`.
pub fn norm(x: &[f32], weight: &[f32], bias: &[f32], kind: NormKind, eps: f32) -> Result<Vec<f32>> {
    let width = weight.len();
    if width == 0 || bias.len() != width || !x.len().is_multiple_of(width) {
        let why = format!("{} values do not fit {width} weights and {} biases", x.len(), bias.len());
        return Err(Error::Operands { op: "norm", why });
    }
    let some = (CHUNK / width).max(1) * width;
    Ok(filled(x.len(), some, |number, out| {
        let x = &x[number * some..][..out.len()];
        vector::dispatch(
            #[inline(always)]
            || {
                for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                    normalise(x, weight, bias, kind, eps, out);
                }
            },
        );
    }))
}

#[inline(always)]
fn normalise(x: &[f32], weight: &[f32], bias: &[f32], kind: NormKind, eps: f32, out: &mut [f32]) {
    let n = x.len() as f32;
    let mean = match kind {
        NormKind::Rms => 0.0,
        NormKind::Layer => vector::sum(x) / n,
    };
    for (out, x) in out.iter_mut().zip(x) {
        *out = x - mean;
    }
    // The variance of what is centred already: no difference of two large numbers.
    let scale = 1.0 / (vector::dot(out, out) / n + eps).sqrt();
    for ((out, weight), bias) in out.iter_mut().zip(weight).zip(bias) {
        *out = *out * scale * weight + bias;
    }
}

//! Root-mean-square and layer normalisation of rows.

use super::vector;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use laser_checkpoint::Norm;

/// Elements a thread takes at a time, about.
const CHUNK: usize = 1 << 13;

/// Each row of `x [rows, width]`, normalised and then multiplied by `weight` and added to `bias`, both `[width]`.
///
/// `rms`: x / sqrt(mean(x^2) + eps) (Zhang and Sennrich, arXiv 1910.07467); `layer`: (x - mean(x)) / sqrt(var(x) + eps)
/// (Ba et al., arXiv 1607.06450).
pub fn norm(x: &Tensor, weight: &Tensor, bias: &Tensor, kind: Norm, eps: f64) -> Result<Tensor> {
    if super::is_ours(&[x]) {
        return x.apply_op3_no_bwd(weight, bias, &Normalise { kind, eps: eps as f32 });
    }
    match kind {
        // candle's fused norms have no gradient.
        Norm::Rms if x.track_op() => candle_nn::ops::rms_norm_slow(x, weight, eps as f32)?.broadcast_add(bias),
        Norm::Layer if x.track_op() => candle_nn::ops::layer_norm_slow(x, weight, bias, eps as f32),
        Norm::Rms => candle_nn::ops::rms_norm(x, weight, eps as f32)?.broadcast_add(bias),
        Norm::Layer => candle_nn::ops::layer_norm(x, weight, bias, eps as f32),
    }
}

struct Normalise {
    kind: Norm,
    eps: f32,
}

impl CustomOp3 for Normalise {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = x_layout.shape().dims2()?;
        let x = super::contiguous("norm", x, x_layout)?;
        let weight = super::contiguous("norm", weight, weight_layout)?;
        let bias = super::contiguous("norm", bias, bias_layout)?;
        if weight.len() != width || bias.len() != width {
            candle_core::bail!("norm: rows of {width} do not fit {} weights and {} biases", weight.len(), bias.len());
        }
        let some = (CHUNK / width.max(1)).max(1) * width;
        let out = super::filled(x.len(), some, |number, out| {
            let x = &x[number * some..][..out.len()];
            vector::dispatch(
                #[inline(always)]
                || {
                    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                        normalise(x, weight, bias, self.kind, self.eps, out);
                    }
                },
            );
        });
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }
}

#[inline(always)]
fn normalise(x: &[f32], weight: &[f32], bias: &[f32], kind: Norm, eps: f32, out: &mut [f32]) {
    let n = x.len() as f32;
    let mean = match kind {
        Norm::Rms => 0.0,
        Norm::Layer => vector::sum(x) / n,
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn both_kinds_agree_with_candle() {
        let device = Device::Cpu;
        let x = Tensor::randn(0.5f32, 3.0, (9, 83), &device).unwrap();
        let weight = Tensor::randn(1f32, 0.5, 83, &device).unwrap();
        let bias = Tensor::randn(0f32, 0.5, 83, &device).unwrap();
        let none = bias.zeros_like().unwrap();
        let furthest =
            |a: Tensor, b: Tensor| (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        let expected = candle_nn::ops::rms_norm_slow(&x, &weight, 1e-6).unwrap();
        assert!(furthest(norm(&x, &weight, &none, Norm::Rms, 1e-6).unwrap(), expected) < 1e-5);
        let expected = candle_nn::ops::layer_norm_slow(&x, &weight, &bias, 1e-5).unwrap();
        assert!(furthest(norm(&x, &weight, &bias, Norm::Layer, 1e-5).unwrap(), expected) < 1e-5);
        assert!(norm(&x, &weight.narrow(0, 0, 9).unwrap(), &bias, Norm::Rms, 1e-5).is_err());
    }
}

//! One transformer block: attention and a gated MLP, each behind an RMS norm and added to the residual stream.

use crate::Result;
use crate::batch::Batch;
use crate::cache::KeyValueCache;
use crate::kernels::{add, attention, linear, swiglu};
use crate::rotary::Rotary;
use candle_core::{Device, Tensor};
use laser_checkpoint::{Checkpoint, MatrixKind};
use laser_linalg::Matrix;

/// A weight matrix, transposed to `[inputs, outputs]`, and its optional bias `[outputs]`.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    transposed: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = linear(x, &self.transposed)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// The weights of one layer. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Block {
    attention_norm: Tensor,
    mlp_norm: Tensor,
    norm_eps: f32,
    head_dim: usize,
    /// Whether attention reaches only as far as the model's sliding window.
    windowed: bool,
    /// Indexed by `MatrixKind as usize`.
    matrices: [Linear; MatrixKind::ALL.len()],
}

impl Block {
    /// Reads layer `layer` from a checkpoint.
    pub fn load(checkpoint: &Checkpoint, layer: usize, device: &Device) -> Result<Self> {
        let config = checkpoint.config();
        let read = |kind| -> Result<Linear> {
            let transposed = tensor(checkpoint.matrix(layer, kind)?.transpose(), device)?;
            let bias = checkpoint.bias(layer, kind)?.map(|bias| vector(bias, device)).transpose()?;
            Ok(Linear { transposed, bias })
        };
        let [q, k, v, out, fc_in, fc_up, fc_out] = MatrixKind::ALL;
        Ok(Self {
            attention_norm: vector(checkpoint.attention_norm(layer)?, device)?,
            mlp_norm: vector(checkpoint.mlp_norm(layer)?, device)?,
            norm_eps: config.norm_eps as f32,
            head_dim: config.head_dim,
            windowed: config.window(layer).is_some(),
            matrices: [read(q)?, read(k)?, read(v)?, read(out)?, read(fc_in)?, read(fc_up)?, read(fc_out)?],
        })
    }

    /// The block's output for `x [rows, hidden]`, one row for each query of `batch`. The rows' keys and values are
    /// added to `cache` first; the batch's contexts are row numbers of that cache.
    pub fn forward(&self, x: &Tensor, batch: &Batch, cache: &mut KeyValueCache) -> Result<Tensor> {
        let normed = self.norm(x, &self.attention_norm)?;
        let q = self.apply(MatrixKind::QProj, &normed)?;
        let k = self.apply(MatrixKind::KProj, &normed)?;
        let v = self.apply(MatrixKind::VProj, &normed)?;
        let (cos, sin) = batch.rotation();
        let q = Rotary::rotate(&q, cos, sin)?;
        cache.append(&Rotary::rotate(&k, cos, sin)?, &v)?;
        let (keys, values) = cache.tensors();
        let mixed = attention(&q, keys, values, batch.context(self.windowed), self.head_dim)?;
        let x = add(x, &self.apply(MatrixKind::OutProj, &mixed)?)?;

        let normed = self.norm(&x, &self.mlp_norm)?;
        let gated = swiglu(&self.apply(MatrixKind::FcIn, &normed)?, &self.apply(MatrixKind::FcUp, &normed)?)?;
        Ok(add(&x, &self.apply(MatrixKind::FcOut, &gated)?)?)
    }

    /// The same block with one matrix replaced.
    pub(crate) fn replace(&self, kind: MatrixKind, matrix: &Matrix) -> Result<Self> {
        let old = &self.matrices[kind as usize];
        let transposed = tensor(matrix.transpose(), old.transposed.device())?;
        let mut block = self.clone();
        block.matrices[kind as usize] = Linear { transposed, bias: old.bias.clone() };
        Ok(block)
    }

    /// Outputs and inputs of a matrix.
    pub(crate) fn shape(&self, kind: MatrixKind) -> (usize, usize) {
        let (inputs, outputs) = self.matrices[kind as usize].transposed.dims2().unwrap_or_default();
        (outputs, inputs)
    }

    fn apply(&self, kind: MatrixKind, x: &Tensor) -> candle_core::Result<Tensor> {
        self.matrices[kind as usize].forward(x)
    }

    fn norm(&self, x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
        candle_nn::ops::rms_norm(x, weight, self.norm_eps)
    }
}

pub(crate) fn tensor(matrix: Matrix, device: &Device) -> candle_core::Result<Tensor> {
    let shape = (matrix.rows(), matrix.cols());
    Tensor::from_vec(matrix.into_data(), shape, device)
}

pub(crate) fn vector(values: Vec<f32>, device: &Device) -> candle_core::Result<Tensor> {
    let n = values.len();
    Tensor::from_vec(values, n, device)
}

//! Rotary position embedding (Su et al., arXiv 2104.09864): pair i of a head's first `dim` elements turns by the angle
//! `position * theta^(-2i / dim)`, scaled as the configuration asks.

use crate::kernels::{is_ours, rope};
use candle_core::{Device, Result, Tensor};
use laser_checkpoint::{RotaryConfig, RotaryStyle};
use std::ops::Range;

/// The angles' speed for each pair of elements of a head.
#[derive(Debug, Clone)]
pub struct Rotary {
    style: RotaryStyle,
    inverse_frequencies: Vec<f32>,
    amplitude: f32,
}

/// Cosines and sines of some rows, each `[rows, 1, dim / 2]`.
#[derive(Debug, Clone)]
pub struct Rotation {
    style: RotaryStyle,
    cos: Tensor,
    sin: Tensor,
}

impl Rotary {
    /// What the configuration asks for.
    pub fn new(config: &RotaryConfig) -> Self {
        Self { style: config.style, inverse_frequencies: config.inverse_frequencies(), amplitude: config.amplitude() }
    }

    /// The rotation of rows that stand at `positions`.
    pub fn at(&self, positions: &[u32], device: &Device) -> Result<Rotation> {
        let half = self.inverse_frequencies.len();
        let (mut cos, mut sin) =
            (Vec::with_capacity(positions.len() * half), Vec::with_capacity(positions.len() * half));
        for &position in positions {
            for &speed in &self.inverse_frequencies {
                let (s, c) = (position as f32 * speed).sin_cos();
                cos.push(c * self.amplitude);
                sin.push(s * self.amplitude);
            }
        }
        let shape = (positions.len(), 1, half);
        let (cos, sin) = (Tensor::from_vec(cos, shape, device)?, Tensor::from_vec(sin, shape, device)?);
        Ok(Rotation { style: self.style, cos, sin })
    }
}

impl Rotation {
    /// The rotation of the rows `range`.
    pub fn slice(&self, range: Range<usize>) -> Result<Self> {
        let part = |angles: &Tensor| angles.narrow(0, range.start, range.len());
        Ok(Self { style: self.style, cos: part(&self.cos)?, sin: part(&self.sin)? })
    }

    /// The rotation of the rows with these numbers, a tensor of integers.
    pub fn select(&self, rows: &Tensor) -> Result<Self> {
        let part = |angles: &Tensor| angles.index_select(rows, 0);
        Ok(Self { style: self.style, cos: part(&self.cos)?, sin: part(&self.sin)? })
    }

    /// Turns the heads of `x [rows, heads * head_dim]`.
    pub fn turn(&self, x: &Tensor, head_dim: usize) -> Result<Tensor> {
        if is_ours(&[x]) {
            return rope(x, &self.cos, &self.sin, self.style, head_dim);
        }
        let (rows, width) = x.dims2()?;
        let (heads, dim) = (width / head_dim, 2 * self.cos.dim(2)?);
        let x = x.reshape((rows, heads, head_dim))?;
        let turning = x.narrow(2, 0, dim)?.contiguous()?;
        let turned = match self.style {
            _ if x.track_op() => self.turn_tracked(&turning)?,
            // Each row is a batch of its own: candle's threads share the batch out.
            RotaryStyle::Half => {
                candle_nn::rotary_emb::rope_thd(&turning.reshape((rows, 1, heads, dim))?, &self.cos, &self.sin)?
            }
            RotaryStyle::Interleaved => {
                candle_nn::rotary_emb::rope_i(&turning.reshape((rows, heads, 1, dim))?, &self.cos, &self.sin)?
            }
        };
        let turned = turned.reshape((rows, heads, dim))?;
        if dim == head_dim {
            return turned.reshape((rows, width));
        }
        Tensor::cat(&[turned, x.narrow(2, dim, head_dim - dim)?], 2)?.reshape((rows, width))
    }

    /// The same by operations that have gradients: `x [rows, heads, dim]`.
    fn turn_tracked(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, heads, dim) = x.dims3()?;
        let half = dim / 2;
        let (a, b) = match self.style {
            RotaryStyle::Half => (x.narrow(2, 0, half)?, x.narrow(2, half, half)?),
            RotaryStyle::Interleaved => {
                let pairs = x.reshape((rows, heads, half, 2))?;
                (pairs.narrow(3, 0, 1)?.squeeze(3)?, pairs.narrow(3, 1, 1)?.squeeze(3)?)
            }
        };
        let first = (a.broadcast_mul(&self.cos)? - b.broadcast_mul(&self.sin)?)?;
        let second = (b.broadcast_mul(&self.cos)? + a.broadcast_mul(&self.sin)?)?;
        match self.style {
            RotaryStyle::Half => Tensor::cat(&[first, second], 2),
            RotaryStyle::Interleaved => Tensor::stack(&[first, second], 3)?.reshape((rows, heads, dim)),
        }
    }
}

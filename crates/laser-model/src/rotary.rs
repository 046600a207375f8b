//! Rotary position embedding (Su et al., arXiv 2104.09864): pair i of a head's first `dim` elements turns by the angle
//! `position * theta^(-2i / dim)`, scaled as the configuration asks.

use candle_core::{Device, Result, Tensor};
use laser_checkpoint::{RotaryConfig, RotaryStyle};

/// The angles' speed for each pair of elements of a head.
#[derive(Debug, Clone)]
pub struct Rotary {
    style: RotaryStyle,
    inverse_frequencies: Vec<f32>,
    amplitude: f32,
}

/// Cosines and sines of some rows, each `[rows, 1, dim / 2]`.
#[derive(Debug)]
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
    /// Turns the heads of `x [rows, heads * head_dim]`.
    pub fn turn(&self, x: &Tensor, head_dim: usize) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let (heads, dim) = (width / head_dim, 2 * self.cos.dim(2)?);
        let x = x.reshape((rows, heads, head_dim))?;
        let turning = x.narrow(2, 0, dim)?.contiguous()?;
        let turned = match self.style {
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
}

//! Rotary position embedding, half-split as in Llama: element `i` turns with element `i + head_dim / 2` by the angle
//! `position * theta^(-2i / head_dim)`. Su et al., arXiv 2104.09864.

use candle_core::{Device, Result, Tensor};

/// The angles' speed for each pair of elements of a head.
#[derive(Debug, Clone)]
pub struct Rotary {
    inverse_frequencies: Vec<f32>,
}

impl Rotary {
    /// For heads of `head_dim` elements and base `theta`.
    pub fn new(head_dim: usize, theta: f64) -> Self {
        // In f32 throughout, as the models were trained.
        let theta = theta as f32;
        let inverse_frequencies =
            (0..head_dim / 2).map(|i| 1.0 / theta.powf((2 * i) as f32 / head_dim as f32)).collect();
        Self { inverse_frequencies }
    }

    /// Cosines and sines, each `[positions, 1, head_dim / 2]`.
    pub fn tables(&self, positions: &[u32], device: &Device) -> Result<(Tensor, Tensor)> {
        let half = self.inverse_frequencies.len();
        let (mut cos, mut sin) =
            (Vec::with_capacity(positions.len() * half), Vec::with_capacity(positions.len() * half));
        for &position in positions {
            for &speed in &self.inverse_frequencies {
                let (s, c) = (position as f32 * speed).sin_cos();
                cos.push(c);
                sin.push(s);
            }
        }
        let shape = (positions.len(), 1, half);
        Ok((Tensor::from_vec(cos, shape, device)?, Tensor::from_vec(sin, shape, device)?))
    }

    /// Turns the heads of `x [rows, heads * head_dim]`.
    pub fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let head_dim = 2 * cos.dim(2)?;
        // Each row is a batch of its own: candle's threads share the batch out.
        let heads = x.reshape((rows, 1, width / head_dim, head_dim))?;
        candle_nn::rotary_emb::rope_thd(&heads, cos, sin)?.reshape((rows, width))
    }
}

//! Rotary position embedding (Su et al., arXiv 2104.09864): pair i of a head's first `dim` elements
//! turns by the angle `position * theta^(-2i / dim)`, scaled as the configuration asks.

use laser_checkpoint::{RotaryConfig, RotaryStyle};
use laser_kernels::{Backend, Result, RotaryPairs, Rotation, RotationOn};

/// The angles' speed for each pair of elements of a head.
#[derive(Debug, Clone)]
pub(crate) struct Rotary {
    pairs: RotaryPairs,
    inverse_frequencies: Vec<f32>,
    amplitude: f32,
}

impl Rotary {
    /// What the configuration asks for.
    pub fn new(config: &RotaryConfig) -> Self {
        let pairs = match config.style {
            RotaryStyle::Half => RotaryPairs::Halves,
            RotaryStyle::Interleaved => RotaryPairs::Neighbours,
        };
        Self { pairs, inverse_frequencies: config.inverse_frequencies(), amplitude: config.amplitude() }
    }

    /// The rotation of rows that stand at `positions`.
    pub fn at<B: Backend>(&self, positions: &[u32], backend: &B) -> Result<RotationOn<B>> {
        let mut distinct = positions.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        // Angles cost more than copies: rows of many sequences stand at few positions.
        if 2 * distinct.len() > positions.len() {
            return self.angles(positions, backend);
        }
        let table = self.angles(&distinct, backend)?;
        let of = |position: &u32| distinct.binary_search(position).unwrap_or(0) as u32;
        let numbers = backend.indices(&positions.iter().map(of).collect::<Vec<_>>())?;
        let part = |rows| backend.select(rows, &numbers);
        Ok(Rotation { pairs: self.pairs, cos: part(&table.cos)?, sin: part(&table.sin)? })
    }

    fn angles<B: Backend>(&self, positions: &[u32], backend: &B) -> Result<RotationOn<B>> {
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
        Ok(Rotation { pairs: self.pairs, cos: backend.rows(cos, half)?, sin: backend.rows(sin, half)? })
    }
}

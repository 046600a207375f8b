//! The residual stream to logits.

use crate::embedding::Embedding;
use crate::kernels::activate;
use crate::layers::{Linear, NormLayer, normed, vector};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use laser_checkpoint::{Activation, Checkpoint, Slot};

/// The final norm, a masked model's transformation where there is one, the product with the vocabulary, and a soft cap.
#[derive(Debug)]
pub(crate) struct Head {
    final_norm: Option<NormLayer>,
    dense: Option<Linear>,
    activation: Activation,
    dense_norm: Option<NormLayer>,
    output: Linear,
    softcap: Option<f64>,
}

impl Head {
    pub(crate) fn load(checkpoint: &Checkpoint, embedding: &Embedding, device: &Device) -> Result<Self> {
        let config = checkpoint.config();
        let dense = match checkpoint.table(Slot::HeadDense)? {
            Some(matrix) => {
                let bias = checkpoint.bias(Slot::HeadDense, 0, None)?;
                Some(Linear::new(matrix, bias, device)?)
            }
            None => None,
        };
        let bias = checkpoint.bias(Slot::Head, 0, None)?;
        let output = match checkpoint.table(Slot::Head)? {
            Some(head) => Linear::new(head, bias, device)?,
            None if config.tied_head => {
                let transposed = embedding.tokens().t()?.contiguous()?;
                let bias = bias.map(|bias| vector(bias, device)).transpose()?;
                Linear::of(transposed, bias)
            }
            None => return Err(Error::Model { why: "it has no head".to_owned() }),
        };
        Ok(Self {
            final_norm: NormLayer::load(checkpoint, Slot::FinalNorm, 0, device)?,
            dense,
            activation: config.activation,
            dense_norm: NormLayer::load(checkpoint, Slot::HeadNorm, 0, device)?,
            output,
            softcap: config.final_softcap,
        })
    }

    /// Logits `[rows, vocabulary]` of the final residual stream `x [rows, hidden]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = normed(&self.final_norm, x)?;
        if let Some(dense) = &self.dense {
            x = normed(&self.dense_norm, &activate(&dense.forward(&x)?, self.activation)?)?;
        }
        let logits = self.output.forward(&x)?;
        Ok(match self.softcap {
            Some(cap) => ((logits / cap)?.tanh()? * cap)?,
            None => logits,
        })
    }
}

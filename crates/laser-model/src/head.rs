//! The residual stream to logits.

use crate::embedding::Embedding;
use crate::kernels::{Screen, activate, argmax, has_bf16, has_tiles};
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
    /// Where the most likely token is found faster by it.
    screen: Option<Screen>,
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
        // With a bias, or a cap that makes large logits equal, the most likely token is not that of the largest product.
        // Tile instructions have all logits in f32 sooner than others screen them in bf16.
        let faster = has_bf16() && !has_tiles();
        let screens = device.is_cpu() && faster && bias.is_none() && config.final_softcap.is_none();
        let (output, screen) = match checkpoint.table(Slot::Head)? {
            Some(head) => {
                let screen = if screens { Screen::new(head.data(), head.cols()) } else { None };
                (Linear::new(head, bias, device)?, screen)
            }
            None if config.tied_head => {
                let tokens = embedding.tokens();
                let screen = if screens {
                    Screen::new(&tokens.flatten_all()?.to_vec1::<f32>()?, config.hidden_size)
                } else {
                    None
                };
                (Linear::of(tokens.t()?.contiguous()?, bias.map(|bias| vector(bias, device)).transpose()?), screen)
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
            screen,
        })
    }

    /// Logits `[rows, vocabulary]` of the final residual stream `x [rows, hidden]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let logits = self.output.forward(&self.input(x)?)?;
        Ok(match self.softcap {
            Some(cap) => ((logits / cap)?.tanh()? * cap)?,
            None => logits,
        })
    }

    /// The most likely token of each row of `x [rows, hidden]`, to the bit that of [`Self::forward`]; none where another way
    /// than by all logits does not pay.
    pub(crate) fn argmax(&self, x: &Tensor) -> Result<Option<Vec<u32>>> {
        let Some(screen) = &self.screen else { return Ok(None) };
        let x = self.input(x)?;
        let Some(tokens) = screen.candidates(&x.flatten_all()?.to_vec1::<f32>()?) else { return Ok(None) };
        let Some(output) = self.output.only(&tokens)? else { return Ok(None) };
        let columns = argmax(&output.forward(&x)?)?;
        Ok(Some(columns.into_iter().map(|column| tokens[column as usize]).collect()))
    }

    fn input(&self, x: &Tensor) -> Result<Tensor> {
        let x = normed(&self.final_norm, x)?;
        match &self.dense {
            Some(dense) => Ok(normed(&self.dense_norm, &activate(&dense.forward(&x)?, self.activation)?)?),
            None => Ok(x),
        }
    }
}

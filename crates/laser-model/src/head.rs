//! The residual stream to logits.

use crate::embedding::Embedding;
use crate::kernels::{Precision, Reading, Screen, activate, packs, read_packed, readout};
use crate::layers::{Linear, NormLayer, normed};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use laser_checkpoint::{Activation, Checkpoint, Slot};
use laser_linalg::Matrix;
use rayon::prelude::*;

/// Rows that are read at a time: their logits are held, or what each part of the vocabulary says of them.
const HEAD_ROWS: usize = 256;

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
                Some(Linear::new(&matrix, bias, device)?)
            }
            None => None,
        };
        let bias = checkpoint.bias(Slot::Head, 0, None)?;
        let matrix = match checkpoint.table(Slot::Head)? {
            Some(matrix) => matrix,
            None if config.tied_head => {
                let (rows, cols) = embedding.tokens().dims2()?;
                let tokens = embedding.tokens().flatten_all()?.to_vec1()?;
                Matrix::new(rows, cols, tokens).map_err(|error| Error::Model { why: error.to_string() })?
            }
            None => return Err(Error::Model { why: "it has no head".to_owned() }),
        };
        let output = Linear::new(&matrix, bias, device)?;
        // With a bias, or a cap that makes large logits equal, the most likely token is not that of the largest product.
        let screens = packs(Precision::Bf16) && config.final_softcap.is_none() && output.packed().is_some();
        let screen = if screens { Screen::new(matrix.data(), matrix.cols()) } else { None };
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

    /// A copy that gradients go through.
    pub(crate) fn differentiable(&self, device: &Device) -> Result<Self> {
        Ok(Self {
            final_norm: self.final_norm.clone(),
            dense: self.dense.as_ref().map(|dense| dense.differentiable(device)).transpose()?,
            activation: self.activation,
            dense_norm: self.dense_norm.clone(),
            output: self.output.differentiable(device)?,
            softcap: self.softcap,
            screen: None,
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

    /// What rows of the final residual stream `x [rows, hidden]` predict; `wanted[i]` are the tokens whose log-probability is wanted of
    /// row `i`. Where none is of any, the most likely tokens are looked for alone.
    pub(crate) fn predict(&self, x: &Tensor, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        let mut readings = Vec::with_capacity(wanted.len());
        for (i, wanted) in wanted.chunks(HEAD_ROWS).enumerate() {
            readings.extend(self.predict_some(&x.narrow(0, i * HEAD_ROWS, wanted.len())?, wanted)?);
        }
        Ok(readings)
    }

    fn predict_some(&self, x: &Tensor, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        if wanted.iter().all(|wanted| wanted.is_empty())
            && let Some(tokens) = self.argmax(x)?
        {
            let reading = |argmax| Reading { argmax, logprobs: Vec::new(), ranks: Vec::new() };
            return Ok(tokens.into_iter().map(reading).collect());
        }
        if let (Some(weights), None) = (self.output.packed(), self.softcap) {
            return Ok(read_packed(weights, &self.input(x)?, wanted)?);
        }
        Ok(readout(&self.forward(x)?, wanted)?)
    }

    /// The most likely token of each row of `x [rows, hidden]`, to the bit that of [`Self::forward`]; none where another way
    /// than by all logits does not pay.
    fn argmax(&self, x: &Tensor) -> Result<Option<Vec<u32>>> {
        let (Some(screen), Some(weights)) = (&self.screen, self.output.packed()) else { return Ok(None) };
        let inputs = x.dim(1)?;
        let x = self.input(x)?.flatten_all()?.to_vec1::<f32>()?;
        let Some(candidates) = screen.candidates(&x) else { return Ok(None) };
        let largest = |(x, tokens): (&[f32], &Vec<u32>)| {
            let logits = tokens.iter().map(|&token| (token, weights.output(token as usize, x)));
            let best = logits.reduce(|best, other| if other.1 > best.1 { other } else { best });
            best.map_or(0, |(token, _)| token)
        };
        Ok(Some(x.par_chunks(inputs.max(1)).zip(&candidates).map(largest).collect()))
    }

    fn input(&self, x: &Tensor) -> Result<Tensor> {
        let x = normed(&self.final_norm, x)?;
        match &self.dense {
            Some(dense) => Ok(normed(&self.dense_norm, &activate(&dense.forward(&x)?, self.activation)?)?),
            None => Ok(x),
        }
    }
}

//! Logits, and what is read off them.

use super::elementwise::{add_bias, soft_cap};
use super::handles::CpuRows;
use super::packed::{PackedMatrix, available};
use super::prefilter::ArgmaxPrefilter;
use super::read_logits::{read_logits, read_packed};
use super::weight::CpuWeight;
use crate::error::Result;
use crate::parts::Precision;
use crate::reading::Reading;
use laser_matrix::Matrix;
use rayon::prelude::*;

/// Rows that are read at a time: their logits are held, or what each part of the vocabulary says of
/// them.
const ROWS: usize = 256;

/// The product with the vocabulary, its bias and a soft cap.
#[derive(Debug)]
pub struct CpuHead {
    weight: CpuWeight,
    bias: Option<Vec<f32>>,
    softcap: Option<f64>,
    /// If the most likely token is found faster by it.
    prefilter: Option<ArgmaxPrefilter>,
}

impl CpuHead {
    /// Of `matrix [vocabulary, hidden]`.
    pub(super) fn new(matrix: &Matrix, bias: Option<&[f32]>, softcap: Option<f64>) -> Result<Self> {
        let weight = CpuWeight::new(matrix, Precision::F32)?;
        // With a bias, or a cap that makes large logits equal, the most likely token is not that of
        // the largest product.
        let plain = bias.is_none() && softcap.is_none() && weight.packed().is_some();
        let prefilter =
            if plain && available(Precision::Bf16) { ArgmaxPrefilter::new(matrix.data(), matrix.cols()) } else { None };
        Ok(Self { weight, bias: bias.map(<[f32]>::to_vec), softcap, prefilter })
    }

    /// The matrix.
    pub(super) fn to_dense(&self) -> Result<Matrix> {
        self.weight.to_dense()
    }

    /// `[rows, vocabulary]`.
    pub(super) fn logits(&self, x: &CpuRows) -> Result<CpuRows> {
        let mut logits = self.weight.product(x)?;
        if let Some(bias) = &self.bias {
            add_bias(&mut logits, bias)?;
        }
        if let Some(cap) = self.softcap {
            soft_cap(&mut logits, cap);
        }
        CpuRows::new(logits, self.weight.outputs())
    }

    /// What the logits of each row say. If no log-probability is wanted of any of some rows, their
    /// most likely tokens are looked for alone.
    pub(super) fn read_out(&self, x: &CpuRows, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        let mut readings = Vec::with_capacity(wanted.len());
        for (i, wanted) in wanted.chunks(ROWS).enumerate() {
            let first = i * ROWS;
            readings.extend(self.read_some(&x.slice(first..first + wanted.len())?, wanted)?);
        }
        Ok(readings)
    }

    fn read_some(&self, x: &CpuRows, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        let Some(weights) = self.weight.packed().filter(|_| self.bias.is_none() && self.softcap.is_none()) else {
            return read_logits(&self.logits(x)?, self.weight.outputs(), wanted);
        };
        if wanted.iter().all(|wanted| wanted.is_empty())
            && let Some(tokens) = self.argmax(weights, x)
        {
            let reading = |argmax| Reading { argmax, logprobs: Vec::new(), ranks: Vec::new() };
            return Ok(tokens.into_iter().map(reading).collect());
        }
        read_packed(weights, x, wanted)
    }

    /// The most likely token of each row, to the bit that of the logits; `None` if another way than
    /// by all logits does not pay.
    fn argmax(&self, weights: &PackedMatrix, x: &CpuRows) -> Option<Vec<u32>> {
        let candidates = self.prefilter.as_ref()?.candidates(x)?;
        let largest = |(x, tokens): (&[f32], &Vec<u32>)| {
            let logits = tokens.iter().map(|&token| (token, weights.output(token as usize, x)));
            let best = logits.reduce(|best, other| if other.1 > best.1 { other } else { best });
            best.map_or(0, |(token, _)| token)
        };
        Some(x.par_chunks(x.width().max(1)).zip(&candidates).map(largest).collect())
    }
}

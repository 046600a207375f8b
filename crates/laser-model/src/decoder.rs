//! One text under one model, token after token, with its keys and values kept.

use crate::cache::KeyValueCache;
use crate::transformer::Model;
use crate::{Error, Result};
use laser_kernels::{Backend, KvIndices};
use std::ops::Range;

/// How many tokens go through the layers together.
const TOGETHER: usize = 512;

/// How many rows of logits are there at once.
const LOGITS_TOGETHER: usize = 64;

/// A text that grows at its end, and what the model says of the next token.
#[derive(Debug)]
pub struct Decoder<B: Backend> {
    model: Model<B>,
    caches: Vec<KeyValueCache<B>>,
    length: usize,
}

impl<B: Backend> Decoder<B> {
    /// An empty text.
    ///
    /// # Errors
    /// If the model is a masked one, which predicts no next token, or the device is out of memory.
    pub fn new(model: &Model<B>) -> Result<Self> {
        if model.config().masked {
            return Err(Error::Model { why: "it is a masked model, which does not continue texts".to_owned() });
        }
        let caches = model.caches(0..model.config().layers, TOGETHER)?;
        Ok(Self { model: model.clone(), caches, length: 0 })
    }

    /// Tokens so far.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends at least one token, and gives the logits of the one after them.
    ///
    /// # Errors
    /// If there is no token, one is outside the vocabulary, or the text outgrows the model's context.
    pub fn append(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        self.check(tokens)?;
        let mut last = Vec::new();
        for tokens in tokens.chunks(TOGETHER) {
            let x = self.advance(tokens)?;
            last = self.logits(&x, tokens.len() - 1..tokens.len())?;
        }
        Ok(last)
    }

    /// The same, and before them the log-probability of each of `tokens` but the first after those
    /// before it, nats.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_scored(&mut self, tokens: &[u32]) -> Result<(Vec<f64>, Vec<f32>)> {
        self.check(tokens)?;
        let (mut logprobs, mut last) = (Vec::with_capacity(tokens.len()), Vec::new());
        for chunk in tokens.chunks(TOGETHER) {
            let x = self.advance(chunk)?;
            for start in (0..chunk.len()).step_by(LOGITS_TOGETHER) {
                let rows = start..(start + LOGITS_TOGETHER).min(chunk.len());
                let logits = self.logits(&x, rows.clone())?;
                for row in logits.chunks(logits.len() / rows.len()) {
                    match tokens.get(logprobs.len() + 1) {
                        Some(&next) => logprobs.push(logprob(row, next)),
                        None => last = row.to_vec(),
                    }
                }
            }
        }
        Ok((logprobs, last))
    }

    fn check(&self, tokens: &[u32]) -> Result<()> {
        let context = self.model.config().context_length;
        if tokens.is_empty() || self.length + tokens.len() > context {
            let why = format!("{} tokens after {} are not within 1 to {context}", tokens.len(), self.length);
            return Err(Error::Model { why });
        }
        Ok(())
    }

    /// The final residual stream of tokens that come next.
    fn advance(&mut self, tokens: &[u32]) -> Result<B::Rows> {
        let positions: Vec<u32> = (0..tokens.len()).map(|i| (self.length + i) as u32).collect();
        let mut seen = KvIndices::default();
        positions.iter().for_each(|&position| seen.push(0..=position));
        let batch = self.model.batch(&positions, positions.clone(), seen)?;
        let x = self.model.embed(tokens, &positions)?;
        let x = self.model.run(0..self.caches.len(), x, &batch, &mut self.caches)?;
        self.length += tokens.len();
        Ok(x)
    }

    fn logits(&self, x: &B::Rows, rows: Range<usize>) -> Result<Vec<f32>> {
        let backend = self.model.backend();
        let rows = backend.slice(x, rows)?;
        Ok(backend.to_host(&self.model.head().logits(backend, &rows)?)?)
    }
}

/// The log-probability of a token by its logits, nats.
pub fn logprob(logits: &[f32], token: u32) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max).exp()).sum();
    logits.get(token as usize).map_or(f64::NEG_INFINITY, |&logit| f64::from(logit - max) - sum.ln())
}

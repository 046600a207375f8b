//! One text under one model, token after token, with its keys and values kept.

use crate::cache::KeyValueCache;
use crate::transformer::Model;
use crate::{Error, Result};
use laser_kernels::{Backend, KvIndices};

/// How many tokens go through the layers together.
const TOGETHER: usize = 512;

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
        let context = self.model.config().context_length;
        if tokens.is_empty() || self.length + tokens.len() > context {
            let why = format!("{} tokens after {} are not within 1 to {context}", tokens.len(), self.length);
            return Err(Error::Model { why });
        }
        let mut last = Vec::new();
        for tokens in tokens.chunks(TOGETHER) {
            let positions: Vec<u32> = (0..tokens.len()).map(|i| (self.length + i) as u32).collect();
            let mut seen = KvIndices::default();
            positions.iter().for_each(|&position| seen.push(0..=position));
            let batch = self.model.batch(&positions, positions.clone(), seen)?;
            let x = self.model.embed(tokens, &positions)?;
            let x = self.model.run(0..self.caches.len(), x, &batch, &mut self.caches)?;
            self.length += tokens.len();
            let backend = self.model.backend();
            let row = backend.slice(&x, tokens.len() - 1..tokens.len())?;
            last = backend.to_host(&self.model.head().logits(backend, &row)?)?;
        }
        Ok(last)
    }
}

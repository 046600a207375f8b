//! A text whose perplexity is measured.

use crate::continuation::continuation_logprob;
use crate::encode::Encoded;
use crate::error::{Error, Result};
use laser_checkpoint::Config;
use laser_kernels::Backend;
use laser_model::Model;
use laser_run::{Perplexity, WindowLoss, Windows};
use laser_tokenizer::Tokenizer;

/// Stride 512 (the paper's C.4) and windows of 2,048 tokens, or of the model's context where that
/// is shorter.
pub fn windows_for(config: &Config) -> Windows {
    let window = config.context_length.clamp(2, 2_048);
    Windows { window, stride: 512.min(window / 2).max(1) }
}

/// A text as a model's tokens, cut into windows.
#[derive(Debug)]
pub struct Corpus {
    windows: Vec<Encoded>,
    tokens: usize,
    how: Windows,
}

impl Corpus {
    /// The first `limit` tokens of `text`, with the special tokens that the tokenizer adds.
    ///
    /// The first window predicts all of its tokens but the first, each of the others those that the
    /// window before did not reach, from what stands before them in the window.
    ///
    /// # Errors
    /// If the model is masked, the text cannot be encoded or has fewer than two tokens, or a token
    /// is outside the model's vocabulary.
    pub fn new(text: &str, tokenizer: &Tokenizer, config: &Config, windows: Windows, limit: usize) -> Result<Self> {
        if config.masked {
            return Err(Error::Text { why: "a masked model does not predict a text", advice: "leave --text out" });
        }
        let ids = tokenizer.encode_beginning(text, limit)?;
        if ids.len() < 2 {
            return Err(Error::Text { why: "the text has fewer than two tokens", advice: "give a longer one" });
        }
        if let Some(&token) = ids.iter().find(|&&token| token as usize >= config.vocab_size) {
            return Err(Error::TokenOutsideVocabulary { id: "text".to_owned(), token, vocabulary: config.vocab_size });
        }
        let mut all = Vec::new();
        let (mut start, mut predicted) = (0, 1);
        while predicted < ids.len() {
            let end = (start + windows.window).min(ids.len());
            let continuations = vec![ids[predicted..end].to_vec()];
            all.push(Encoded {
                prompt: ids[start..predicted].to_vec(),
                continuations,
                answer: 0..1,
                ..Encoded::default()
            });
            (start, predicted) = (start + windows.stride, end);
        }
        Ok(Self { windows: all, tokens: ids.len() - 1, how: windows })
    }

    /// How the text is gone through.
    pub fn how(&self) -> Windows {
        self.how
    }

    /// The number of windows.
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// The model's perplexity; `step` hears of every window that is done.
    ///
    /// # Errors
    /// If the model cannot be run, or if the perplexity is not a finite number.
    pub fn perplexity<B: Backend>(&self, model: &Model<B>, step: &dyn Fn()) -> Result<Perplexity> {
        let mut sum = 0.0;
        let mut windows = Vec::with_capacity(self.windows.len());
        for window in &self.windows {
            let logprob = continuation_logprob(model, window)?;
            let tokens = window.continuations.iter().map(Vec::len).sum();
            windows.push(WindowLoss { tokens, nats: -logprob });
            sum += logprob;
            step();
        }
        let perplexity = (-sum / self.tokens as f64).exp();
        match perplexity.is_finite() {
            true => Ok(Perplexity { perplexity, tokens: self.tokens, windows }),
            false => Err(Error::NotFinite { id: "text".to_owned() }),
        }
    }
}

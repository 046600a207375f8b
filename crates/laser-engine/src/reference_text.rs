//! The text on which it is measured what edits do elsewhere than on the task.

use crate::error::{Error, Result};
use laser_checkpoint::Config;
use laser_run::SplitName;
use laser_tokenizer::Tokenizer;

/// Tokens of a window, where the model's context has room for them.
const WINDOW: usize = 512;

/// A text as a model's tokens, cut into windows, and neutral prompts.
///
/// Every other window and prompt serves choosing candidates, the others reporting what they cost.
#[derive(Debug, Clone)]
pub struct ReferenceText {
    halves: [HalfText; 2],
    window: usize,
}

/// What belongs to one half.
#[derive(Debug, Clone, Default)]
pub struct HalfText {
    /// The tokens of each window, behind the special tokens that the tokenizer begins a text with.
    pub windows: Vec<Vec<u32>>,
    /// How many of a window's tokens are special ones.
    pub special: usize,
    /// The tokens of each prompt.
    pub prompts: Vec<Vec<u32>>,
}

impl ReferenceText {
    /// The first `limit` tokens of `text`, and `prompts`, which go through the chat template in chat.
    ///
    /// Each window predicts all of its tokens but the first from what stands before them in it. A
    /// last window of fewer than half the tokens is left out.
    ///
    /// # Errors
    /// If the model is masked, a text cannot be encoded, a token is outside the model's vocabulary,
    /// or there are fewer than two windows.
    pub fn new(text: &str, prompts: &[&str], tokenizer: &Tokenizer, config: &Config, limit: usize) -> Result<Self> {
        if config.masked {
            return Err(Error::Text { why: "a masked model does not predict a text", advice: "leave --text out" });
        }
        let special = tokenizer.encode_text("")?;
        let mut ids = tokenizer.encode_beginning(text, limit.saturating_add(special.len()))?;
        let special = if ids.starts_with(&special) { ids.drain(..special.len()).collect() } else { Vec::new() };
        ids.truncate(limit);
        let window = WINDOW.min(config.context_length.saturating_sub(special.len())).max(2);
        let mut halves = [HalfText::default(), HalfText::default()];
        for (number, tokens) in ids.chunks(window).filter(|tokens| tokens.len() >= window.div_ceil(2)).enumerate() {
            halves[number % 2].windows.push([&special[..], tokens].concat());
        }
        if halves.iter().any(|half| half.windows.is_empty()) {
            return Err(Error::ShortText { tokens: ids.len(), window });
        }
        for (number, prompt) in prompts.iter().enumerate() {
            let tokens = tokenizer.encode_context(*prompt)?;
            if !tokens.is_empty() && tokens.len() <= config.context_length {
                halves[number % 2].prompts.push(tokens);
            }
        }
        for half in &mut halves {
            half.special = special.len();
            let mut tokens = half.windows.iter().chain(&half.prompts).flatten();
            if let Some(&token) = tokens.find(|&&token| token as usize >= config.vocab_size) {
                let (id, vocabulary) = ("text".to_owned(), config.vocab_size);
                return Err(Error::TokenOutsideVocabulary { id, token, vocabulary });
            }
        }
        Ok(Self { halves, window })
    }

    /// Tokens of a window.
    pub fn window(&self) -> usize {
        self.window
    }

    /// The half that serves choosing (validation), or the one that serves reporting (test).
    pub fn half(&self, split: SplitName) -> &HalfText {
        match split {
            SplitName::Validation => &self.halves[0],
            SplitName::Test => &self.halves[1],
        }
    }
}

//! Examples as token ids.

use crate::error::{Error, Result};
use laser_checkpoint::Config;
use laser_example::{Example, Target};
use laser_tokenizer::Tokenizer;

/// The token ids of one example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The prompt, with the special tokens that the tokenizer adds; not empty.
    pub prompt: Vec<u32>,
    /// What may follow it, each not empty: every choice, or the answer alone.
    pub continuations: Vec<Vec<u32>>,
    /// Which continuation log-loss is measured on.
    pub answer: usize,
    /// In a masked model, how its inputs are made.
    pub masks: Option<Masks>,
}

/// The inputs of a masked model: the prompt, then as many mask tokens as a continuation has, then
/// what ends a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masks {
    /// The mask token.
    pub token: u32,
    /// The special tokens behind the text.
    pub after: Vec<u32>,
    /// How many mask tokens are filled in where the example is scored by generation, all at once;
    /// else 0.
    pub generated: usize,
}

/// The ids of `example`, checked against the model's vocabulary and context length.
pub fn encode(tokenizer: &Tokenizer, example: &Example, config: &Config) -> Result<Encoded> {
    let (vocabulary, context_length) = (config.vocab_size, config.context_length);
    let new_tokens = example.new_tokens();
    let (prompt, masks) = if config.masked {
        let token = tokenizer.mask_token().ok_or(Error::NoMaskToken)?;
        let (before, after) = tokenizer.encode_masked(&example.prompt)?;
        (before, Some(Masks { token, after, generated: new_tokens }))
    } else {
        (tokenizer.encode_prompt(&example.prompt)?, None)
    };
    let (texts, answer) = match &example.target {
        Target::Choose(choice) => (choice.choices.iter().map(String::as_str).collect(), choice.correct),
        Target::Generate(_) | Target::LogLikelihood { .. } => (vec![example.answer()], 0),
    };
    let mut continuations = Vec::with_capacity(texts.len());
    for text in texts {
        continuations.push(tokenizer.encode_continuation(&example.prompt, &example.continuation(text))?);
    }
    if prompt.is_empty() || continuations.iter().any(Vec::is_empty) {
        return Err(Error::NoTokens { id: example.id.clone() });
    }
    let behind = masks.as_ref().map(|masks| masks.after.as_slice()).unwrap_or_default();
    let mask = masks.as_ref().map(|masks| &masks.token);
    let mut all = prompt.iter().chain(continuations.iter().flatten()).chain(behind).chain(mask);
    if let Some(&token) = all.find(|&&token| token as usize >= vocabulary) {
        return Err(Error::TokenOutsideVocabulary { id: example.id.clone(), token, vocabulary });
    }
    let longest = continuations.iter().map(Vec::len).max().unwrap_or(0).max(new_tokens);
    if longest > context_length.saturating_sub(prompt.len() + behind.len()) {
        return Err(Error::TooLong { id: example.id.clone(), prompt: prompt.len(), rest: longest, context_length });
    }
    Ok(Encoded { prompt, continuations, answer, masks })
}

/// Refuses a task that the model cannot take, before anything is computed or written.
///
/// # Errors
/// The first example that [`encode`] refuses.
pub fn check(config: &Config, tokenizer: &Tokenizer, examples: &[Example]) -> Result<()> {
    examples.iter().try_for_each(|example| encode(tokenizer, example, config).map(|_| ()))
}

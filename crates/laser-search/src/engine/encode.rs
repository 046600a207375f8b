//! Examples as token ids.

use crate::{Error, Result};
use laser_model::Tokenizer;
use laser_tasks::{Example, Target};

/// The token ids of one example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The prompt, with the special tokens that the tokenizer adds; not empty.
    pub prompt: Vec<u32>,
    /// What may follow it, each not empty: every choice, or the answer alone.
    pub continuations: Vec<Vec<u32>>,
    /// Which continuation log-loss is measured on.
    pub answer: usize,
}

/// The ids of `example`, checked against the model's vocabulary and context length.
pub fn encode(tokenizer: &Tokenizer, example: &Example, vocabulary: usize, context_length: usize) -> Result<Encoded> {
    let prompt = tokenizer.encode_prompt(&example.prompt)?;
    let (texts, answer) = match &example.target {
        Target::Choose { choices, correct } => (choices.iter().map(String::as_str).collect(), *correct),
        Target::Generate { .. } | Target::LogLikelihood { .. } => (vec![example.answer()], 0),
    };
    let mut continuations = Vec::with_capacity(texts.len());
    for text in texts {
        continuations.push(tokenizer.encode_continuation(&example.prompt, &example.continuation(text))?);
    }
    if prompt.is_empty() || continuations.iter().any(Vec::is_empty) {
        return Err(Error::NoTokens { id: example.id.clone() });
    }
    if let Some(&token) = prompt.iter().chain(continuations.iter().flatten()).find(|&&t| t as usize >= vocabulary) {
        return Err(Error::TokenOutsideVocabulary { id: example.id.clone(), token, vocabulary });
    }
    let new_tokens = match &example.target {
        Target::Generate { max_new_tokens, .. } => *max_new_tokens,
        Target::Choose { .. } | Target::LogLikelihood { .. } => 0,
    };
    let longest = continuations.iter().map(Vec::len).max().unwrap_or(0).max(new_tokens);
    if longest > context_length.saturating_sub(prompt.len()) {
        return Err(Error::TooLong { id: example.id.clone(), prompt: prompt.len(), rest: longest, context_length });
    }
    Ok(Encoded { prompt, continuations, answer })
}

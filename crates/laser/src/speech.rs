//! What a model says, token by token.

use crate::error::{Error, Result};
use crate::evaluation::Edited;
use crate::loaded_model::Continuation;
use crate::session::Session;
use laser_example::SplitMix64;
use laser_tokenizer::Tokenizer;
use serde::Serialize;

/// How many of the likeliest tokens a step tells of.
const LIKELIEST: usize = 5;

/// How tokens are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token; otherwise logits are divided by it and a token is drawn.
    pub temperature: f64,
    /// Of the draws.
    pub seed: u64,
}

/// One token that a model said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The token.
    pub token: u32,
    /// The likeliest tokens here, with their logits, the likeliest first.
    pub likeliest: Vec<(u32, f32)>,
    /// What it adds to the text; empty where it is a part of a letter only.
    pub text: String,
}

/// A text that a model continues.
pub struct Speech<'a> {
    continuation: Box<dyn Continuation>,
    tokenizer: &'a Tokenizer,
    ends: &'a [u32],
    sampling: Sampling,
    random: SplitMix64,
    /// The logits of the next token, once `last` was appended.
    logits: Vec<f32>,
    /// How many tokens were appended, and how many there is room for.
    length: usize,
    context: usize,
    /// What was said last, until something comes after it.
    last: Option<u32>,
    said: Vec<u32>,
    /// The text of `said`, as far as it is whole letters.
    text: String,
    ended: bool,
}

impl Session {
    /// An empty text under an edited model, to be continued.
    ///
    /// # Errors
    /// If the model is a masked one.
    pub fn speech(&self, edited: &Edited, sampling: Sampling) -> Result<Speech<'_>> {
        Ok(Speech {
            continuation: edited.model.begin()?,
            tokenizer: &self.tokenizer,
            ends: &self.config().eos_token_ids,
            random: SplitMix64::new(sampling.seed),
            sampling,
            logits: Vec::new(),
            length: 0,
            context: self.config().context_length,
            last: None,
            said: Vec::new(),
            text: String::new(),
            ended: false,
        })
    }
}

impl Speech<'_> {
    /// Appends tokens that somebody else says; what the model says next is a new text.
    ///
    /// # Errors
    /// If the text has no tokens, or outgrows the model's context.
    pub fn hear(&mut self, tokens: &[u32]) -> Result<()> {
        let tokens: Vec<u32> = self.last.take().into_iter().chain(tokens.iter().copied()).collect();
        if tokens.is_empty() {
            return Err(Error::NothingToContinue);
        }
        if self.length + tokens.len() > self.context {
            return Err(Error::TextTooLong { tokens: self.length + tokens.len(), context_length: self.context });
        }
        self.logits = self.continuation.append(&tokens)?;
        self.length += tokens.len();
        (self.said, self.text, self.ended) = (Vec::new(), String::new(), false);
        Ok(())
    }

    /// The next token, or `None` after one that ends the text, or where the model's context is full.
    ///
    /// # Errors
    /// If the model cannot be run.
    pub fn step(&mut self) -> Result<Option<Step>> {
        if self.ended || self.logits.is_empty() {
            return Ok(None);
        }
        if self.last.is_some() && self.length >= self.context {
            self.ended = true;
            return Ok(None);
        }
        if let Some(last) = self.last.take() {
            self.logits = self.continuation.append(&[last])?;
            self.length += 1;
        }
        let likeliest = likeliest(&self.logits);
        let token = match likeliest.first() {
            Some(&(token, _)) if self.sampling.temperature <= 0.0 => token,
            Some(_) => self.draw(),
            None => return Ok(None),
        };
        if self.ends.contains(&token) {
            self.ended = true;
            return Ok(None);
        }
        self.said.push(token);
        let whole = self.tokenizer.decode(&self.said)?;
        // A letter of several tokens is not told before it is whole.
        let is_whole = !whole.ends_with(char::REPLACEMENT_CHARACTER) && whole.starts_with(&self.text);
        let text = if is_whole { whole[self.text.len()..].to_owned() } else { String::new() };
        if is_whole {
            self.text = whole;
        }
        self.last = Some(token);
        Ok(Some(Step { token, likeliest, text }))
    }

    /// What the model has said since it last heard something.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A token by its probability at the temperature; the same seed draws the same tokens.
    fn draw(&mut self) -> u32 {
        let max = self.logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let temperature = self.sampling.temperature;
        let weight = |logit: &f32| (f64::from(logit - max) / temperature).exp();
        let total: f64 = self.logits.iter().map(weight).sum();
        let mut left = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * total;
        for (token, logit) in (0..).zip(&self.logits) {
            left -= weight(logit);
            if left < 0.0 {
                return token;
            }
        }
        likeliest(&self.logits).first().map_or(0, |&(token, _)| token)
    }
}

fn likeliest(logits: &[f32]) -> Vec<(u32, f32)> {
    let mut best: Vec<(u32, f32)> = Vec::with_capacity(LIKELIEST + 1);
    for (token, &logit) in (0..).zip(logits) {
        let place = best.partition_point(|&(_, other)| other >= logit);
        if place < LIKELIEST && logit.is_finite() {
            best.insert(place, (token, logit));
            best.truncate(LIKELIEST);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::likeliest;

    #[test]
    fn the_likeliest_come_first_and_ties_by_number() {
        let found = likeliest(&[0.0, 2.0, f32::NAN, 2.0, 1.0, -1.0, 3.0, -2.0]);
        assert_eq!(found, [(6, 3.0), (1, 2.0), (3, 2.0), (4, 1.0), (0, 0.0)]);
    }
}

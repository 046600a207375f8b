//! What a model makes of a question, before it answers.

use crate::encode::Encoded;
use crate::error::Result;
use laser_kernels::Backend;
use laser_model::{Decoder, Model, logprob};

/// A question under one model.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionScore {
    /// The log-probability of the question's tokens but the first, nats.
    pub logprob: f64,
    /// The most likely next tokens with their log-probabilities, the most likely first; of equals,
    /// the one with the lower id.
    pub next: Vec<(u32, f64)>,
}

/// What `model` makes of the question of `encoded`, with its `most` most likely next tokens. None
/// of a masked model, which predicts no next token, and where a whole text is scored in windows.
///
/// # Errors
/// If the model cannot be run.
pub fn question_score<B: Backend>(model: &Model<B>, encoded: &Encoded, most: usize) -> Result<Option<QuestionScore>> {
    if encoded.masks.is_some() || encoded.answer.len() != 1 {
        return Ok(None);
    }
    let question = encoded.contexts.get(encoded.answer.start).unwrap_or(&encoded.prompt);
    let (logprobs, logits) = Decoder::new(model)?.append_scored(question)?;
    let mut tokens: Vec<u32> = (0..).take(logits.len()).collect();
    let by_logit = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    if most < tokens.len() {
        tokens.select_nth_unstable_by(most, by_logit);
        tokens.truncate(most);
    }
    tokens.sort_unstable_by(by_logit);
    let next = tokens.into_iter().map(|token| (token, logprob(&logits, token))).collect();
    Ok(Some(QuestionScore { logprob: logprobs.iter().sum(), next }))
}

//! What is read off the logits of a position.

/// What one position predicts.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The most likely next token; of several, the one with the lowest id.
    pub argmax: u32,
    /// Natural-log probability of each token that was asked for, in the order asked.
    pub logprobs: Vec<f64>,
    /// How many tokens are more likely than each token that was asked for; equal ones count with
    /// the lower ids.
    pub ranks: Vec<usize>,
}

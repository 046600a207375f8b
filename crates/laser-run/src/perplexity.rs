//! Perplexity of a text.

use laser_edit::Candidate;
use serde::{Deserialize, Serialize};

/// How a text is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// Tokens that the model sees at once.
    pub window: usize,
    /// Tokens from the beginning of a window to that of the next.
    pub stride: usize,
}

/// How well a model predicts a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Perplexity {
    /// exp(-(mean log-probability of a token)).
    pub perplexity: f64,
    /// The tokens that were predicted: all but the first.
    pub tokens: usize,
}

/// A text before and after the edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerplexityChange {
    /// SHA-256 of the text's file, in hex.
    pub text: String,
    /// How the text was gone through.
    pub windows: Windows,
    /// Tokens that were predicted.
    pub tokens: usize,
    /// Perplexity of the unedited model.
    pub base: f64,
    /// Perplexity of the edited model.
    pub edited: f64,
}

/// `perplexity.json`: a text's perplexities, and under which candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredText {
    /// The candidate.
    pub interventions: Candidate,
    /// The text before and after.
    #[serde(flatten)]
    pub change: PerplexityChange,
}

//! Perplexity of a text.

use crate::statistics::{Interval, bootstrap_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a text is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Windows {
    /// Tokens that the model sees at once.
    pub window: usize,
    /// Tokens from the beginning of a window to that of the next.
    pub stride: usize,
}

/// Resamples of a text's windows.
const RESAMPLES: usize = 4_000;

/// How well a model predicts a text.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Perplexity {
    /// exp(-(mean log-probability of a token, in nats)).
    pub perplexity: f64,
    /// How many tokens were predicted: all but the first.
    pub tokens: usize,
    /// What each window predicts.
    #[serde(skip)]
    pub windows: Vec<WindowLoss>,
}

/// What a model makes of one window of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowLoss {
    /// How many tokens are predicted.
    pub tokens: usize,
    /// Minus the sum of their log-probabilities, in nats.
    pub nats: f64,
}

/// A text before and after the edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PerplexityChange {
    /// SHA-256 of the text's file, in hex.
    pub text: String,
    /// How the text was gone through.
    pub windows: Windows,
    /// How many tokens were predicted.
    pub tokens: usize,
    /// Perplexity of the unedited model.
    pub base: f64,
    /// Perplexity of the edited model.
    pub edited: f64,
    /// 95 % interval of the growth of the mean negative log-probability, nats per token: the windows are drawn again. None of one
    /// window, which says nothing of the spread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth_interval: Option<Interval>,
}

impl PerplexityChange {
    /// What `base` and `edited`, which went through the same text by the same windows, differ by. `seed` draws the interval.
    pub fn new(text: &str, windows: Windows, base: &Perplexity, edited: &Perplexity, seed: u64) -> Self {
        let pairs: Vec<(f64, f64)> = (base.windows.iter().zip(&edited.windows))
            .map(|(before, after)| (after.nats - before.nats, before.tokens as f64))
            .collect();
        let numbers: Vec<usize> = (0..pairs.len()).collect();
        let growth = |weights: &[u32]| {
            let weighted = |of: fn(&(f64, f64)) -> f64| -> f64 {
                pairs.iter().zip(weights).map(|(pair, &weight)| of(pair) * f64::from(weight)).sum()
            };
            weighted(|pair| pair.0) / weighted(|pair| pair.1)
        };
        Self {
            text: text.to_owned(),
            windows,
            tokens: base.tokens,
            base: base.perplexity,
            edited: edited.perplexity,
            growth_interval: (pairs.len() > 1).then(|| bootstrap_of(&numbers, RESAMPLES, seed, growth)).flatten(),
        }
    }

    /// The growth of the mean negative log-probability, nats per token.
    pub fn growth(&self) -> f64 {
        (self.edited / self.base).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_growth_lies_in_its_interval_and_one_window_has_none() {
        let of = |nats: &[f64]| {
            let windows: Vec<WindowLoss> = nats.iter().map(|&nats| WindowLoss { tokens: 10, nats }).collect();
            let tokens = 10 * nats.len();
            let perplexity = (nats.iter().sum::<f64>() / tokens as f64).exp();
            Perplexity { perplexity, tokens, windows }
        };
        let how = Windows { window: 8, stride: 4 };
        let change = PerplexityChange::new("", how, &of(&[30.0, 32.0, 28.0, 35.0]), &of(&[31.0, 33.5, 29.0, 36.5]), 1);
        let interval = change.growth_interval.unwrap();
        assert!((change.growth() - 0.125).abs() < 1e-12);
        assert!(0.1 <= interval.low && interval.low < 0.125 && 0.125 < interval.high && interval.high <= 0.15);
        assert_eq!(PerplexityChange::new("", how, &of(&[30.0]), &of(&[31.0]), 1).growth_interval, None);
    }
}

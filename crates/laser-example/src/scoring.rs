//! How an answer is scored, and how outcomes become accuracy and log-loss.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a generated text holds one of the answers, as in the paper (appendix E.2): the
/// lower-cased answer, without whitespace around it, occurs in the lower-cased text.
pub fn generation_is_correct(answers: &[String], text: &str) -> bool {
    let text = text.to_lowercase();
    answers.iter().any(|answer| {
        let answer = answer.trim().to_lowercase();
        !answer.is_empty() && text.contains(&answer)
    })
}

/// What one example gave under one candidate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether it was right, by the rule of its [`crate::Target`].
    pub correct: bool,
    /// The sum of the answer tokens' log-probabilities, in nats.
    pub answer_logprob: f64,
    /// How many tokens the answer has; at least 1.
    pub answer_tokens: usize,
}

impl Outcome {
    /// The log-loss of this example, in nats per token: -(sum of the log-probabilities) / (number of tokens).
    pub fn log_loss(&self) -> f64 {
        // 0 - x, so that a certain answer costs 0 and not -0.
        (0.0 - self.answer_logprob) / self.answer_tokens as f64
    }
}

/// Accuracy and log-loss over some outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// How many examples.
    pub n: usize,
    /// The fraction that was right, 0 to 1. NaN for no examples.
    pub accuracy: f64,
    /// The mean over examples of their log-loss, nats per token. NaN for no examples.
    pub log_loss: f64,
}

impl Score {
    /// The score of some outcomes.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let (mut n, mut correct, mut log_loss) = (0usize, 0usize, 0.0);
        for outcome in outcomes {
            n += 1;
            correct += usize::from(outcome.correct);
            log_loss += outcome.log_loss();
        }
        Self { n, accuracy: correct as f64 / n as f64, log_loss: log_loss / n as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_stand_anywhere_in_any_case() {
        let answers = ["Paris".to_owned(), " île ".to_owned()];
        assert!(generation_is_correct(&answers, " the city of PARIS, which"));
        assert!(generation_is_correct(&answers, "Île-de-France"));
        assert!(generation_is_correct(&answers, "comparison"));
        assert!(!generation_is_correct(&answers, "Par is"));
        assert!(!generation_is_correct(&[], "Paris"));
        assert!(!generation_is_correct(&[" ".to_owned()], "a b"));
    }

    #[test]
    fn log_loss_is_the_mean_over_examples_of_the_loss_a_token() {
        let outcome = |correct, answer_logprob, answer_tokens| Outcome { correct, answer_logprob, answer_tokens };
        let score = Score::of(&[
            outcome(true, -1.0, 1),
            outcome(false, -6.0, 3),
            outcome(false, -0.5, 2),
            outcome(false, 0.0, 1),
        ]);
        assert_eq!((score.n, score.accuracy, score.log_loss), (4, 0.25, (1.0 + 2.0 + 0.25) / 4.0));
        assert_eq!(serde_json::to_string(&outcome(true, 0.0, 1).log_loss()).unwrap(), "0.0");
    }

    #[test]
    fn no_outcomes_have_no_score() {
        let score = Score::of(&[]);
        assert_eq!(score.n, 0);
        assert!(score.accuracy.is_nan() && score.log_loss.is_nan());
    }
}

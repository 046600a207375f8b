use laser_python::RegexError;

use crate::one_line::{plain, quoted};

/// What is wrong with an example's texts.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExampleError {
    /// A text of nothing but whitespace.
    #[error("the {what} is empty: write some text or leave the row out")]
    Empty {
        /// Which text.
        what: &'static str,
    },
    /// No answers in a list of answers.
    #[error("the list of answers is empty: write at least one answer or leave the row out")]
    NoAnswers,
    /// No choices in a list of choices.
    #[error("the list of choices is empty: write at least one choice or leave the row out")]
    NoChoices,
    /// A regular expression that cannot be used, or that goes back and forth for too long.
    #[error("{}", regex_text(.0))]
    Regex(#[from] RegexError),
    /// An answer that is not a choice.
    #[error("the answer {} is not among the {choices} choices: write one of them, or its index from 0", quoted(answer))]
    NotAChoice {
        /// The answer.
        answer: String,
        /// How many choices there are.
        choices: usize,
    },
    /// An index past the last choice.
    #[error("the answer is choice {index} of {choices} choices: write an index from 0 to {}", choices - 1)]
    NoSuchChoice {
        /// The index.
        index: String,
        /// How many choices there are; at least 1.
        choices: usize,
    },
}

fn regex_text(error: &RegexError) -> String {
    match error {
        RegexError::Pattern { pattern, why } => {
            format!(
                "the regular expression {} cannot be used: {}: write it in another way",
                quoted(pattern),
                plain(why)
            )
        }
        RegexError::Slow { pattern } => format!(
            "the regular expression {} takes too many steps on a generated text: write a simpler one",
            quoted(pattern)
        ),
        other => other.to_string(),
    }
}

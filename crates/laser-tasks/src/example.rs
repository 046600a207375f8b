//! One example: a prompt and what should follow it.

use serde::Serialize;

use crate::RowError;

/// A prompt and its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Unique in its task. Where the file gives none: the line's number in the file, from 0.
    pub id: String,
    /// Shared by examples that ask for the same thing (paraphrases of one fact). The id where the file gives none.
    pub group: String,
    /// The text before the answer, exactly as the file has it.
    pub prompt: String,
    /// What should follow.
    pub target: Target,
}

/// What should follow a prompt, and so how the example is scored. All texts are without blanks around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Right when one of the answers occurs in the greedily generated text ([`crate::generation_is_correct`]).
    Generate {
        /// At least one, none empty.
        answers: Vec<String>,
        /// How many tokens may be generated.
        max_new_tokens: usize,
    },
    /// Right when the right choice has the highest log-probability (sum over its tokens).
    Choose {
        /// At least two, none empty, all different.
        choices: Vec<String>,
        /// The index of the right one.
        correct: usize,
    },
    /// Right when every token of the answer is the arg-max at its place.
    LogLikelihood {
        /// Not empty.
        answer: String,
    },
}

impl Example {
    /// An example; `group` is its id when none is given. An empty prompt or id is an error.
    pub fn new(id: String, group: Option<String>, prompt: String, target: Target) -> Result<Self, RowError> {
        not_empty("id", &id)?;
        not_empty("prompt", &prompt)?;
        let group = group.unwrap_or_else(|| id.clone());
        not_empty("group", &group)?;
        Ok(Self { id, group, prompt, target })
    }

    /// The text that log-loss is measured on: the first answer, or the right choice.
    pub fn answer(&self) -> &str {
        match &self.target {
            Target::Generate { answers, .. } => &answers[0],
            Target::Choose { choices, correct } => &choices[*correct],
            Target::LogLikelihood { answer } => answer,
        }
    }

    /// What is appended to the prompt to score `text` (an answer or a choice): one blank, then the text.
    pub fn continuation(&self, text: &str) -> String {
        format!(" {text}")
    }
}

impl Target {
    /// A target scored by generation of up to `max_new_tokens` tokens.
    pub fn generate(answers: Vec<String>, max_new_tokens: usize) -> Result<Self, RowError> {
        if answers.is_empty() {
            return Err(RowError::NoAnswers);
        }
        Ok(Self::Generate { answers: trimmed("answer", answers)?, max_new_tokens })
    }

    /// A target scored by choice; `correct` is an index into `choices`.
    pub fn choose(choices: Vec<String>, correct: usize) -> Result<Self, RowError> {
        let choices = checked_choices(choices)?;
        if correct >= choices.len() {
            return Err(RowError::NoSuchChoice { index: correct.to_string(), choices: choices.len() });
        }
        Ok(Self::Choose { choices, correct })
    }

    /// A target scored by choice; `answer` is the text of one of `choices`.
    pub fn choose_text(choices: Vec<String>, answer: &str) -> Result<Self, RowError> {
        let choices = checked_choices(choices)?;
        match choices.iter().position(|choice| choice == answer.trim()) {
            Some(correct) => Ok(Self::Choose { choices, correct }),
            None => Err(RowError::NotAChoice { answer: answer.trim().to_owned(), choices: choices.len() }),
        }
    }

    /// A target whose every token must be the arg-max.
    pub fn log_likelihood(answer: String) -> Result<Self, RowError> {
        not_empty("answer", &answer)?;
        Ok(Self::LogLikelihood { answer: answer.trim().to_owned() })
    }
}

fn checked_choices(choices: Vec<String>) -> Result<Vec<String>, RowError> {
    if choices.len() < 2 {
        return Err(RowError::FewChoices { found: choices.len() });
    }
    let choices = trimmed("choice", choices)?;
    let mut sorted: Vec<&String> = choices.iter().collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(RowError::SameChoice { choice: pair[0].clone() }),
        None => Ok(choices),
    }
}

/// The texts without whitespace around them: the one blank before an answer is added by [`Example::continuation`].
fn trimmed(what: &'static str, texts: Vec<String>) -> Result<Vec<String>, RowError> {
    texts.into_iter().map(|text| not_empty(what, &text).map(|()| text.trim().to_owned())).collect()
}

fn not_empty(what: &'static str, text: &str) -> Result<(), RowError> {
    if text.trim().is_empty() {
        return Err(RowError::Empty { what });
    }
    Ok(())
}

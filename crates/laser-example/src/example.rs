//! One example: a prompt and what should follow it.

use serde::{Deserialize, Serialize};

use crate::error::ExampleError;
use crate::scoring::generation_is_correct;
use crate::words::ExactMatch;

/// A prompt and its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Unique in its task. Where the file gives none: the row's number in the file, from 0.
    pub id: String,
    /// Shared by examples that ask for the same thing (paraphrases of one fact). The id where the file gives none.
    pub group: String,
    /// The text before the answer: a description and solved examples, then the question.
    pub prompt: String,
    /// Where the question begins in `prompt`, in bytes.
    pub question: usize,
    /// What stands between the prompt and an answer: one blank, unless a task says otherwise.
    pub delimiter: String,
    /// What should follow.
    pub target: Target,
}

/// What should follow a prompt, and so how the example is scored. All texts are without blanks around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Right when the greedily generated text is.
    Generate(Generation),
    /// Right when the right choice is the most likely one.
    Choose(Choice),
    /// Right when every token of the answer is the arg-max at its place.
    LogLikelihood {
        /// Not empty.
        answer: String,
    },
}

/// An answer that is generated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Any of them is right. At least one, none empty.
    pub answers: Vec<String>,
    /// How many tokens may be generated.
    pub max_new_tokens: usize,
    /// The text ends before the first of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub until: Vec<String>,
    /// When a text is right.
    #[serde(default, skip_serializing_if = "Matching::is_contains")]
    pub matching: Matching,
}

/// How a generated text is compared with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// The text holds an answer, as in the paper ([`generation_is_correct`]).
    #[default]
    Contains,
    /// The text is an answer.
    Exact(ExactMatch),
}

/// An answer that is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// At least two, none empty, all different.
    pub choices: Vec<String>,
    /// The index of the right one.
    pub correct: usize,
    /// Whether log-probabilities are divided by the choice's length in characters before they are compared (`acc_norm` of
    /// lm-evaluation-harness).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_length: bool,
}

impl Example {
    /// An example; `group` is its id when none is given. An empty prompt or id is an error.
    pub fn new(id: String, group: Option<String>, prompt: String, target: Target) -> Result<Self, ExampleError> {
        not_empty("id", &id)?;
        not_empty("prompt", &prompt)?;
        let group = group.unwrap_or_else(|| id.clone());
        not_empty("group", &group)?;
        Ok(Self { id, group, prompt, question: 0, delimiter: " ".to_owned(), target })
    }

    /// Whether an example that was read back is one that [`Self::new`] and [`Target`] could have made.
    pub fn is_whole(&self) -> bool {
        let target = match &self.target {
            Target::Generate(generation) => !generation.answers.is_empty(),
            Target::Choose(choice) => choice.choices.len() >= 2 && choice.correct < choice.choices.len(),
            Target::LogLikelihood { answer } => !answer.is_empty(),
        };
        target && self.prompt.is_char_boundary(self.question)
    }

    /// The text that log-loss is measured on: the first answer, or the right choice.
    pub fn answer(&self) -> &str {
        match &self.target {
            Target::Generate(generation) => &generation.answers[0],
            Target::Choose(choice) => &choice.choices[choice.correct],
            Target::LogLikelihood { answer } => answer,
        }
    }

    /// The choices, where there are some.
    pub fn choices(&self) -> Option<&[String]> {
        match &self.target {
            Target::Choose(choice) => Some(&choice.choices),
            _ => None,
        }
    }

    /// How many tokens are generated; 0 where the example is scored otherwise.
    pub fn new_tokens(&self) -> usize {
        match &self.target {
            Target::Generate(generation) => generation.max_new_tokens,
            _ => 0,
        }
    }

    /// What is appended to the prompt to score `text` (an answer or a choice): the delimiter, then the text.
    pub fn continuation(&self, text: &str) -> String {
        format!("{}{text}", self.delimiter)
    }
}

impl Target {
    /// A target scored by generation of up to `max_new_tokens` tokens, as the paper does.
    pub fn generate(answers: Vec<String>, max_new_tokens: usize) -> Result<Self, ExampleError> {
        if answers.is_empty() {
            return Err(ExampleError::NoAnswers);
        }
        let answers = trimmed("answer", answers)?;
        let (until, matching) = (Vec::new(), Matching::Contains);
        Ok(Self::Generate(Generation { answers, max_new_tokens, until, matching }))
    }

    /// A target scored by choice; `correct` is an index into `choices`.
    pub fn choose(choices: Vec<String>, correct: usize) -> Result<Self, ExampleError> {
        let choices = checked_choices(choices)?;
        if correct >= choices.len() {
            return Err(ExampleError::NoSuchChoice { index: correct.to_string(), choices: choices.len() });
        }
        Ok(Self::Choose(Choice { choices, correct, by_length: false }))
    }

    /// A target scored by choice; `answer` is the text of one of `choices`, or, where it is none of them, an index in digits.
    pub fn choose_text(choices: Vec<String>, answer: &str) -> Result<Self, ExampleError> {
        let choices = checked_choices(choices)?;
        match choices.iter().position(|choice| choice == answer.trim()) {
            Some(correct) => Self::choose(choices, correct),
            None => match answer.trim().parse() {
                Ok(index) => Self::choose(choices, index),
                Err(_) => Err(ExampleError::NotAChoice { answer: answer.trim().to_owned(), choices: choices.len() }),
            },
        }
    }

    /// A target whose every token must be the arg-max.
    pub fn log_likelihood(answer: String) -> Result<Self, ExampleError> {
        not_empty("answer", &answer)?;
        Ok(Self::LogLikelihood { answer: answer.trim().to_owned() })
    }
}

impl Generation {
    /// Whether a generated text is right.
    pub fn is_correct(&self, text: &str) -> bool {
        let text = self.ended(text);
        match self.matching {
            Matching::Contains => generation_is_correct(&self.answers, text),
            Matching::Exact(rule) => rule.matches(text, &self.answers),
        }
    }

    /// The part of a generated text that counts: up to the first of `until`.
    pub fn ended<'t>(&self, text: &'t str) -> &'t str {
        let end = self.until.iter().filter_map(|stop| text.find(stop.as_str())).min();
        &text[..end.unwrap_or(text.len())]
    }

    /// Whether no further token can change what counts of the text.
    pub fn has_ended(&self, text: &str) -> bool {
        self.until.iter().any(|stop| text.contains(stop.as_str()))
    }

    /// Whether a text that is right stays so, whatever is generated behind it.
    pub fn is_final_once_correct(&self) -> bool {
        self.until.is_empty() && self.matching.is_contains()
    }
}

impl Matching {
    fn is_contains(&self) -> bool {
        *self == Self::Contains
    }
}

impl Choice {
    /// The choice that log-probabilities (nats, one a choice) are for; the first of equals.
    pub fn predicted(&self, logprobs: &[f64]) -> usize {
        let score = |i: usize| match self.by_length {
            true => logprobs[i] / self.choices[i].chars().count() as f64,
            false => logprobs[i],
        };
        (1..logprobs.len().min(self.choices.len())).fold(0, |best, i| if score(i) > score(best) { i } else { best })
    }
}

fn checked_choices(choices: Vec<String>) -> Result<Vec<String>, ExampleError> {
    if choices.len() < 2 {
        return Err(ExampleError::FewChoices { found: choices.len() });
    }
    let choices = trimmed("choice", choices)?;
    let mut sorted: Vec<&String> = choices.iter().collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(ExampleError::SameChoice { choice: pair[0].clone() }),
        None => Ok(choices),
    }
}

/// The texts without whitespace around them: the one blank before an answer is added by [`Example::continuation`].
fn trimmed(what: &'static str, texts: Vec<String>) -> Result<Vec<String>, ExampleError> {
    texts.into_iter().map(|text| not_empty(what, &text).map(|()| text.trim().to_owned())).collect()
}

fn not_empty(what: &'static str, text: &str) -> Result<(), ExampleError> {
    if text.trim().is_empty() {
        return Err(ExampleError::Empty { what });
    }
    Ok(())
}

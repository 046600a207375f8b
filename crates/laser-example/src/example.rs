//! One example: a prompt and what should follow it.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ExampleError;
use crate::filter::Pipeline;
use crate::scoring::generation_is_correct;
use crate::turn::{self, Dialogue, Message, Speaker, Turn};
use crate::words::ExactMatch;

/// A prompt and its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Example {
    /// Unique in its task. Where the file gives none: the row's number in the file, from 0.
    pub id: String,
    /// Shared by examples that ask for the same thing (paraphrases of one fact). The id where the file gives none.
    pub group: String,
    /// The text before the answer: a description and solved examples, then the question, then what
    /// the answer begins with already.
    pub prompt: String,
    /// Who says what of the prompt in a chat, together as long as it: the system the description,
    /// user and model the solved examples in turn, the user the question, the model the beginning
    /// of its answer. If empty, the user says all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Turn>,
    /// What stands between the prompt and an answer: one space, unless a task says otherwise.
    pub delimiter: String,
    /// Whether the delimiter stands before choices also in a chat.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delimits_in_chat: bool,
    /// What should follow.
    pub target: Target,
}

/// What should follow a prompt, which decides how the example is scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// A text that is scored by itself, token by token; the prompt is empty. Nothing is right or wrong.
    Rolling {
        /// Not empty.
        text: String,
    },
    /// An episode that is played, such as a level of a game: what came of it is the result. No text is scored.
    Episode {
        /// How it can be played well, for whoever looks at it. Not empty.
        solution: String,
    },
}

/// An answer that is generated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Generation {
    /// Any of them is right. At least one.
    pub answers: Vec<String>,
    /// How many tokens may be generated.
    pub max_new_tokens: usize,
    /// The text ends before the first of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub until: Vec<String>,
    /// What is made of a text before it is compared.
    #[serde(default, skip_serializing_if = "Pipeline::is_empty")]
    pub pipeline: Pipeline,
    /// The choices that the row lists, where the pipeline looks at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub row_choices: Vec<String>,
    /// When a text is right.
    #[serde(default, skip_serializing_if = "Matching::is_contains")]
    pub matching: Matching,
}

/// How a generated text is compared with an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// The text holds an answer, as in the paper ([`generation_is_correct`]).
    #[default]
    Contains,
    /// The text is an answer.
    Exact(ExactMatch),
}

/// An answer that is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// At least one. Of equal ones the first is predicted.
    pub choices: Vec<String>,
    /// The index of the right one, the first of several.
    pub correct: usize,
    /// The indices of further right ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_correct: Vec<usize>,
    /// Whether none is right; log-loss is then measured on `correct` all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub none_right: bool,
    /// Where the choices stand in the prompt, what follows all of them and is scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<String>,
    /// Whether log-probabilities are divided by the choice's length in characters before they are compared (`acc_norm` of
    /// lm-evaluation-harness).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_length: bool,
    /// The same by its length in bytes (`acc_bytes`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_bytes: bool,
}

impl Example {
    /// An example; `group` is its id when none is given.
    ///
    /// # Errors
    /// If the id or the group is empty or only whitespace.
    pub fn new(id: String, group: Option<String>, prompt: String, target: Target) -> Result<Self, ExampleError> {
        not_empty("id", &id)?;
        let group = group.unwrap_or_else(|| id.clone());
        not_empty("group", &group)?;
        Ok(Self { id, group, prompt, turns: Vec::new(), delimiter: " ".to_owned(), delimits_in_chat: false, target })
    }

    /// Whether an example that was read back is one that [`Self::new`] and [`Target`] could have made.
    pub fn is_whole(&self) -> bool {
        let target = match &self.target {
            Target::Generate(generation) => !generation.answers.is_empty(),
            Target::Choose(choice) => choice.right().all(|index| index < choice.choices.len()),
            Target::LogLikelihood { answer: text } | Target::Rolling { text } | Target::Episode { solution: text } => {
                !text.is_empty()
            }
        };
        target && (self.turns.is_empty() || turn::parted(&self.prompt, &self.turns).is_some())
    }

    /// The prompt as messages of a chat, at least one.
    pub fn messages(&self) -> Vec<Message<'_>> {
        turn::messages(&self.prompt, &self.turns)
    }

    /// Where the question stands in the prompt, in bytes: what the user says last.
    pub fn question(&self) -> Range<usize> {
        let messages = self.messages();
        let Some(last) = messages.iter().rposition(|message| message.speaker == Speaker::User) else {
            return 0..self.prompt.len();
        };
        let before = messages[..last].iter().map(|message| message.content.len() + message.delimiter.len());
        let start = before.sum();
        start..start + messages[last].content.len()
    }

    /// The example with another question in the place of its own.
    pub fn asking(&self, question: &str) -> Self {
        let mut asking = self.clone();
        asking.prompt.replace_range(self.question(), question);
        if let Some(turn) = asking.turns.iter_mut().rfind(|turn| turn.speaker == Speaker::User) {
            turn.length = question.len();
        }
        asking
    }

    /// The example with `solved` before its question.
    pub fn behind(mut self, solved: &Dialogue) -> Self {
        if solved.turns.is_empty() {
            return self;
        }
        if self.turns.is_empty() {
            self.turns = vec![Turn { speaker: Speaker::User, length: self.prompt.len(), delimiter: 0 }];
        }
        let start = self.question().start;
        let last = self.turns.iter().rposition(|turn| turn.speaker == Speaker::User).unwrap_or(0);
        self.prompt.insert_str(start, &solved.text);
        self.turns.splice(last..last, solved.turns.iter().copied());
        self
    }

    /// The text that log-loss is measured on: the first answer, the right choice, or the text itself. Of an episode its solution.
    pub fn answer(&self) -> &str {
        match &self.target {
            Target::Generate(generation) => &generation.answers[0],
            Target::Choose(choice) => &choice.choices[choice.correct],
            Target::LogLikelihood { answer: text } | Target::Rolling { text } | Target::Episode { solution: text } => {
                text
            }
        }
    }

    /// Whether an answer is given, which is right or not.
    pub fn is_answered(&self) -> bool {
        !matches!(self.target, Target::Rolling { .. } | Target::Episode { .. })
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
    ///
    /// # Errors
    /// If there is no answer, or if one is empty or only whitespace.
    pub fn generate(answers: Vec<String>, max_new_tokens: usize) -> Result<Self, ExampleError> {
        if answers.is_empty() {
            return Err(ExampleError::NoAnswers);
        }
        answers.iter().try_for_each(|answer| not_empty("answer", answer))?;
        let answers = trimmed(answers);
        Ok(Self::Generate(Generation { answers, max_new_tokens, ..Generation::default() }))
    }

    /// A target scored by choice; `correct` is an index into `choices`.
    ///
    /// # Errors
    /// If there is no choice, or if `correct` is past the last.
    pub fn choose(choices: Vec<String>, correct: usize) -> Result<Self, ExampleError> {
        Ok(Self::Choose(Choice::new(trimmed(choices), &[correct])?))
    }

    /// A target scored by choice; `answer` is the text of one of `choices`, or, where it is none of them, an index in digits.
    ///
    /// # Errors
    /// As [`Self::choose`], and if `answer` is neither a choice nor an index.
    pub fn choose_text(choices: Vec<String>, answer: &str) -> Result<Self, ExampleError> {
        let choices = trimmed(choices);
        let answer = answer.trim();
        let correct = match choices.iter().position(|choice| choice == answer) {
            Some(correct) => correct,
            None if choices.is_empty() => return Err(ExampleError::NoChoices),
            None => answer
                .parse()
                .map_err(|_| ExampleError::NotAChoice { answer: answer.to_owned(), choices: choices.len() })?,
        };
        Ok(Self::Choose(Choice::new(choices, &[correct])?))
    }

    /// A target whose every token must be the arg-max.
    ///
    /// # Errors
    /// If the answer is empty or only whitespace.
    pub fn log_likelihood(answer: String) -> Result<Self, ExampleError> {
        not_empty("answer", &answer)?;
        Ok(Self::LogLikelihood { answer: answer.trim().to_owned() })
    }
}

impl Generation {
    /// Whether a generated text is right.
    ///
    /// # Errors
    /// A regular expression takes too long.
    pub fn is_correct(&self, text: &str) -> Result<bool, ExampleError> {
        let response = self.pipeline.apply(self.ended(text), &self.row_choices)?;
        match &self.matching {
            Matching::Contains => Ok(response.is_some_text(|text| generation_is_correct(&self.answers, text))),
            Matching::Exact(rule) => Ok(rule.score(&response, &self.answers)? == 1.0),
        }
    }

    /// The part of a generated text that counts: each of `until` cuts what the one before it has left.
    pub fn ended<'t>(&self, text: &'t str) -> &'t str {
        self.until.iter().fold(text, |text, stop| text.split_once(stop.as_str()).map_or(text, |(before, _)| before))
    }

    /// Whether no further token can change what counts of the text.
    pub fn has_ended(&self, text: &str) -> bool {
        self.until.iter().any(|stop| text.contains(stop.as_str()))
    }

    /// Whether a text that is right stays so, whatever is generated behind it.
    pub fn is_final_once_correct(&self) -> bool {
        self.until.is_empty() && self.pipeline.is_empty() && self.matching.is_contains()
    }
}

impl Matching {
    fn is_contains(&self) -> bool {
        *self == Self::Contains
    }
}

impl Choice {
    /// Choices as they are, and the indices of the right ones, at least one.
    ///
    /// # Errors
    /// If there is no choice, no index, or an index past the last choice.
    pub fn new(choices: Vec<String>, right: &[usize]) -> Result<Self, ExampleError> {
        if choices.is_empty() {
            return Err(ExampleError::NoChoices);
        }
        let Some((&correct, also_correct)) = right.split_first() else { return Err(ExampleError::NoAnswers) };
        match right.iter().find(|&&index| index >= choices.len()) {
            Some(index) => Err(ExampleError::NoSuchChoice { index: index.to_string(), choices: choices.len() }),
            None => Ok(Self { choices, correct, also_correct: also_correct.to_vec(), ..Self::default() }),
        }
    }

    /// The choice that log-probabilities (nats, one a choice) are for; the first of equals.
    pub fn predicted(&self, logprobs: &[f64]) -> usize {
        let score = |i: usize| logprobs[i] / self.length(&self.choices[i]);
        (1..logprobs.len().min(self.choices.len())).fold(0, |best, i| if score(i) > score(best) { i } else { best })
    }

    /// What the log-probability of a choice is divided by before it is compared.
    pub fn length(&self, choice: &str) -> f64 {
        match (self.by_length, self.by_bytes) {
            (true, _) => choice.chars().count() as f64,
            (false, true) => choice.len() as f64,
            (false, false) => 1.0,
        }
    }

    /// Whether a choice is a right one.
    pub fn is_right(&self, index: usize) -> bool {
        !self.none_right && self.right().any(|right| right == index)
    }

    /// The indices of the right choices.
    pub fn right(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.correct).chain(self.also_correct.iter().copied())
    }
}

/// The texts without whitespace around them: [`Example::continuation`] adds the space before an
/// answer.
fn trimmed(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().map(|text| text.trim().to_owned()).collect()
}

fn not_empty(what: &'static str, text: &str) -> Result<(), ExampleError> {
    if text.trim().is_empty() {
        return Err(ExampleError::Empty { what });
    }
    Ok(())
}

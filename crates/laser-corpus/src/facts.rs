//! The facts that are counted.

use crate::corpus_error::{CorpusError, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A fact: a line of a JSONL file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The id of its example in the task. One fact may stand in several lines, for several examples.
    #[serde(deserialize_with = "text_or_number")]
    pub id: String,
    /// What is asked about.
    pub subject: String,
    /// The right answer.
    pub answer: String,
}

/// No file of facts is larger, in bytes.
const LARGEST: u64 = 1 << 30;

/// Reads facts: a JSON object a line with `id`, `subject` and `answer`; other keys are passed over.
///
/// # Errors
/// The file cannot be read, or a line is not a fact.
pub fn read_facts(path: &Path) -> Result<Vec<Fact>> {
    let text =
        laser_guard::read_text(path, LARGEST).map_err(|source| CorpusError::Io { path: path.to_owned(), source })?;
    let wrong = |line: usize, why: String| CorpusError::Line { path: path.to_owned(), line, why };
    let mut facts = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fact: Fact = serde_json::from_str(line)
            .map_err(|error| wrong(number + 1, format!("is not a fact: {error}: write id, subject and answer")))?;
        if fact.subject.trim().is_empty() || fact.answer.trim().is_empty() {
            return Err(wrong(number + 1, "has an empty subject or answer: leave the line out".to_owned()));
        }
        facts.push(Fact { subject: fact.subject.trim().to_owned(), answer: fact.answer.trim().to_owned(), ..fact });
    }
    if facts.is_empty() {
        return Err(wrong(1, "is missing: write a JSON object a line with id, subject and answer".to_owned()));
    }
    Ok(facts)
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Ok(text),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        _ => Err(serde::de::Error::custom("the id is neither a text nor a number")),
    }
}

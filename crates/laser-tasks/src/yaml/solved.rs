//! The text of a row with its answer, as it stands before a question.

use std::collections::HashSet;

use laser_template::Environment;

use super::docs::Doc;
use super::reader::needs_delimiter;
use super::task_config::{Config, FewshotConfig};
use super::texts::{Answer, Question, Texts};
use super::values::Keys;
use crate::template::FieldOrTemplate;
use crate::{RowError, YamlError};
use laser_example::{Dialogue, Speaker};

/// Turns rows into solved examples. What `fewshot_config` does not say is as in the questions.
pub struct SolvedReader<'a> {
    texts: Texts<'a>,
    prefix: Option<FieldOrTemplate<'a>>,
    target_delimiter: &'a str,
    fewshot_delimiter: String,
}

impl<'a> SolvedReader<'a> {
    /// A reader of solved rows; `fields` are those of the rows that are evaluated.
    pub fn new(config: &'a Config, engine: &Environment, fields: &HashSet<&str>) -> Result<Self, YamlError> {
        let own: Option<&'a FewshotConfig> = config.fewshot_config.as_ref();
        let keys = config.keys()?;
        let keys = Keys {
            text: own.and_then(|own| own.doc_to_text.as_ref()).unwrap_or(keys.text),
            target: own.and_then(|own| own.doc_to_target.as_ref()).unwrap_or(keys.target),
            choices: own.and_then(|own| own.doc_to_choice.as_ref()).or(keys.choices),
        };
        let prefix = own.and_then(|own| own.gen_prefix.as_deref()).or(config.gen_prefix.as_deref());
        let target_delimiter = own.and_then(|own| own.target_delimiter.as_deref());
        let fewshot_delimiter = own.and_then(|own| own.fewshot_delimiter.clone());
        Ok(Self {
            texts: Texts::new(keys, engine, fields)?,
            prefix: prefix.map(|prefix| FieldOrTemplate::text(engine, fields, "gen_prefix", prefix)).transpose()?,
            target_delimiter: target_delimiter.or(config.target_delimiter.as_deref()).unwrap_or(" "),
            fewshot_delimiter: fewshot_delimiter.unwrap_or_else(|| config.fewshot_delimiter()),
        })
    }

    /// The user's question and the model's answer, with the delimiters behind each. As in
    /// lm-evaluation-harness nothing but the question and the prefix is there if there is no answer.
    pub fn dialogue(&self, doc: &Doc) -> Result<Dialogue, RowError> {
        let choices = self.texts.choices(doc)?;
        let question = match self.texts.question(doc)? {
            Question::Text(text) => text,
            Question::Choice(index) => Answer::Index(index, index.to_string()).text(choices.as_deref()),
        };
        let prefix = self.prefix.as_ref().map(|prefix| prefix.text_of(&doc.row.fields)).transpose()?;
        let prefix = prefix.unwrap_or_default();
        let answer = self.texts.target(doc)?;
        let is_answered = answer != Answer::Text(String::new()) && answer != Answer::Several(Vec::new());
        let mut answer = answer.text(choices.as_deref());
        if needs_delimiter(&prefix, &answer) {
            answer.insert(0, ' ');
        }
        let delimited = if prefix.is_empty() { is_answered } else { needs_delimiter(&question, &prefix) };
        let mut solved = Dialogue::default();
        solved.say(Speaker::User, &question, if delimited { self.target_delimiter } else { "" });
        let begun = [prefix, answer].concat();
        if is_answered {
            solved.say(Speaker::Assistant, &begun, &self.fewshot_delimiter);
        } else if !begun.is_empty() {
            solved.say(Speaker::Assistant, &begun, "");
        }
        Ok(solved)
    }
}

//! One row's example: its prompt, its answer and how it is scored.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use laser_template::Environment;

use super::docs::Doc;
use super::field_names::like_a_field;
use super::task_config::Config;
use super::texts::{Answer, Question, Texts};
use super::values::{ListOrText, OutputType};
use crate::template::FieldOrTemplate;
use crate::{RowError, YamlError};
use laser_example::{Choice, Dialogue, Example, ExampleError, Generation, Speaker, Target};

/// Turns rows into examples.
pub struct Reader<'a> {
    description: Option<FieldOrTemplate<'a>>,
    texts: Texts<'a>,
    prefix: Option<FieldOrTemplate<'a>>,
    group: Option<FieldOrTemplate<'a>>,
    config: &'a Config,
    /// What may not be as it was meant.
    pub notes: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader of rows that have `fields`.
    pub fn new(config: &'a Config, engine: &Environment, fields: &HashSet<&str>) -> Result<Self, YamlError> {
        let pattern = |key, text: &'a Option<String>| {
            text.as_deref().map(|text| FieldOrTemplate::text(engine, fields, key, text)).transpose()
        };
        let keys = config.keys()?;
        let mut notes = Vec::new();
        for (key, text) in [("doc_to_text", keys.text), ("doc_to_target", keys.target)] {
            notes.extend(text.words().and_then(|words| like_a_field(key, words, fields)));
        }
        if let Some(ListOrText::List(items)) = keys.choices
            && let Some(item) = items.iter().find(|item| item.contains("{{") || item.contains("{%"))
        {
            notes.push(format!(
                "doc_to_choice: {} is a choice as it is written, as in lm-evaluation-harness: write one template \
                 that gives a list if rows have choices of their own",
                laser_example::quoted(item)
            ));
        }
        Ok(Self {
            description: pattern("description", &config.description)?,
            texts: Texts::new(keys, engine, fields)?,
            prefix: pattern("gen_prefix", &config.gen_prefix)?,
            group: config
                .doc_to_group
                .as_deref()
                .map(|group| FieldOrTemplate::value(engine, fields, "doc_to_group", group))
                .transpose()?,
            config,
            notes,
        })
    }

    /// What gives a row's answer, where it is not the same for all.
    pub fn answer(&self) -> Option<&FieldOrTemplate<'a>> {
        self.texts.target_pattern()
    }

    /// What a row is about.
    pub fn group(&self, doc: &Doc) -> Result<String, RowError> {
        let group = self.group.as_ref().map(|group| group.text_of(&doc.row.fields)).transpose()?;
        Ok(group.unwrap_or_else(|| doc.group.clone()))
    }

    /// The example of a row, without solved ones before it.
    pub fn example(&self, doc: &Doc) -> Result<Example, RowError> {
        let fields = &doc.row.fields;
        let group = self.group(doc)?;
        let whole = |prompt, target| Example::new(doc.id.clone(), Some(group), prompt, target);
        if self.config.output_type == OutputType::LogLikelihoodRolling {
            let text = self.texts.target(doc)?.text(None);
            if text.is_empty() {
                return Err(ExampleError::Empty { what: "text" }.into());
            }
            return Ok(whole(String::new(), Target::Rolling { text })?);
        }
        let description = self.description.as_ref().map(|description| description.text_of(fields)).transpose()?;
        let mut dialogue = Dialogue::default();
        if let Some(description) = description.filter(|description| !description.is_empty()) {
            dialogue.say(Speaker::System, &description, "");
        }
        let question = self.texts.question(doc)?;
        let prefix = self.prefix.as_ref().map(|prefix| prefix.text_of(fields)).transpose()?;
        if prefix.is_some() && matches!(question, Question::Choice(_)) {
            return Err(RowError::ChoiceAsQuestion);
        }
        let prefix = prefix.unwrap_or_default();
        let asked = if let Question::Text(text) = &question { text } else { "" };
        let delimiter = if needs_delimiter(asked, &prefix) { self.delimiter() } else { "" };
        dialogue.say(Speaker::User, asked, delimiter);
        if !prefix.is_empty() {
            dialogue.say(Speaker::Assistant, &prefix, "");
        }
        if dialogue.turns.len() == 1 {
            dialogue.turns.clear();
        }
        let target = self.scored(doc, &question)?;
        let delimiter = match target {
            Target::LogLikelihood { .. } => String::new(),
            _ => self.delimiter().to_owned(),
        };
        // As written: the harness looks at the key, not at what it renders to.
        let written = self.config.gen_prefix.as_deref().unwrap_or_default();
        let delimits_in_chat = !written.is_empty() && !written.ends_with(laser_python::text::is_space);
        let Dialogue { text, turns } = dialogue;
        Ok(Example { turns, delimiter, delimits_in_chat, ..whole(text, target)? })
    }

    fn delimiter(&self) -> &str {
        self.config.target_delimiter.as_deref().unwrap_or(" ")
    }

    /// The target of a row.
    fn scored(&self, doc: &Doc, question: &Question) -> Result<Target, RowError> {
        let (choices, answer) = (self.texts.choices(doc)?, self.texts.target(doc)?);
        if let (Question::Choice(_), false) = (question, self.config.output_type == OutputType::MultipleChoice) {
            return Err(RowError::ChoiceAsQuestion);
        }
        Ok(match self.config.output_type {
            OutputType::GenerateUntil => {
                let answers = answer.each().iter().map(|answer| answer.text(choices.as_deref())).collect();
                Target::Generate(self.generation(answers, doc)?)
            }
            OutputType::LogLikelihood => {
                let answer = answer.text(choices.as_deref());
                if answer.is_empty() {
                    return Err(ExampleError::Empty { what: "answer" }.into());
                }
                Target::LogLikelihood { answer }
            }
            OutputType::MultipleChoice | OutputType::LogLikelihoodRolling => {
                let choices = choices.unwrap_or_default();
                let (right, ending) = match question {
                    Question::Choice(index) => {
                        let ending = answer.text(None);
                        (Answer::Index(*index, String::new()), Some(ending))
                    }
                    Question::Text(_) => (answer, None),
                };
                Target::Choose(self.choice(choices, &right, ending)?)
            }
        })
    }

    fn generation(&self, answers: Vec<String>, doc: &Doc) -> Result<Generation, RowError> {
        let matching = self.config.matching();
        if answers.is_empty() {
            return Err(ExampleError::NoAnswers.into());
        }
        if matching == laser_example::Matching::Contains && answers.iter().any(|answer| answer.trim().is_empty()) {
            return Err(ExampleError::Empty { what: "answer" }.into());
        }
        let max_new_tokens = self.config.generation().max_new_tokens();
        let row_choices = match self.config.metrics.needs_choices() {
            true => listed_choices(doc)?,
            false => Vec::new(),
        };
        let (until, pipeline) = (self.config.until(), self.config.metrics.pipeline());
        Ok(Generation { answers, max_new_tokens, until, pipeline, row_choices, matching })
    }

    /// The choices of a row. An index that is none of them, or a text, leaves no right one, as in
    /// lm-evaluation-harness.
    fn choice(&self, choices: Vec<String>, answer: &Answer, ending: Option<String>) -> Result<Choice, RowError> {
        // Of equal choices the first: the last to be put in.
        let places_of = || choices.iter().enumerate().rev().map(|(place, choice)| (choice.as_str(), place)).collect();
        let places: OnceCell<HashMap<&str, usize>> = OnceCell::new();
        let mut right = Vec::new();
        for answer in answer.each() {
            let index = match answer {
                Answer::Index(index, _) => usize::try_from(*index).ok().filter(|&index| index < choices.len()),
                Answer::Text(text) => places.get_or_init(places_of).get(text.as_str()).copied(),
                Answer::Several(_) => None,
            };
            right.extend(index);
        }
        let none_right = right.is_empty();
        if none_right {
            right.push(0);
        }
        let (by_length, by_bytes) = self.config.normalised();
        Ok(Choice { ending, none_right, by_length, by_bytes, ..Choice::new(choices, &right)? })
    }
}

/// The choices that a row lists under that name, which a filter looks for.
fn listed_choices(doc: &Doc) -> Result<Vec<String>, RowError> {
    let listed = doc.row.fields.get("choices").and_then(|choices| choices.as_array());
    let texts = listed.and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
    texts.ok_or(RowError::NoChoicesToFind)
}

/// Whether neither of two texts that meet has whitespace there.
pub fn needs_delimiter(before: &str, after: &str) -> bool {
    let spaced = before.ends_with(laser_python::text::is_space) || after.starts_with(laser_python::text::is_space);
    !before.is_empty() && !after.is_empty() && !spaced
}

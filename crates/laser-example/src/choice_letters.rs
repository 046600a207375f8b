//! The letter of a choice in a generated text.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ExampleError;
use crate::extract::Extract;
use laser_python::PythonRegex;
use laser_python::text::{strip, without_punctuation};

/// lm-evaluation-harness's `multi_choice_regex`: a pattern; if it finds nothing, the first choice
/// whose text occurs, as `(A)`; if none does, a letter behind a colon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChoiceLetters {
    /// The pattern.
    pub extract: Extract,
    /// Whether texts are lower-cased before choices are looked for.
    #[serde(default)]
    pub ignore_case: bool,
    /// Whether they lose their punctuation.
    #[serde(default)]
    pub ignore_punctuation: bool,
    /// What they lose first.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub regexes_to_ignore: Vec<PythonRegex>,
}

impl ChoiceLetters {
    /// What a text says.
    pub(crate) fn found(&self, text: &str, choices: &[String]) -> Result<String, ExampleError> {
        if let Some(found) = self.extract.found(text)?.flatten().filter(|found| !found.is_empty()) {
            return Ok(found);
        }
        let named = self.named(text, choices)?;
        let found = match named.filter(|found| !found.is_empty()) {
            Some(found) => Some(found),
            None => self.letter(text, choices.len())?,
        };
        Ok(found.unwrap_or_else(|| self.extract.fallback.clone()))
    }

    /// The letter of the choice whose text is found, or what of it is left where several are the same.
    fn named(&self, text: &str, choices: &[String]) -> Result<Option<String>, ExampleError> {
        let texts = choices.iter().map(|choice| self.plain(strip(choice)));
        let texts = texts.collect::<Result<Vec<String>, _>>()?;
        // The longest first, so that a choice that another one begins with does not hide it.
        let mut order: Vec<&String> = texts.iter().collect();
        order.sort_by_key(|text| std::cmp::Reverse(escaped_length(text)));
        let pattern: Vec<_> = order.iter().map(|text| laser_python::escaped(text)).collect();
        let pattern = PythonRegex::new(&pattern.join("|"))?;
        let extract = Extract { pattern, select: self.extract.select, fallback: String::new() };
        let found = extract.found(&self.plain(text)?)?.flatten();
        // Of equal choices the last one's letter.
        Ok(found.map(|found| match texts.iter().rposition(|text| *text == found) {
            Some(index) if !found.is_empty() => format!("({})", letter(index)),
            _ => found,
        }))
    }

    /// A letter behind a colon.
    fn letter(&self, text: &str, choices: usize) -> Result<Option<String>, ExampleError> {
        let letters: Vec<String> = (0..choices).map(letter).map(|it| laser_python::escaped(&it)).collect();
        let pattern = PythonRegex::new(&format!(":[\\s]*({})", letters.join("|")))?;
        let extract = Extract { pattern, select: self.extract.select, fallback: String::new() };
        Ok(extract.found(text)?.flatten().filter(|found| !found.is_empty()).map(|found| format!("({found})")))
    }

    /// What is compared of a text.
    fn plain(&self, text: &str) -> Result<String, ExampleError> {
        let text = PythonRegex::all_removed(&self.regexes_to_ignore, text)?;
        let text = if self.ignore_case { text.to_lowercase() } else { text };
        Ok(if self.ignore_punctuation { without_punctuation(&text) } else { text })
    }
}

/// The letter of a choice: A, B, ..., and behind Z what Unicode has there.
fn letter(index: usize) -> String {
    u32::try_from(index).ok().and_then(|index| char::from_u32(65 + index)).map(String::from).unwrap_or_default()
}

/// How long Python's `re.escape` makes a text, in characters.
fn escaped_length(text: &str) -> usize {
    let special = |character: &char| "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(*character);
    text.chars().count() + text.chars().filter(special).count()
}

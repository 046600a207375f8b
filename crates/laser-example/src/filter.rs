//! Filters: what is made of a generated text before it is compared with the answers, as in
//! lm-evaluation-harness.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::choice_letters::ChoiceLetters;
use crate::error::ExampleError;
use crate::extract::Extract;
use crate::spans::named_spans;
use laser_python::PythonRegex;
use laser_python::text::strip;

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "function", rename_all = "snake_case")]
pub enum Filter {
    /// What a pattern finds.
    Regex(Extract),
    /// The parts of speech in a list of pairs that Python prints.
    RegexPos {
        /// What there is if none is found.
        fallback: Vec<String>,
    },
    /// The letter of a choice, by a pattern, by the choice's text or by a letter behind a colon.
    MultiChoiceRegex(ChoiceLetters),
    /// Without whitespace around it.
    RemoveWhitespace,
    /// In lower case.
    Lowercase,
    /// In upper case.
    Uppercase,
    /// What a table says of it.
    Map {
        /// By text.
        mapping: BTreeMap<String, String>,
        /// Of any other text; none is never right.
        default: Option<String>,
    },
    /// Named entities, each with its kind.
    FormatSpan,
}

/// What a filter has made of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// A text.
    Text(String),
    /// A list of them.
    List(Vec<String>),
    /// Nothing, which is not an answer.
    Nothing,
}

/// Filters one after another, with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Stored", into = "Stored")]
pub struct Pipeline {
    /// As in the names of metrics: `exact_match,NAME`.
    pub name: Arc<str>,
    filters: Arc<[Filter]>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Stored {
    /// As in the names of metrics: `exact_match,NAME`.
    name: String,
    /// The filters, in order.
    filters: Vec<Filter>,
}

impl Pipeline {
    /// A pipeline of some filters.
    pub fn new(name: &str, filters: Vec<Filter>) -> Self {
        Self { name: name.into(), filters: filters.into() }
    }

    /// Whether a text stays as it is.
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// Whether a row's own choices are looked at.
    pub fn needs_choices(&self) -> bool {
        self.filters.iter().any(|filter| matches!(filter, Filter::MultiChoiceRegex(_)))
    }

    /// What becomes of a generated text; `choices` are those of its row.
    ///
    /// # Errors
    /// A pattern takes too long.
    pub fn apply(&self, text: &str, choices: &[String]) -> Result<Response, ExampleError> {
        let start = Response::Text(text.to_owned());
        self.filters.iter().try_fold(start, |response, filter| filter.apply(response, choices))
    }
}

impl Response {
    /// Whether this is a text for which `is` holds.
    pub fn is_some_text(&self, is: impl Fn(&str) -> bool) -> bool {
        matches!(self, Self::Text(text) if is(text))
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self::new("none", Vec::new())
    }
}

impl From<Stored> for Pipeline {
    fn from(Stored { name, filters }: Stored) -> Self {
        Self::new(&name, filters)
    }
}

impl From<Pipeline> for Stored {
    fn from(Pipeline { name, filters }: Pipeline) -> Self {
        Self { name: name.to_string(), filters: filters.to_vec() }
    }
}

impl Filter {
    fn apply(&self, response: Response, choices: &[String]) -> Result<Response, ExampleError> {
        // To a pattern anything but a text is an empty one.
        let as_text = |response: Response| match response {
            Response::Text(text) => text,
            _ => String::new(),
        };
        Ok(match self {
            Self::Regex(extract) => Response::Text(match extract.found(&as_text(response))? {
                Some(Some(found)) => found,
                Some(None) => strip(&extract.fallback).to_owned(),
                None => extract.fallback.clone(),
            }),
            Self::MultiChoiceRegex(letters) => Response::Text(letters.found(&as_text(response), choices)?),
            Self::RegexPos { fallback } => match response {
                Response::Text(text) => Response::List(tags(&text)?.unwrap_or_else(|| fallback.clone())),
                other => other,
            },
            Self::RemoveWhitespace => on_text(response, |text| strip(text).to_owned()),
            Self::Lowercase => on_text(response, str::to_lowercase),
            Self::Uppercase => on_text(response, str::to_uppercase),
            Self::FormatSpan => match response {
                Response::Text(text) => Response::Text(named_spans(&text)?),
                other => other,
            },
            Self::Map { mapping, default } => {
                let known = match &response {
                    Response::Text(text) => mapping.get(text),
                    _ => None,
                };
                known.or(default.as_ref()).map_or(Response::Nothing, |value| Response::Text(value.clone()))
            }
        })
    }
}

fn on_text(response: Response, change: impl Fn(&str) -> String) -> Response {
    match response {
        Response::Text(text) => Response::Text(change(&text)),
        other => other,
    }
}

/// The second halves of pairs of texts as Python prints them.
fn tags(text: &str) -> Result<Option<Vec<String>>, ExampleError> {
    let pairs = PythonRegex::new(r"\('([^']*)', '([^']*)'\)")?.find_all(text)?;
    let tags: Vec<String> = pairs.into_iter().filter_map(|mut pair| pair.pop()).collect();
    Ok(Some(tags).filter(|tags| !tags.is_empty()))
}

//! `filter_list`: what is made of a generated text before it is compared.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::generation::truth;
use super::values::{OutputType, scalar, unsupported};
use crate::YamlError;
use laser_example::{ChoiceLetters, Extract, Filter, Pipeline};
use laser_python::{PythonRegex, RegexError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    filter: Vec<Mapping>,
}

/// The pipelines of a file, in its order; one that changes nothing where there is none.
pub fn pipelines(written: Option<&Value>, output_type: OutputType, repeats: usize) -> Result<Vec<Pipeline>, YamlError> {
    let Some(written) = written else { return Ok(vec![Pipeline::default()]) };
    let help = "write a list of pipelines, each with a `name` and a list `filter`";
    let named: Vec<Named> =
        serde_yaml_ng::from_value(written.clone()).map_err(|_| unsupported("filter_list", "...", help))?;
    let mut pipelines = Vec::with_capacity(named.len());
    for Named { name, filter } in named {
        let mut filters = Vec::new();
        let mut taken = false;
        for keys in &filter {
            let step = Step { name: text(keys, "function").unwrap_or_default(), keys };
            let generates = output_type == OutputType::GenerateUntil;
            if step.name == "take_first" {
                step.only(&["function"])?;
                taken = true;
                continue;
            }
            if !generates {
                return Err(step.refused("it is for generated texts; only `take_first` goes with this output_type"));
            }
            if taken {
                return Err(step.refused("`take_first` goes behind it, as it leaves nothing to filter"));
            }
            filters.extend(step.filter(repeats)?);
        }
        pipelines.push(Pipeline::new(&name, filters));
    }
    match pipelines.is_empty() {
        true => Err(unsupported("filter_list", "[]", help)),
        false => Ok(pipelines),
    }
}

/// One filter as it is written.
struct Step<'a> {
    name: String,
    keys: &'a Mapping,
}

impl Step<'_> {
    /// The filter; none where one greedy generation stays what it is.
    fn filter(&self, repeats: usize) -> Result<Option<Filter>, YamlError> {
        const PATTERN: [&str; 4] = ["function", "regex_pattern", "group_select", "fallback"];
        Ok(match self.name.as_str() {
            "regex" => {
                self.only(&PATTERN)?;
                Some(Filter::Regex(self.extract()?))
            }
            "multi_choice_regex" => {
                let own = ["ignore_case", "ignore_punctuation", "regexes_to_ignore"];
                self.only(&[&PATTERN[..], &own[..]].concat())?;
                Some(Filter::MultiChoiceRegex(ChoiceLetters {
                    extract: self.extract()?,
                    ignore_case: self.switch("ignore_case")?,
                    ignore_punctuation: self.switch("ignore_punctuation")?,
                    regexes_to_ignore: patterns(self.keys.get("regexes_to_ignore"), "filter_list.regexes_to_ignore")?,
                }))
            }
            "regex_pos" => {
                self.only(&PATTERN)?;
                let fallback =
                    self.keys.get("fallback").map_or(Some(vec!["invalid".to_owned()]), |value| match value {
                        Value::Sequence(items) => items.iter().map(scalar).collect(),
                        other => scalar(other).map(|text| vec![text]),
                    });
                Some(Filter::RegexPos { fallback: fallback.ok_or_else(|| self.refused("write texts as `fallback`"))? })
            }
            "remove_whitespace" | "strip" => self.plain(Filter::RemoveWhitespace)?,
            "lowercase" => self.plain(Filter::Lowercase)?,
            "uppercase" => self.plain(Filter::Uppercase)?,
            "format_span" => self.plain(Filter::FormatSpan)?,
            "majority_vote" => {
                self.only(&["function"])?;
                None
            }
            "take_first_k" => {
                self.only(&["function", "k"])?;
                let k = self.keys.get("k").and_then(Value::as_u64).ok_or_else(|| self.refused("write its `k`"))?;
                if k > repeats as u64 {
                    return Err(self.refused("there are not so many generations; raise `repeats`"));
                }
                None
            }
            "map" => {
                self.only(&["function", "mapping_dict", "default_value"])?;
                let mut mapping = BTreeMap::new();
                let written = self.keys.get("mapping_dict").and_then(Value::as_mapping);
                for (from, to) in written.into_iter().flatten() {
                    let both =
                        scalar(from).zip(scalar(to)).ok_or_else(|| self.refused("write texts in `mapping_dict`"));
                    mapping.extend([both?]);
                }
                let default = self.keys.get("default_value").and_then(scalar);
                Some(Filter::Map { mapping, default })
            }
            "custom" => return Err(self.refused("it is code of Python, which is not run; take it out")),
            _ => {
                let known = "regex, regex_pos, multi_choice_regex, take_first, take_first_k, majority_vote, \
                             remove_whitespace, lowercase, uppercase, map, format_span";
                return Err(self.refused(&format!("the filters are {known}")));
            }
        })
    }

    fn plain(&self, filter: Filter) -> Result<Option<Filter>, YamlError> {
        self.only(&["function"])?;
        Ok(Some(filter))
    }

    fn extract(&self) -> Result<Extract, YamlError> {
        let source = text(self.keys, "regex_pattern").unwrap_or_else(|| r"#### (\-?[0-9\.\,]+)".to_owned());
        let select = match self.keys.get("group_select") {
            None => 0,
            Some(number) => number.as_i64().ok_or_else(|| self.refused("write `group_select` as a whole number"))?,
        };
        Ok(Extract {
            pattern: pattern(&source, "filter_list.regex_pattern")?,
            select,
            fallback: text(self.keys, "fallback").unwrap_or_else(|| "[invalid]".to_owned()),
        })
    }

    fn switch(&self, name: &str) -> Result<bool, YamlError> {
        let wrong = || self.refused(&format!("write true or false as `{name}`"));
        self.keys.get(name).map_or(Ok(false), |value| truth(value).ok_or_else(wrong))
    }

    /// Refuses keys that the filter does not have.
    fn only(&self, known: &[&str]) -> Result<(), YamlError> {
        let unknown = self.keys.keys().filter_map(Value::as_str).find(|key| !known.contains(key));
        unknown.map_or(Ok(()), |key| Err(self.refused(&format!("it has no `{key}`; take that out"))))
    }

    fn refused(&self, help: &str) -> YamlError {
        unsupported("filter_list.function", &self.name, help)
    }
}

/// Patterns that are removed.
pub fn patterns(written: Option<&Value>, key: &str) -> Result<Vec<PythonRegex>, YamlError> {
    let Some(written) = written.filter(|written| !written.is_null()) else { return Ok(Vec::new()) };
    let help = "write a list of regular expressions";
    let items = written.as_sequence().ok_or_else(|| unsupported(key, "...", help))?;
    items.iter().map(|item| pattern(&scalar(item).ok_or_else(|| unsupported(key, "...", help))?, key)).collect()
}

fn pattern(source: &str, key: &str) -> Result<PythonRegex, YamlError> {
    PythonRegex::new(source).map_err(|error| match error {
        RegexError::Pattern { pattern, why } => {
            unsupported(key, &pattern, &format!("{}; write it in another way", laser_example::plain(&why)))
        }
        other => unsupported(key, source, &other.to_string()),
    })
}

fn text(keys: &Mapping, key: &str) -> Option<String> {
    keys.get(key).and_then(scalar)
}

//! `generation_kwargs`: how far and how a text is generated.

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::values::unsupported;
use crate::YamlError;

/// How many tokens lm-evaluation-harness generates where a task does not say.
const DEFAULT_NEW_TOKENS: usize = 256;

/// Names of the number of tokens, the first that is there holds.
const MAX_TOKENS: [&str; 4] = ["max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"];

/// What a greedy generation does not look at, and values that change nothing.
const IGNORED: [&str; 12] = [
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "top_a",
    "epsilon_cutoff",
    "eta_cutoff",
    "seed",
    "use_cache",
    "early_stopping",
    "pad_token_id",
    "num_return_sequences",
];

/// Keys of which only one value is a plain greedy generation.
const NEUTRAL: [(&str, f64); 8] = [
    ("num_beams", 1.0),
    ("num_beam_groups", 1.0),
    ("repetition_penalty", 1.0),
    ("length_penalty", 1.0),
    ("diversity_penalty", 0.0),
    ("no_repeat_ngram_size", 0.0),
    ("min_length", 0.0),
    ("min_new_tokens", 0.0),
];

/// How a text is generated, greedily.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GenerationKwargs {
    max_new_tokens: Option<usize>,
    /// For models with a sentencepiece tokenizer.
    pub max_gen_toks_sentencepiece: Option<usize>,
    /// The texts that end it; none where the few-shot delimiter does.
    pub until: Option<Vec<String>>,
    /// What is asked for and changes nothing here.
    pub note: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Until {
    One(String),
    Many(Vec<String>),
}

impl GenerationKwargs {
    /// Reads what is written, and refuses what a greedy generation cannot be.
    pub fn new(written: &Mapping) -> Result<Self, YamlError> {
        let mut found = Self::default();
        let (mut sampled, mut temperature) = (None, None);
        for (name, value) in written {
            let Some(name) = name.as_str() else { continue };
            let refused = |help: &str| unsupported(&format!("generation_kwargs.{name}"), &shown(value), help);
            match name {
                _ if value.is_null() => {}
                "until" => {
                    let until: Until = serde_yaml_ng::from_value(value.clone())
                        .map_err(|_| refused("write a text or a list of texts"))?;
                    let until = match until {
                        Until::One(text) => vec![text],
                        Until::Many(texts) => texts,
                    };
                    if until.iter().any(String::is_empty) {
                        return Err(refused("an empty text would end every generation at once; take it out"));
                    }
                    found.until = Some(until);
                }
                "do_sample" => sampled = Some(truth(value).ok_or_else(|| refused("write true or false"))?),
                "temperature" => temperature = Some(number(value).ok_or_else(|| refused("write a number"))?),
                "max_gen_toks_sentencepiece" => found.max_gen_toks_sentencepiece = Some(count(value, refused)?),
                _ if MAX_TOKENS.contains(&name) || IGNORED.contains(&name) => {}
                _ => match NEUTRAL.iter().find(|(known, _)| *known == name) {
                    Some((_, neutral)) if number(value) == Some(*neutral) => {}
                    Some((_, neutral)) => return Err(refused(&format!("generation is greedy; write {neutral}"))),
                    None => return Err(refused("docs/tasks.md lists the keys that are read; take it out")),
                },
            }
        }
        for name in MAX_TOKENS {
            let Some(value) = written.get(name).filter(|value| !value.is_null()) else { continue };
            let refused = |help: &str| unsupported(&format!("generation_kwargs.{name}"), &shown(value), help);
            found.max_new_tokens = Some(count(value, refused)?);
            break;
        }
        let hot = temperature.is_some_and(|temperature| temperature != 0.0);
        match (sampled, temperature) {
            (Some(true), Some(_)) if !hot => {
                found.note = Some("`do_sample: true` with `temperature: 0` is a greedy generation".to_owned());
            }
            (Some(true), _) => {
                let help = "generation is greedy; write `do_sample: false`";
                return Err(unsupported("generation_kwargs.do_sample", "true", help));
            }
            (None, Some(temperature)) if hot => {
                let help = "generation is greedy; write `temperature: 0` or `do_sample: false`";
                return Err(unsupported("generation_kwargs.temperature", &temperature.to_string(), help));
            }
            _ => {}
        }
        Ok(found)
    }

    /// How many tokens are generated.
    pub fn max_new_tokens(&self) -> usize {
        self.max_new_tokens.unwrap_or(DEFAULT_NEW_TOKENS)
    }
}

fn count(value: &Value, refused: impl Fn(&str) -> YamlError) -> Result<usize, YamlError> {
    match number(value).filter(|number| number.fract() == 0.0 && (0.0..1e9).contains(number)) {
        Some(0.0) => Err(refused("generate at least 1 token")),
        Some(number) => Ok(number as usize),
        None => Err(refused("write a whole number")),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    }
}

/// A truth value, in YAML 1.1's words too, which Python reads.
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(word) => match word.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" => Some(true),
            "no" | "off" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A value on one line.
fn shown(value: &Value) -> String {
    serde_yaml_ng::to_string(value).map_or_else(|_| "...".to_owned(), |text| text.trim().to_owned())
}

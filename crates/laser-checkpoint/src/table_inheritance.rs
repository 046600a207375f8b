//! The embedded architecture tables, and tables that are `like` another one.

use crate::error::{CheckpointError, Result};

macro_rules! tables {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../architectures/", $name, ".toml")))),*]
    };
}

/// The embedded tables, by file name.
pub(crate) const TABLES: &[(&str, &str)] = &tables![
    "arcee",
    "bert",
    "bloom",
    "cohere",
    "cohere2",
    "decision_transformer",
    "ernie4_5",
    "exaone",
    "exaone4",
    "falcon",
    "falcon_11b",
    "falcon_40b",
    "gemma",
    "gemma2",
    "gemma3_text",
    "glm",
    "glm4",
    "gpt2",
    "gpt_bigcode",
    "gpt_neo",
    "gpt_neox",
    "gptj",
    "granite",
    "granitemoe",
    "helium",
    "hunyuan_v1_dense",
    "internlm2",
    "llama",
    "ministral",
    "ministral3",
    "mistral",
    "mixtral",
    "mpt",
    "nemotron",
    "olmo",
    "olmo2",
    "olmo3",
    "olmoe",
    "opt",
    "phi",
    "phi3",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "roberta",
    "seed_oss",
    "smollm3",
    "stablelm",
    "starcoder2",
];

/// Sections in which `false` takes out what the other table has; `block` has flags of its own.
const TAKEN_OUT: [&str; 7] = ["config", "tensors", "matrices", "require", "ignored", "synonyms", "refused_tensors"];

/// A chain of `like` that is longer goes round in a circle.
const LONGEST_CHAIN: usize = 8;

/// How many lists and tables a table may open: the library goes one call deeper with each that is damaged.
const MOST_BRACKETS: usize = 1000;

/// The table with what it is `like` filled in, and whether it is like another.
pub(crate) fn merged(table: &str, text: &str, depth: usize) -> Result<(toml::Table, bool)> {
    let wrong = |why: String| CheckpointError::Table { table: table.to_owned(), why };
    let most = laser_guard::raised_size(MOST_BRACKETS);
    if text.bytes().filter(|byte| b"[{".contains(byte)).count() > most {
        let how = laser_guard::how_to_raise();
        return Err(wrong(format!("it opens more than {most} brackets, which no family needs ({how})")));
    }
    let mut own: toml::Table = toml::from_str(text).map_err(|error| wrong(described(&error, text)))?;
    let Some(like) = own.remove("like") else { return Ok((own, false)) };
    let like = like.as_str().unwrap_or_default();
    let base = TABLES.iter().find(|(name, _)| like == *name);
    let Some((name, base)) = base.filter(|_| depth < LONGEST_CHAIN) else {
        let known: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
        return Err(wrong(format!("like = {like:?} names no other table: there are {}", known.join(", "))));
    };
    let (mut whole, _) = merged(name, base, depth + 1)?;
    overlay(&mut whole, own);
    Ok((whole, true))
}

/// Puts the values of `over` in place of those of `under`: in its sections one by one, each of them
/// as a whole. `false` takes one out.
fn overlay(under: &mut toml::Table, over: toml::Table) {
    for (name, value) in over {
        match (under.get_mut(&name), value) {
            (Some(toml::Value::Table(section)), toml::Value::Table(values)) => {
                for (key, value) in values {
                    match value {
                        toml::Value::Boolean(false) if TAKEN_OUT.contains(&name.as_str()) => drop(section.remove(&key)),
                        value => drop(section.insert(key, value)),
                    }
                }
            }
            (_, value) => {
                under.insert(name, value);
            }
        }
    }
}

pub(crate) fn described(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    format!("{place}{}", error.message().replace('\n', ": "))
}

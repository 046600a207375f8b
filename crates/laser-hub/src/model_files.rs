//! The files of a model.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use crate::{
    failure::{Failure, RepositoryKind},
    hub_id::is_plain,
    repository::RepositoryType,
    snapshot::Snapshot,
};

pub(crate) const KIND: RepositoryKind = RepositoryKind {
    noun: "model",
    repo: RepositoryType::Model,
    missing: "the hub has no such model or revision: check the spelling",
};

const CONFIG: &str = "config.json";
/// Fetched where a model has them.
const SMALL: [&str; 11] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];
/// The first that a model has is fetched, and no other.
pub(crate) const WEIGHTS: [&str; 4] =
    ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];
/// No index is larger, in bytes.
const LARGEST_INDEX: u64 = 1 << 28;

/// Gets every file that a model needs, and no other.
pub(crate) fn gather(snapshot: &mut Snapshot) -> Result<(), Failure> {
    let advice = "choose another model or revision";
    if !snapshot.has(CONFIG) {
        return Err(snapshot.flawed("no config.json", advice));
    }
    let Some(weights) = WEIGHTS.into_iter().find(|file| snapshot.has(file)) else {
        let what = "no model.safetensors and no pytorch_model.bin, single or with an index";
        return Err(snapshot.flawed(what, advice));
    };
    snapshot.get(CONFIG)?;
    for file in SMALL {
        if snapshot.has(file) {
            snapshot.get(file)?;
        }
    }
    let path = snapshot.get(weights)?;
    if weights.ends_with(".index.json") {
        let index = read_index(&path)
            .map_err(|error| snapshot.flawed(&format!("an index that cannot be read ({error})"), advice))?;
        let shards = index["weight_map"].as_object().into_iter().flat_map(|map| map.values());
        let shards: Option<BTreeSet<&str>> = shards.map(|shard| shard.as_str().filter(|name| is_plain(name))).collect();
        let Some(shards) = shards.filter(|shards| !shards.is_empty()) else {
            return Err(snapshot.flawed("an index that names no files", advice));
        };
        for shard in shards {
            snapshot.get(shard)?;
        }
    }
    Ok(())
}

fn read_index(path: &Path) -> Result<Value, String> {
    let bytes = laser_guard::read_file(path, LARGEST_INDEX).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("it is no JSON: {error}"))
}

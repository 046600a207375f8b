//! Byte-level BPE: the model that GPT-2's kind of vocabulary stands for, and its older files
//! vocab.json and merges.txt.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{
    definition::{AddedToken, Definition},
    error::{Result, malformed},
    pre_tokenizer::{self, PreTokenizer},
    settings::Settings,
    small_files::read,
    tokenizer_class::Class,
};

/// The BPE model over bytes.
pub(crate) fn model(vocab: Map<String, Value>, merges: Vec<Value>, ignore_merges: bool) -> Value {
    json!({"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
           "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": ignore_merges,
           "vocab": vocab, "merges": merges})
}

pub(crate) fn decoder() -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})
}

/// A merge, written as two tokens with a space between.
pub(crate) fn merge(text: &str) -> Result<Value> {
    match text.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok(json!([left, right]))
        }
        _ => Err(malformed(format!("the merge {text:?} is not two tokens"))),
    }
}

/// The tokenizer of a vocab.json and a merges.txt.
pub(crate) fn open(vocab: &Path, merges: &Path, settings: &Settings<'_>) -> Result<Definition> {
    let mut vocabulary: Map<String, Value> =
        serde_json::from_slice(&read(vocab)?).map_err(|error| malformed(format!("{}: {error}", vocab.display())))?;
    if let Some((token, id)) = vocabulary.iter().find(|(_, id)| id.as_u64().is_none_or(|id| id > u64::from(u32::MAX))) {
        return Err(malformed(format!("{}: {token:?} has the id {id}", vocab.display())));
    }
    let text = String::from_utf8(read(merges)?)
        .map_err(|_| malformed(format!("{}: it is no UTF-8 text", merges.display())))?;
    let merges = text
        .lines()
        .filter(|line| !line.starts_with("#version") && !line.is_empty())
        .map(merge)
        .collect::<Result<Vec<_>>>()?;

    let added = settings.added_tokens(|token| id_in(&vocabulary, token), next_id(&vocabulary));
    add(&mut vocabulary, &added);
    let post_processor = settings.post_processor(|token| id_in(&vocabulary, token));
    let PreTokenizer { normalizer, mut pre_tokenizer } =
        if settings.class == Class::Qwen2 { pre_tokenizer::named("qwen2")? } else { pre_tokenizer::named("gpt-2")? };
    if settings.flag("add_prefix_space") == Some(true) && pre_tokenizer["type"] == "ByteLevel" {
        pre_tokenizer["add_prefix_space"] = json!(true);
    }
    let model = model(vocabulary, merges, false);
    Ok(Definition { normalizer, pre_tokenizer, model, post_processor, decoder: decoder(), added })
}

pub(crate) fn id_in(vocabulary: &Map<String, Value>, token: &str) -> Option<u32> {
    u32::try_from(vocabulary.get(token)?.as_u64()?).ok()
}

/// The id after the largest.
pub(crate) fn next_id(vocabulary: &Map<String, Value>) -> u32 {
    let largest = vocabulary.values().filter_map(Value::as_u64).max();
    largest.map_or(0, |id| u32::try_from(id).unwrap_or(u32::MAX).saturating_add(1))
}

/// Puts the added tokens into the vocabulary too, so that each keeps its own id where the ids have
/// gaps.
pub(crate) fn add(vocabulary: &mut Map<String, Value>, added: &[AddedToken]) {
    for token in added {
        vocabulary.insert(token.content.clone(), json!(token.id));
    }
}

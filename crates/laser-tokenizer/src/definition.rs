//! A whole tokenizer as tokenizer.json, the one form that every other kind of file is brought into.

use serde_json::{Map, Value, json};

use crate::error::{Result, malformed};

/// What a tokenizer.json is made of; `Null` where a part is not needed.
#[derive(Debug, Default)]
pub(crate) struct Definition {
    pub normalizer: Value,
    pub pre_tokenizer: Value,
    pub model: Value,
    pub post_processor: Value,
    pub decoder: Value,
    pub added: Vec<AddedToken>,
}

/// A token that is found in a text before anything else is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AddedToken {
    pub id: u32,
    pub content: String,
    pub single_word: bool,
    /// Takes the whitespace on its left with it.
    pub lstrip: bool,
    pub rstrip: bool,
    /// Looked for in the normalised text.
    pub normalized: bool,
    /// Left out of decoded texts.
    pub special: bool,
}

impl AddedToken {
    pub fn new(id: u32, content: &str, special: bool) -> Self {
        let content = content.to_owned();
        Self { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }
    }

    fn to_json(&self) -> Value {
        json!({"id": self.id, "content": self.content, "single_word": self.single_word, "lstrip": self.lstrip,
               "rstrip": self.rstrip, "normalized": self.normalized, "special": self.special})
    }
}

impl Definition {
    pub fn into_json(self) -> Vec<u8> {
        let mut added = self.added;
        added.sort_by_key(|token| token.id);
        let added: Vec<Value> = added.iter().map(AddedToken::to_json).collect();
        json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
               "normalizer": self.normalizer, "pre_tokenizer": self.pre_tokenizer, "post_processor": self.post_processor,
               "decoder": self.decoder, "model": self.model})
        .to_string()
        .into_bytes()
    }
}

/// The post-processor that puts one token before a text and one after it.
pub(crate) fn template(before: Option<(u32, &str)>, after: Option<(u32, &str)>) -> Value {
    if before.is_none() && after.is_none() {
        return Value::Null;
    }
    let special = |(_, token): (u32, &str)| json!({"SpecialToken": {"id": token, "type_id": 0}});
    let around = |name: &str| -> Vec<Value> {
        let text = json!({"Sequence": {"id": name, "type_id": 0}});
        before.map(special).into_iter().chain([text]).chain(after.map(special)).collect()
    };
    let special_tokens: Map<String, Value> = before
        .into_iter()
        .chain(after)
        .map(|(id, token)| (token.to_owned(), json!({"id": token, "ids": [id], "tokens": [token]})))
        .collect();
    let pair = [around("A"), around("B")].concat();
    json!({"type": "TemplateProcessing", "single": around("A"), "pair": pair,
           "special_tokens": special_tokens})
}

pub(crate) fn sequence(kind: &str, steps: Vec<Value>) -> Value {
    json!({"type": "Sequence", kind: steps})
}

pub(crate) fn replace(pattern: &str, content: &str) -> Value {
    json!({"type": "Replace", "pattern": {"String": pattern}, "content": content})
}

pub(crate) fn replace_regex(pattern: &str, content: &str) -> Value {
    json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": content})
}

/// The tokenizer of a tokenizer.json.
pub(crate) fn parse(json: &[u8]) -> Result<tokenizers::Tokenizer> {
    crate::expansion::check(json)?;
    let mut inner =
        tokenizers::Tokenizer::from_bytes(json).map_err(|error| malformed(format!("tokenizer.json: {error}")))?;
    // A file may carry the padding and truncation that its model was trained with; a text is
    // encoded whole here.
    inner.with_padding(None);
    inner.with_truncation(None).map_err(|error| malformed(error.to_string()))?;
    Ok(inner)
}

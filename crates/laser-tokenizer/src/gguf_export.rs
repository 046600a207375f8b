//! A tokenizer as a GGUF file's metadata.

use serde_json::{Value, json};

use crate::{
    error::{Result, TokenizerError, malformed},
    pre_tokenizer,
    sentence_piece_model::PieceKind,
};

/// Rules of pre-tokenizers that have a name in GGUF files, the plainest first.
const PRE_TOKENIZERS: [&str; 11] = [
    "gpt-2",
    "smollm",
    "llama-bpe",
    "qwen2",
    "stablelm2",
    "tekken",
    "gpt-4o",
    "deepseek-v3",
    "deepseek-coder",
    "falcon",
    "olmo",
];

/// What stands for a space in sentencepiece's pieces.
const META_SPACE: &str = "▁";

/// What a GGUF file needs to have this tokenizer.
pub(crate) struct Export<'a> {
    pub inner: &'a tokenizers::Tokenizer,
    /// `bos_token` and the like, by name.
    pub named: &'a [(String, String)],
    pub chat_template: Option<&'a str>,
    /// Rows of the model's embedding: each needs a token.
    pub vocabulary: usize,
}

impl Export<'_> {
    /// The entries, in the order in which files have them. Integers are meant as u32 (in arrays i32), floats
    /// as f32.
    pub(crate) fn entries(&self) -> Result<Vec<(String, Value)>> {
        let text = self.inner.to_string(false).map_err(|error| malformed(error.to_string()))?;
        let definition: Value = serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        let model = &definition["model"];
        let (tokens, kinds) = self.tokens();
        let merges = merges(model);
        let is_bytes = steps(&definition["pre_tokenizer"]).iter().any(|step| step["type"] == "ByteLevel");
        let is_bpe = model["type"] == "BPE" || (model["type"].is_null() && !merges.is_empty());
        let mut entries = Vec::new();
        let mut add = |key: &str, value: Value| entries.push((format!("tokenizer.ggml.{key}"), value));
        if is_bpe && is_bytes {
            add("model", "gpt2".into());
            add("pre", pre_name(&definition)?.into());
            add("tokens", json!(tokens));
            add("token_type", json!(kinds));
            add("merges", merges.iter().map(|(a, b)| format!("{a} {b}")).collect());
        } else if is_bpe && model["byte_fallback"] == true {
            let ranks = ranks(&merges);
            let rank = |(id, token): (usize, &String)| ranks.get(token.as_str()).copied().unwrap_or(merges.len() + id);
            let scores: Vec<f64> = tokens.iter().enumerate().map(|token| -(rank(token) as f64)).collect();
            add("model", "llama".into());
            add("pre", "default".into());
            add("tokens", json!(tokens));
            add("scores", json!(scores));
            add("token_type", json!(kinds));
            add("add_space_prefix", starts_with_space(&definition).into());
        } else {
            let kind = model["type"].as_str().unwrap_or("of this kind");
            return Err(not_written(format!("a tokenizer {kind} cannot be written into a GGUF file")));
        }
        let names = [
            ("bos_token", "bos"),
            ("eos_token", "eos"),
            ("unk_token", "unknown"),
            ("pad_token", "padding"),
            ("mask_token", "mask"),
            // llama.cpp's own spelling.
            ("sep_token", "seperator"),
        ];
        for (name, key) in names {
            if let Some(id) = self.named_id(name) {
                add(&format!("{key}_token_id"), id.into());
            }
        }
        let around = self.inner.encode("a", true).map_err(|error| malformed(error.to_string()))?;
        let is = |id: Option<&u32>, name: &str| id.is_some() && id.copied() == self.named_id(name);
        add("add_bos_token", is(around.get_ids().first(), "bos_token").into());
        add("add_eos_token", is(around.get_ids().last(), "eos_token").into());
        if let Some(template) = self.chat_template {
            entries.push(("tokenizer.chat_template".to_owned(), template.into()));
        }
        Ok(entries)
    }

    fn named_id(&self, name: &str) -> Option<u32> {
        let (_, token) = self.named.iter().find(|(known, _)| known == name)?;
        self.inner.token_to_id(token)
    }

    /// The tokens by id, and their types by GGUF's numbers. An id without a token has one that no text gives.
    fn tokens(&self) -> (Vec<String>, Vec<i32>) {
        let mut tokens: Vec<String> = (0..self.vocabulary).map(|id| format!("[PAD{id}]")).collect();
        let mut kinds = vec![number(PieceKind::Unused); self.vocabulary];
        let added = self.inner.get_added_tokens_decoder();
        let unknown = self.named_id("unk_token");
        for (token, id) in self.inner.get_vocab(true) {
            let Some(place) = tokens.get_mut(id as usize) else { continue };
            let is_byte = token.len() == 6 && token.starts_with("<0x") && token.ends_with('>');
            kinds[id as usize] = number(match added.get(&id) {
                _ if unknown == Some(id) && added.get(&id).is_none_or(|token| token.special) => PieceKind::Unknown,
                Some(token) if token.special => PieceKind::Control,
                Some(_) => PieceKind::UserDefined,
                None if is_byte => PieceKind::Byte,
                None => PieceKind::Normal,
            });
            *place = token;
        }
        (tokens, kinds)
    }
}

fn number(kind: PieceKind) -> i32 {
    (1..).find(|&number| PieceKind::of_number(number) == Some(kind)).map_or(1, |number| number as i32)
}

fn not_written(why: String) -> TokenizerError {
    TokenizerError::Tokenizer { why, advice: "write the model as hf" }
}

/// A BPE's merges, by rank; files have each as a text or as two.
fn merges(model: &Value) -> Vec<(String, String)> {
    let pair = |merge: &Value| match merge {
        Value::String(text) => text.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())),
        Value::Array(pair) => Some((pair.first()?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned())),
        _ => None,
    };
    model["merges"].as_array().into_iter().flatten().filter_map(pair).collect()
}

/// The rank of the first merge into each token.
fn ranks(merges: &[(String, String)]) -> std::collections::HashMap<String, usize> {
    let mut ranks = std::collections::HashMap::new();
    for (rank, (a, b)) in merges.iter().enumerate() {
        ranks.entry(format!("{a}{b}")).or_insert(rank);
    }
    ranks
}

/// The steps of a normalizer or pre-tokenizer, one by one.
fn steps(value: &Value) -> Vec<Value> {
    let inner = ["pretokenizers", "normalizers"].iter().find_map(|key| value.get(*key)?.as_array());
    match inner {
        Some(inner) => inner.iter().flat_map(steps).collect(),
        None if value.is_null() => Vec::new(),
        None => {
            let mut step = value.clone();
            if let Some(step) = step.as_object_mut() {
                // It says nothing about what the tokens are.
                step.remove("trim_offsets");
            }
            vec![step]
        }
    }
}

/// The name of the pre-tokenizer's rules in GGUF files.
fn pre_name(definition: &Value) -> Result<&'static str> {
    let own = [&definition["normalizer"], &definition["pre_tokenizer"]].map(steps);
    let is_nfc = |steps: &[Value]| steps.iter().all(|step| step["type"] == "NFC");
    let fits = |name: &str, exact: bool| {
        let named = pre_tokenizer::named(name).ok();
        named.is_some_and(|named| {
            let same = steps(&named.normalizer) == own[0];
            // llama.cpp normalises no text.
            steps(&named.pre_tokenizer) == own[1] && (same || (!exact && is_nfc(&own[0])))
        })
    };
    let found = [true, false].into_iter().find_map(|exact| PRE_TOKENIZERS.into_iter().find(|name| fits(name, exact)));
    found.ok_or_else(|| not_written("llama.cpp has no name for the rules by which the tokenizer splits words".into()))
}

/// Whether a space goes before every text.
fn starts_with_space(definition: &Value) -> bool {
    let prepends = |step: &Value| step["type"] == "Prepend" && step["prepend"] == META_SPACE;
    let is_metaspace = |step: &Value| step["type"] == "Metaspace" && step["prepend_scheme"] != "never";
    steps(&definition["normalizer"]).iter().any(prepends)
        || steps(&definition["pre_tokenizer"]).iter().any(is_metaspace)
}

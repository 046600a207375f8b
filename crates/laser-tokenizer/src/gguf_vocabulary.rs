//! The tokenizer that a GGUF file carries.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Result, TokenizerError};

/// What is read of a GGUF file's metadata.
pub const GGUF_KEYS: [&str; 16] = [
    "tokenizer.ggml.model",
    "tokenizer.ggml.pre",
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.token_type",
    "tokenizer.ggml.scores",
    "tokenizer.ggml.merges",
    "tokenizer.ggml.bos_token_id",
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.unknown_token_id",
    "tokenizer.ggml.padding_token_id",
    "tokenizer.ggml.seperator_token_id",
    "tokenizer.ggml.mask_token_id",
    "tokenizer.ggml.add_bos_token",
    "tokenizer.ggml.add_eos_token",
    "tokenizer.ggml.add_space_prefix",
    "tokenizer.chat_template",
];

/// A GGUF file's vocabulary, as its metadata under `tokenizer.ggml` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GgufVocabulary {
    /// `tokenizer.ggml.model`: `gpt2` (byte-level BPE), `llama` (sentencepiece's BPE), `bert`
    /// (WordPiece) ...
    pub model: String,
    /// `tokenizer.ggml.pre`: the name of the pre-tokenizer's rules.
    pub pre: Option<String>,
    /// The tokens, by id.
    pub tokens: Vec<String>,
    /// Their types: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty or as
    /// many as `tokens`.
    pub token_types: Vec<i32>,
    /// Their scores. Of two merges, the one into the token with the higher score goes first. Empty
    /// or as many as `tokens`.
    pub scores: Vec<f32>,
    /// BPE merges in order of rank, each two pieces with a space between.
    pub merges: Vec<String>,
    /// Start of text.
    pub bos: Option<u32>,
    /// End of text.
    pub eos: Option<u32>,
    /// What stands for an unknown piece.
    pub unk: Option<u32>,
    /// Padding.
    pub pad: Option<u32>,
    /// What stands between two texts, and in BERT's kind after every one.
    pub sep: Option<u32>,
    /// What stands for a token to be predicted.
    pub mask: Option<u32>,
    /// Whether `bos` goes before every text; `None` leaves it to the model's own default.
    pub add_bos: Option<bool>,
    /// Whether `eos` goes after every text.
    pub add_eos: Option<bool>,
    /// Whether a space goes before every text.
    pub add_space_prefix: Option<bool>,
    /// The chat template, in Jinja.
    pub chat_template: Option<String>,
}

/// A GGUF file's metadata, and the file's path for messages.
struct Metadata<'a> {
    path: &'a Path,
    entries: &'a Map<String, Value>,
}

impl GgufVocabulary {
    /// From the `tokenizer.` entries of a GGUF file's metadata; `None` if they hold no vocabulary.
    pub(crate) fn read(path: &Path, entries: &Map<String, Value>) -> Result<Option<Self>> {
        let metadata = Metadata { path, entries };
        let (Some(model), Some(tokens)) =
            (metadata.text("tokenizer.ggml.model"), metadata.texts("tokenizer.ggml.tokens")?)
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            model,
            pre: metadata.text("tokenizer.ggml.pre"),
            tokens,
            token_types: metadata.integers("tokenizer.ggml.token_type")?.unwrap_or_default(),
            scores: metadata.floats("tokenizer.ggml.scores")?.unwrap_or_default(),
            merges: metadata.texts("tokenizer.ggml.merges")?.unwrap_or_default(),
            bos: metadata.token_id("tokenizer.ggml.bos_token_id"),
            eos: metadata.token_id("tokenizer.ggml.eos_token_id"),
            unk: metadata.token_id("tokenizer.ggml.unknown_token_id"),
            pad: metadata.token_id("tokenizer.ggml.padding_token_id"),
            // llama.cpp's own spelling.
            sep: metadata.token_id("tokenizer.ggml.seperator_token_id"),
            mask: metadata.token_id("tokenizer.ggml.mask_token_id"),
            add_bos: metadata.flag("tokenizer.ggml.add_bos_token"),
            add_eos: metadata.flag("tokenizer.ggml.add_eos_token"),
            add_space_prefix: metadata.flag("tokenizer.ggml.add_space_prefix"),
            chat_template: metadata.text("tokenizer.chat_template"),
        }))
    }
}

impl Metadata<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        // A key that no file is asked for is never there, in tests neither.
        self.entries.get(key).filter(|_| GGUF_KEYS.contains(&key))
    }

    fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.as_str().map(str::to_owned)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    fn token_id(&self, key: &str) -> Option<u32> {
        self.get(key)?.as_u64().and_then(|id| u32::try_from(id).ok())
    }

    fn texts(&self, key: &str) -> Result<Option<Vec<String>>> {
        self.array(key, "strings", |value| value.as_str().map(str::to_owned))
    }

    fn integers(&self, key: &str) -> Result<Option<Vec<i32>>> {
        self.array(key, "integers", |value| {
            let number = value.as_i64()?;
            // A number that fits nothing is not a known type of token.
            Some(i32::try_from(number).unwrap_or(-1))
        })
    }

    fn floats(&self, key: &str) -> Result<Option<Vec<f32>>> {
        self.array(key, "floats", |value| match value {
            // What JSON has no number for: infinities and NaN.
            Value::String(text) => text.parse().ok(),
            value => value.as_f64().map(|number| number as f32),
        })
    }

    /// `None` if the key is absent.
    fn array<T>(&self, key: &str, what: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<Vec<T>>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let items: Option<Vec<T>> = value.as_array().and_then(|items| items.iter().map(read).collect());
        let wrong =
            || TokenizerError::Damaged { path: self.path.to_owned(), why: format!("{key} is not an array of {what}") };
        items.map(Some).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(metadata: Value) -> Result<Option<GgufVocabulary>> {
        GgufVocabulary::read(Path::new("model.gguf"), metadata.as_object().unwrap())
    }

    #[test]
    fn a_vocabulary_is_read() {
        let found = read(json!({
            "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": ["<s>", "a"],
            "tokenizer.ggml.token_type": [3, 4_000_000_000_u32], "tokenizer.ggml.scores": [0.1_f32, "-inf"],
            "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 4_294_967_296_u64,
            "tokenizer.ggml.add_bos_token": false, "tokenizer.chat_template": "{{ x }}",
        }));
        let expected = GgufVocabulary {
            model: "llama".into(),
            tokens: vec!["<s>".into(), "a".into()],
            token_types: vec![3, -1],
            scores: vec![0.1, f32::NEG_INFINITY],
            bos: Some(0),
            add_bos: Some(false),
            chat_template: Some("{{ x }}".into()),
            ..GgufVocabulary::default()
        };
        assert_eq!(found.unwrap(), Some(expected));
        assert_eq!(read(json!({"tokenizer.ggml.model": "llama"})).unwrap(), None);
    }

    #[test]
    fn arrays_of_something_else_are_refused() {
        for (key, value, what) in [
            ("tokens", json!(["a", 1]), "strings"),
            ("tokens", json!("a"), "strings"),
            ("token_type", json!([1.5]), "integers"),
            ("scores", json!(["a"]), "floats"),
            ("merges", json!([null]), "strings"),
        ] {
            let mut metadata = json!({"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a"]});
            metadata[format!("tokenizer.ggml.{key}")] = value;
            let error = read(metadata).unwrap_err().to_string();
            let why = format!("tokenizer.ggml.{key} is not an array of {what}");
            assert_eq!(error, format!("model.gguf is damaged: {why}: fetch the file again"));
        }
    }
}

//! The tokenizer that a GGUF file carries.

use crate::{Result, gguf::Gguf};

/// A GGUF file's vocabulary, as its metadata under `tokenizer.ggml` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GgufVocabulary {
    /// `tokenizer.ggml.model`: `gpt2` (byte-level BPE), `llama` (sentencepiece's BPE), `bert` (WordPiece) ...
    pub model: String,
    /// `tokenizer.ggml.pre`: the name of the pre-tokenizer's rules.
    pub pre: Option<String>,
    /// The tokens, by id.
    pub tokens: Vec<String>,
    /// Their types: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty or as many as `tokens`.
    pub token_types: Vec<i32>,
    /// Their scores; of two merges, the one into the token with the higher score goes first. Empty or as many as `tokens`.
    pub scores: Vec<f32>,
    /// BPE merges in order of rank, each two pieces with a blank between.
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
    /// Whether a blank goes before every text.
    pub add_space_prefix: Option<bool>,
    /// The chat template, in Jinja.
    pub chat_template: Option<String>,
}

impl GgufVocabulary {
    /// `None` where the file has none.
    pub(crate) fn read(gguf: &Gguf) -> Result<Option<Self>> {
        let (Some(model), Some(tokens)) = (gguf.text("tokenizer.ggml.model"), gguf.strings("tokenizer.ggml.tokens")?)
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            model: model.to_owned(),
            pre: gguf.text("tokenizer.ggml.pre").map(str::to_owned),
            tokens,
            token_types: gguf.integers("tokenizer.ggml.token_type")?.unwrap_or_default(),
            scores: gguf.floats("tokenizer.ggml.scores")?.unwrap_or_default(),
            merges: gguf.strings("tokenizer.ggml.merges")?.unwrap_or_default(),
            bos: gguf.token_id("tokenizer.ggml.bos_token_id"),
            eos: gguf.token_id("tokenizer.ggml.eos_token_id"),
            unk: gguf.token_id("tokenizer.ggml.unknown_token_id"),
            pad: gguf.token_id("tokenizer.ggml.padding_token_id"),
            // llama.cpp's own spelling.
            sep: gguf.token_id("tokenizer.ggml.seperator_token_id"),
            mask: gguf.token_id("tokenizer.ggml.mask_token_id"),
            add_bos: gguf.flag("tokenizer.ggml.add_bos_token"),
            add_eos: gguf.flag("tokenizer.ggml.add_eos_token"),
            add_space_prefix: gguf.flag("tokenizer.ggml.add_space_prefix"),
            chat_template: gguf.text("tokenizer.chat_template").map(str::to_owned),
        }))
    }
}

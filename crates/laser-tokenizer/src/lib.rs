//! Text to token ids and back, as a model's own files say, and the model's chat template.
//!
//! Every kind of vocabulary becomes one form, that of tokenizer.json, as transformers converts it.
//! The tokenizers crate runs it. There are no weights and no tensors here.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod beside_json;
mod byte_level;
mod charsmap;
mod chat;
mod definition;
mod error;
mod expansion;
mod gguf_definition;
mod gguf_export;
mod gguf_vocabulary;
mod pair;
mod pre_tokenizer;
mod prompt;
mod sentence_piece;
mod sentence_piece_model;
mod settings;
mod small_files;
#[cfg(test)]
mod tests;
mod tokenizer;
mod tokenizer_class;
mod tokenizer_source;
mod word_piece;

pub use error::{Result, TokenizerError};
pub use gguf_vocabulary::GGUF_KEYS;
pub use pair::Pairs;
pub use prompt::{Message, Prompt, Role};
pub use tokenizer::Tokenizer;

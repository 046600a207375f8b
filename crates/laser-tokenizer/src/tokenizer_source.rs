//! Where a checkpoint's tokenizer is.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{
    CheckpointError, GgufVocabulary, Result,
    checkpoint::Weights,
    files::{read_json, read_json_if_there},
};

/// Where a checkpoint's tokenizer is.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenizerSource {
    /// Files in a Hugging Face folder.
    Folder {
        /// The vocabulary.
        vocabulary: VocabularyFile,
        /// What stands beside it.
        settings: TokenizerSettings,
    },
    /// A GGUF file's own vocabulary.
    Gguf(GgufVocabulary),
    /// None is there.
    Missing,
}

/// The file, or files, that hold a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VocabularyFile {
    /// A tokenizer.json, which is a whole tokenizer.
    Json(PathBuf),
    /// A tokenizer.model of sentencepiece.
    SentencePiece(PathBuf),
    /// Byte-level BPE.
    ByteLevel {
        /// The vocab.json.
        vocab: PathBuf,
        /// The merges.txt.
        merges: PathBuf,
    },
    /// A vocab.txt of BERT's WordPiece.
    WordPiece(PathBuf),
}

/// The settings beside a vocabulary: each the content of a file, `None` where it is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenizerSettings {
    /// tokenizer_config.json.
    pub config: Option<Value>,
    /// special_tokens_map.json.
    pub special_tokens: Option<Value>,
    /// added_tokens.json.
    pub added_tokens: Option<Value>,
    /// chat_template.jinja.
    pub chat_template: Option<String>,
    /// `model_type` of config.json.
    pub model_type: Option<String>,
}

/// The files of a folder that its tokenizer is made from.
pub(crate) const TOKENIZER_FILES: [&str; 9] = [
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
];

/// No chat template is longer.
const LONGEST_TEMPLATE: u64 = 1 << 24;

pub(crate) fn find(path: &Path, weights: &Weights) -> Result<TokenizerSource> {
    match weights {
        Weights::Gguf(gguf) => Ok(GgufVocabulary::read(gguf)?.map_or(TokenizerSource::Missing, TokenizerSource::Gguf)),
        _ => find_in_folder(path),
    }
}

/// A tokenizer.json goes before the older kinds of file.
fn find_in_folder(folder: &Path) -> Result<TokenizerSource> {
    let file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
    let vocabulary = if let Some(path) = file("tokenizer.json") {
        VocabularyFile::Json(path)
    } else if let Some(path) = file("tokenizer.model") {
        VocabularyFile::SentencePiece(path)
    } else if let (Some(vocab), Some(merges)) = (file("vocab.json"), file("merges.txt")) {
        VocabularyFile::ByteLevel { vocab, merges }
    } else if let Some(path) = file("vocab.txt") {
        VocabularyFile::WordPiece(path)
    } else {
        return Ok(TokenizerSource::Missing);
    };
    let json = |name: &str| read_json_if_there(&folder.join(name));
    let config = read_json(&folder.join("config.json"))?;
    let settings = TokenizerSettings {
        config: json("tokenizer_config.json")?,
        special_tokens: json("special_tokens_map.json")?,
        added_tokens: json("added_tokens.json")?,
        chat_template: file("chat_template.jinja").map(|path| read_text(&path)).transpose()?,
        model_type: config.get("model_type").and_then(Value::as_str).map(str::to_owned),
    };
    Ok(TokenizerSource::Folder { vocabulary, settings })
}

fn read_text(path: &Path) -> Result<String> {
    let failed = |cause| CheckpointError::Io { action: "read", path: path.to_owned(), cause };
    if std::fs::metadata(path).map_err(failed)?.len() > LONGEST_TEMPLATE {
        let why = "it is too long for a chat template".to_owned();
        return Err(CheckpointError::NotRead { path: path.to_owned(), why });
    }
    std::fs::read_to_string(path).map_err(failed)
}

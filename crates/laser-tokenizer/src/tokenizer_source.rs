//! Where a model's tokenizer is.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::{
    error::Result,
    gguf_vocabulary::GgufVocabulary,
    small_files::{read_json, read_json_if_there, read_template},
};

/// Where a model's tokenizer is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenizerSource {
    /// Files in a Hugging Face folder.
    Folder {
        /// The vocabulary.
        vocabulary: VocabularyFile,
        /// What is beside it.
        settings: Box<TokenizerSettings>,
    },
    /// A GGUF file's own vocabulary.
    Gguf(Box<GgufVocabulary>),
    /// There is none in a folder.
    Missing,
    /// A GGUF file has none.
    MissingInGguf,
}

/// The file, or files, that hold a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VocabularyFile {
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

/// The settings beside a vocabulary: each the content of a file, `None` if there is no such file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TokenizerSettings {
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
    /// `tokenizer_class` of config.json, which counts where tokenizer_config.json has none.
    pub model_class: Option<String>,
}

impl TokenizerSource {
    /// That of the model at `path`, by a GGUF file's own metadata, or by the files of a folder.
    pub(crate) fn find(path: &Path, metadata: Option<&Map<String, Value>>) -> Result<Self> {
        let Some(metadata) = metadata else { return Self::in_folder(path) };
        let vocabulary = GgufVocabulary::read(path, metadata)?;
        Ok(vocabulary.map_or(Self::MissingInGguf, |vocabulary| Self::Gguf(Box::new(vocabulary))))
    }

    /// A tokenizer.json goes before the older kinds of file.
    fn in_folder(folder: &Path) -> Result<Self> {
        // Anything there but a file is refused where it is read.
        let file = |name: &str| Some(folder.join(name)).filter(|path| path.try_exists().unwrap_or(true));
        let vocabulary = if let Some(path) = file("tokenizer.json") {
            VocabularyFile::Json(path)
        } else if let Some(path) = file("tokenizer.model") {
            VocabularyFile::SentencePiece(path)
        } else if let (Some(vocab), Some(merges)) = (file("vocab.json"), file("merges.txt")) {
            VocabularyFile::ByteLevel { vocab, merges }
        } else if let Some(path) = file("vocab.txt") {
            VocabularyFile::WordPiece(path)
        } else {
            return Ok(Self::Missing);
        };
        let json = |name: &str| read_json_if_there(&folder.join(name));
        let config = read_json(&folder.join("config.json"))?;
        let settings = Box::new(TokenizerSettings {
            config: json("tokenizer_config.json")?,
            special_tokens: json("special_tokens_map.json")?,
            added_tokens: json("added_tokens.json")?,
            chat_template: file("chat_template.jinja").map(|path| read_template(&path)).transpose()?,
            model_type: config.get("model_type").and_then(Value::as_str).map(str::to_owned),
            model_class: config.get("tokenizer_class").and_then(Value::as_str).map(str::to_owned),
        });
        Ok(Self::Folder { vocabulary, settings })
    }
}

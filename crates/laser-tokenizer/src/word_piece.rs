//! BERT's WordPiece, and its older file vocab.txt.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{
    byte_level::{add, id_in, next_id},
    definition::Definition,
    error::{Result, malformed},
    settings::Settings,
    small_files::read,
};

/// How a text is cleaned before it is split into words.
pub(crate) struct Cleaning {
    pub lowercase: bool,
    pub chinese_characters: bool,
    /// `None`: where the text is lower-cased.
    pub strip_accents: Option<bool>,
}

/// The definition without added tokens and post-processor. `##` marks a piece within a word.
pub(crate) fn definition(vocabulary: Map<String, Value>, unknown: &str, cleaning: &Cleaning) -> Definition {
    Definition {
        normalizer: json!({"type": "BertNormalizer", "clean_text": true, "lowercase": cleaning.lowercase,
                           "handle_chinese_chars": cleaning.chinese_characters, "strip_accents": cleaning.strip_accents}),
        pre_tokenizer: json!({"type": "BertPreTokenizer"}),
        model: json!({"type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": vocabulary}),
        decoder: json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
        ..Definition::default()
    }
}

/// The tokenizer of a vocab.txt: one token a line, the first with id 0.
pub(crate) fn open(path: &Path, settings: &Settings<'_>) -> Result<Definition> {
    let text =
        String::from_utf8(read(path)?).map_err(|_| malformed(format!("{}: it is no UTF-8 text", path.display())))?;
    let mut vocabulary: Map<String, Value> =
        text.lines().enumerate().map(|(id, token)| (token.to_owned(), json!(id))).collect();
    let unknown = settings.token("unk_token").unwrap_or("[UNK]");
    if id_in(&vocabulary, unknown).is_none() {
        return Err(malformed(format!("{}: the unknown token {unknown:?} is not in it", path.display())));
    }
    let added = settings.added_tokens(|token| id_in(&vocabulary, token), next_id(&vocabulary));
    add(&mut vocabulary, &added);
    let post_processor = settings.post_processor(|token| id_in(&vocabulary, token));
    let cleaning = Cleaning {
        lowercase: settings.flag("do_lower_case").unwrap_or(true),
        chinese_characters: settings.flag("tokenize_chinese_chars").unwrap_or(true),
        strip_accents: settings.flag("strip_accents"),
    };
    Ok(Definition { added, post_processor, ..definition(vocabulary, unknown, &cleaning) })
}

//! The tokenizer that a GGUF file carries, as tokenizer.json.

use serde_json::{Map, Value, json};

use crate::{
    byte_level,
    definition::{AddedToken, Definition, template},
    error::{Result, TokenizerError, malformed},
    gguf_vocabulary::GgufVocabulary,
    pre_tokenizer::{self, PreTokenizer},
    sentence_piece::{self, MergeOrder},
    sentence_piece_model::{Piece, PieceKind},
    word_piece::{self, Cleaning},
};

/// The rules of a file that names none.
const DEFAULT: &str = "default";

pub(crate) fn open(vocabulary: &GgufVocabulary) -> Result<Definition> {
    let types = vocabulary.token_types.len();
    if types != 0 && types != vocabulary.tokens.len() {
        return Err(malformed(format!("the GGUF file has {} tokens and {types} token types", vocabulary.tokens.len())));
    }
    if vocabulary.tokens.is_empty() {
        return Err(malformed("the GGUF file's vocabulary is empty".into()));
    }
    let bos = vocabulary.bos.filter(|_| adds_bos(vocabulary));
    let (definition, eos) = match vocabulary.model.as_str() {
        "gpt2" => (byte_level(vocabulary)?, vocabulary.eos.filter(|_| vocabulary.add_eos == Some(true))),
        "llama" => (sentence_piece(vocabulary)?, vocabulary.eos.filter(|_| vocabulary.add_eos == Some(true))),
        "bert" => (word_piece(vocabulary)?, vocabulary.sep.or(vocabulary.eos)),
        other => {
            return Err(TokenizerError::Tokenizer {
                why: format!("the GGUF file's tokenizer model `{other}` is not read (gpt2, llama and bert are)"),
                advice: "use the model's Hugging Face folder",
            });
        }
    };
    let token = |id: u32| Some((id, token(vocabulary, id)?));
    let post_processor = template(bos.and_then(token), eos.and_then(token));
    Ok(Definition { added: added(vocabulary), post_processor, ..definition })
}

/// Whether a text starts with the BOS token. Where the file does not say, llama.cpp's rule: the
/// vocabulary's kind decides.
fn adds_bos(vocabulary: &GgufVocabulary) -> bool {
    let by_kind = match vocabulary.model.as_str() {
        "gpt2" => pre_tokenizer::takes_whole_words(vocabulary.pre.as_deref().unwrap_or(DEFAULT)),
        _ => true,
    };
    vocabulary.add_bos.unwrap_or(by_kind)
}

fn token(vocabulary: &GgufVocabulary, id: u32) -> Option<&str> {
    vocabulary.tokens.get(usize::try_from(id).ok()?).map(String::as_str)
}

fn kind(vocabulary: &GgufVocabulary, id: usize) -> PieceKind {
    let number = vocabulary.token_types.get(id).copied().map(i64::from);
    number.and_then(PieceKind::of_number).unwrap_or(PieceKind::Normal)
}

fn added(vocabulary: &GgufVocabulary) -> Vec<AddedToken> {
    (0..)
        .zip(&vocabulary.tokens)
        .enumerate()
        .filter_map(|(place, (id, content))| match kind(vocabulary, place) {
            PieceKind::Control => Some(AddedToken::new(id, content, true)),
            PieceKind::UserDefined => Some(AddedToken::new(id, content, false)),
            _ => None,
        })
        .filter(|token| !token.content.is_empty())
        .collect()
}

fn ids<'a>(tokens: impl Iterator<Item = &'a str>) -> Map<String, Value> {
    tokens.enumerate().map(|(id, token)| (token.to_owned(), json!(id))).collect()
}

fn byte_level(vocabulary: &GgufVocabulary) -> Result<Definition> {
    let pre = vocabulary.pre.as_deref().unwrap_or(DEFAULT);
    let PreTokenizer { normalizer, pre_tokenizer } = pre_tokenizer::named(pre)?;
    let merges = vocabulary.merges.iter().map(|text| byte_level::merge(text)).collect::<Result<Vec<_>>>()?;
    let vocab = ids(vocabulary.tokens.iter().map(String::as_str));
    let model = byte_level::model(vocab, merges, pre_tokenizer::takes_whole_words(pre));
    Ok(Definition { normalizer, pre_tokenizer, model, decoder: byte_level::decoder(), ..Definition::default() })
}

fn sentence_piece(vocabulary: &GgufVocabulary) -> Result<Definition> {
    let scores = &vocabulary.scores;
    if !scores.is_empty() && scores.len() != vocabulary.tokens.len() {
        let (tokens, scores) = (vocabulary.tokens.len(), scores.len());
        return Err(malformed(format!("the GGUF file has {tokens} tokens and {scores} scores")));
    }
    let pieces: Vec<Piece> = vocabulary
        .tokens
        .iter()
        .enumerate()
        .map(|(id, text)| Piece {
            text: text.clone(),
            score: scores.get(id).copied().unwrap_or(0.0),
            kind: kind(vocabulary, id),
        })
        .collect();
    let model = sentence_piece::bpe(&pieces, MergeOrder::Score, true);
    Ok(Definition { model, ..sentence_piece::plain(vocabulary.add_space_prefix.unwrap_or(true)) })
}

/// llama.cpp's files mark the start of a word by ▁, where BERT's mark the rest of one by ##.
fn word_piece(vocabulary: &GgufVocabulary) -> Result<Definition> {
    let tokens: Vec<String> = vocabulary
        .tokens
        .iter()
        .enumerate()
        .map(|(id, text)| match (kind(vocabulary, id), text.strip_prefix('▁')) {
            (PieceKind::Normal, Some(start)) => start.to_owned(),
            (PieceKind::Normal, None) if !is_bracketed(text) => format!("##{text}"),
            _ => text.clone(),
        })
        .collect();
    let unknown = vocabulary.unk.and_then(|id| token(vocabulary, id)).unwrap_or("[UNK]");
    let vocab = ids(tokens.iter().map(String::as_str));
    if !vocab.contains_key(unknown) {
        return Err(malformed(format!("the GGUF file's unknown token {unknown:?} is not in its vocabulary")));
    }
    let cleaning = Cleaning { lowercase: true, chinese_characters: true, strip_accents: None };
    Ok(word_piece::definition(vocab, unknown, &cleaning))
}

/// Special and reserved tokens, [PAD] and [unused0], are written as they are.
fn is_bracketed(token: &str) -> bool {
    token.starts_with('[') && token.ends_with(']') && token.len() > 2
}

/// The special tokens that have a name.
pub(crate) fn named_tokens(vocabulary: &GgufVocabulary) -> Vec<(String, String)> {
    let mut named = vec![
        ("bos_token", vocabulary.bos),
        ("eos_token", vocabulary.eos),
        ("unk_token", vocabulary.unk),
        ("pad_token", vocabulary.pad),
        ("mask_token", vocabulary.mask),
        ("sep_token", vocabulary.sep),
    ];
    if vocabulary.model == "bert" {
        named.push(("cls_token", vocabulary.bos));
    }
    let named = named.into_iter().filter_map(|(name, id)| Some((name.to_owned(), token(vocabulary, id?)?.to_owned())));
    named.collect()
}

/// `tokenizer_config.json` for transformers.
pub(crate) fn settings(vocabulary: &GgufVocabulary) -> Value {
    let mut settings = json!({"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false});
    if vocabulary.model != "bert" {
        settings["add_bos_token"] = json!(adds_bos(vocabulary));
        settings["add_eos_token"] = json!(vocabulary.add_eos == Some(true));
    }
    for (name, token) in named_tokens(vocabulary) {
        settings[name] = json!(token);
    }
    if let Some(template) = &vocabulary.chat_template {
        settings["chat_template"] = json!(template);
    }
    settings
}

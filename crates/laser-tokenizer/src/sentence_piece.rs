//! Sentencepiece vocabularies as tokenizer.json: BPE, whose merges follow from the vocabulary, and
//! unigram.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use serde_json::{Map, Value, json};

use crate::{
    charsmap,
    definition::{AddedToken, Definition, replace, replace_regex, sequence},
    error::{Result, TokenizerError, malformed},
    sentence_piece_model::{Piece, PieceKind, SentencePieceModel},
    settings::Settings,
    small_files::read,
    tokenizer_class::Class,
};

/// What stands for a space in sentencepiece's pieces.
const META_SPACE: &str = "▁";

/// Which of two merges goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MergeOrder {
    /// The one into the token with the smaller id, as transformers converts a tokenizer.model.
    Id,
    /// The one into the token with the higher score, as llama.cpp merges.
    Score,
}

/// The tokenizer of a tokenizer.model.
pub(crate) fn open(path: &Path, settings: &Settings<'_>) -> Result<Definition> {
    let wrong = |why: String| malformed(format!("{}: {why}", path.display()));
    let model = SentencePieceModel::parse(&read(path)?).map_err(wrong)?;
    let ids: HashMap<&str, u32> = (0..).zip(&model.pieces).map(|(id, piece)| (piece.text.as_str(), id)).collect();
    let next_id = u32::try_from(model.pieces.len()).map_err(|_| wrong("it has too many pieces".into()))?;
    let mut added = settings.added_tokens(|token| ids.get(token).copied(), next_id);
    for (id, piece) in (0..).zip(&model.pieces) {
        if matches!(piece.kind, PieceKind::Control | PieceKind::UserDefined) && added.iter().all(|known| known.id != id)
        {
            added.push(AddedToken::new(id, &piece.text, piece.kind == PieceKind::Control));
        }
    }
    let in_added = |content: &str| added.iter().find(|token| token.content == content).map(|token| token.id);
    let post_processor = settings.post_processor(|token| in_added(token).or_else(|| ids.get(token).copied()));

    let definition = match model.model_type {
        1 => Definition { model: unigram(&model).map_err(wrong)?, ..spaced(&model).map_err(wrong)? },
        2 => {
            let around = match settings.class {
                Class::Gemma => unspaced(),
                Class::Llama => {
                    let prefix = settings.flag("add_prefix_space").unwrap_or(true);
                    llama_class(prefix, settings.flag("legacy").unwrap_or(false))
                }
                _ => spaced(&model).map_err(wrong)?,
            };
            let bpe = bpe(&model.pieces, MergeOrder::Id, model.byte_fallback);
            Definition { model: bpe, ..around }
        }
        _ => {
            return Err(TokenizerError::Tokenizer {
                why: format!("{}: it is neither unigram nor BPE", path.display()),
                advice: "put the model's tokenizer.json beside it",
            });
        }
    };
    Ok(Definition { added, post_processor, ..definition })
}

/// What is around the model of transformers' Llama class: one space before a text that has none. If
/// `legacy`, one is also put after special tokens within the text.
pub(crate) fn llama_class(prefix: bool, legacy: bool) -> Definition {
    let scheme = match (prefix, legacy) {
        (false, _) => "never",
        (true, true) => "always",
        (true, false) => "first",
    };
    Definition {
        pre_tokenizer: json!({"type": "Metaspace", "replacement": META_SPACE, "prepend_scheme": scheme, "split": false}),
        decoder: decoder(prefix),
        ..Definition::default()
    }
}

/// What is around the model of transformers' Gemma class.
pub(crate) fn gemma_class() -> Definition {
    let pre_tokenizer =
        json!({"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false});
    Definition { pre_tokenizer, ..unspaced() }
}

/// Gemma's: spaces are pieces, none is added.
fn unspaced() -> Definition {
    Definition { normalizer: replace(" ", META_SPACE), decoder: decoder(false), ..Definition::default() }
}

/// What the model file itself says goes before its model.
fn spaced(model: &SentencePieceModel) -> Result<Definition, String> {
    if model.whitespace_as_suffix {
        return Err("its spaces stand after words, which is not supported".into());
    }
    let mut steps = Vec::new();
    if !model.charsmap.is_empty() {
        let rules = charsmap::checked_base64(&model.charsmap)?;
        steps.push(json!({"type": "Precompiled", "precompiled_charsmap": rules}));
    }
    if model.remove_extra_whitespaces {
        steps.extend([replace_regex("^ +| +$", ""), replace_regex(" {2,}", " ")]);
    }
    steps.extend(prefixed(model.add_dummy_prefix));
    let decoder = decoder(model.add_dummy_prefix);
    Ok(Definition { normalizer: sequence("normalizers", steps), decoder, ..Definition::default() })
}

/// Sentencepiece's own handling of spaces; `prefix`: one more before every text.
pub(crate) fn plain(prefix: bool) -> Definition {
    let normalizer = sequence("normalizers", prefixed(prefix));
    Definition { normalizer, decoder: decoder(prefix), ..Definition::default() }
}

fn prefixed(prefix: bool) -> Vec<Value> {
    let prepend = prefix.then(|| json!({"type": "Prepend", "prepend": META_SPACE}));
    prepend.into_iter().chain([replace(" ", META_SPACE)]).collect()
}

fn decoder(prefix: bool) -> Value {
    let strip = prefix.then(|| json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    let steps = [replace(META_SPACE, " "), json!({"type": "ByteFallback"}), json!({"type": "Fuse"})];
    sequence("decoders", steps.into_iter().chain(strip).collect())
}

fn unigram(model: &SentencePieceModel) -> Result<Value, String> {
    let unknown = usize::try_from(model.unk_id).ok().and_then(|id| model.pieces.get(id));
    if unknown.is_none_or(|piece| piece.kind != PieceKind::Unknown) {
        return Err(format!("its unknown piece is not number {}", model.unk_id));
    }
    let vocab: Vec<Value> = model.pieces.iter().map(|piece| json!([piece.text, f64::from(piece.score)])).collect();
    Ok(json!({"type": "Unigram", "unk_id": model.unk_id, "byte_fallback": model.byte_fallback, "vocab": vocab}))
}

/// The BPE model of a vocabulary: every way to put a token together from two others is a merge.
pub(crate) fn bpe(pieces: &[Piece], order: MergeOrder, byte_fallback: bool) -> Value {
    let vocab: Map<String, Value> =
        pieces.iter().enumerate().map(|(id, piece)| (piece.text.clone(), json!(id))).collect();
    let unknown = pieces.iter().find(|piece| piece.kind == PieceKind::Unknown).map(|piece| &piece.text);
    let merges: Vec<Value> = merges(pieces, order).into_iter().map(|(left, right)| json!([left, right])).collect();
    json!({"type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
           "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": byte_fallback, "ignore_merges": false,
           "vocab": vocab, "merges": merges})
}

fn merges(pieces: &[Piece], order: MergeOrder) -> Vec<(&str, &str)> {
    let mergeable: Vec<&Piece> =
        pieces.iter().filter(|piece| !matches!(piece.kind, PieceKind::Control | PieceKind::Byte)).collect();
    let known: HashSet<&str> = mergeable.iter().map(|piece| piece.text.as_str()).collect();
    let mut found = Vec::new();
    for piece in mergeable {
        for (at, _) in piece.text.char_indices().skip(1) {
            let (left, right) = piece.text.split_at(at);
            if known.contains(left) && known.contains(right) {
                found.push((piece.score, left, right));
            }
        }
    }
    if order == MergeOrder::Score {
        // Stable: where scores are equal, ids decide.
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
    }
    found.into_iter().map(|(_, left, right)| (left, right)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_follow_the_order_that_is_asked_for() {
        let piece = |text: &str, score: f32| Piece { text: text.into(), score, kind: PieceKind::Normal };
        let pieces = [piece("a", -5.0), piece("b", -6.0), piece("ab", -2.0), piece("aba", -1.0), piece("ba", -3.0)];
        assert_eq!(merges(&pieces, MergeOrder::Id), [("a", "b"), ("a", "ba"), ("ab", "a"), ("b", "a")]);
        assert_eq!(merges(&pieces, MergeOrder::Score), [("a", "ba"), ("ab", "a"), ("a", "b"), ("b", "a")]);
    }
}

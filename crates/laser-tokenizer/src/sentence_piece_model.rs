//! A sentencepiece model file: the fields of its protocol buffer that a tokenizer is made from.
//!
//! Field numbers and defaults as in sentencepiece_model.proto of the sentencepiece project.

use prost::Message;

/// A sentencepiece model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SentencePieceModel {
    pub pieces: Vec<Piece>,
    /// 1 unigram, 2 BPE, 3 word, 4 character.
    pub model_type: i32,
    pub byte_fallback: bool,
    pub unk_id: i32,
    /// Rules that rewrite a text, compiled into a trie; empty where there are none.
    pub charsmap: Vec<u8>,
    pub add_dummy_prefix: bool,
    pub remove_extra_whitespaces: bool,
    pub whitespace_as_suffix: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    pub text: String,
    pub score: f32,
    pub kind: PieceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

impl PieceKind {
    /// The numbers of sentencepiece, which GGUF's are too.
    pub fn of_number(number: i64) -> Option<Self> {
        let kinds = [Self::Normal, Self::Unknown, Self::Control, Self::UserDefined, Self::Unused, Self::Byte];
        kinds.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }
}

/// What sentencepiece writes.
#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<PieceProto>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    normalizer: Option<NormalizerSpec>,
}

#[derive(Clone, PartialEq, Message)]
struct PieceProto {
    #[prost(string, optional, tag = "1")]
    piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct TrainerSpec {
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
    #[prost(bool, optional, tag = "24")]
    treat_whitespace_as_suffix: Option<bool>,
    #[prost(bool, optional, tag = "35")]
    byte_fallback: Option<bool>,
    #[prost(int32, optional, tag = "40")]
    unk_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct NormalizerSpec {
    #[prost(bytes = "vec", optional, tag = "2")]
    precompiled_charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3")]
    add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    remove_extra_whitespaces: Option<bool>,
}

impl SentencePieceModel {
    /// # Errors
    /// What is wrong with the bytes, in one line.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let ModelProto { pieces, trainer, normalizer } = ModelProto::decode(bytes)
            .map_err(|error| format!("it is not a sentencepiece model, or is cut short ({error})"))?;
        if pieces.is_empty() {
            return Err("it has no pieces".into());
        }
        let (trainer, normalizer) = (trainer.unwrap_or_default(), normalizer.unwrap_or_default());
        Ok(Self {
            pieces: pieces.into_iter().map(Piece::checked).collect::<Result<_, _>>()?,
            model_type: trainer.model_type.unwrap_or(1),
            byte_fallback: trainer.byte_fallback.unwrap_or(false),
            unk_id: trainer.unk_id.unwrap_or(0),
            charsmap: normalizer.precompiled_charsmap.unwrap_or_default(),
            add_dummy_prefix: normalizer.add_dummy_prefix.unwrap_or(true),
            remove_extra_whitespaces: normalizer.remove_extra_whitespaces.unwrap_or(true),
            whitespace_as_suffix: trainer.treat_whitespace_as_suffix.unwrap_or(false),
        })
    }
}

impl Piece {
    fn checked(piece: PieceProto) -> Result<Self, String> {
        let text = piece.piece.unwrap_or_default();
        if text.is_empty() {
            return Err("a piece is empty".into());
        }
        let score = piece.score.unwrap_or(0.0);
        if !score.is_finite() {
            return Err(format!("the score of the piece {text:?} is {score}"));
        }
        let number = piece.kind.unwrap_or(1);
        let kind =
            PieceKind::of_number(number.into()).ok_or_else(|| format!("a piece has the unknown type {number}"))?;
        Ok(Self { text, score, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_read() {
        let piece =
            |text: &str, kind: u8| [&[10, text.len() as u8], text.as_bytes(), &[21, 0, 0, 128, 191, 24, kind]].concat();
        let mut bytes = Vec::new();
        for piece in [piece("<unk>", 2), piece("▁a", 1)] {
            bytes.extend([10, piece.len() as u8]);
            bytes.extend(piece);
        }
        bytes.extend([18, 5, 24, 2, 0x98, 2, 1]);
        bytes.extend([26, 2, 24, 0]);
        let model = SentencePieceModel::parse(&bytes).unwrap();
        assert_eq!((model.model_type, model.byte_fallback, model.add_dummy_prefix), (2, true, false));
        assert_eq!(model.pieces[1], Piece { text: "▁a".into(), score: -1.0, kind: PieceKind::Normal });
        for end in 1..bytes.len() {
            let _ = SentencePieceModel::parse(&bytes[..end]);
        }
        assert!(SentencePieceModel::parse(b"").is_err());
        assert!(SentencePieceModel::parse(b"IQ== 0\nIg== 1\n").is_err());
    }

    #[test]
    fn hostile_files_are_refused_in_one_line() {
        let cases: [(&[u8], &str); 9] = [
            // A length beyond the end, the largest length, and a number that does not end.
            (&[10, 100, 1], "cut short"),
            (&[10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], "cut short"),
            (&[255; 12], "cut short"),
            // Groups that never end, deep in each other.
            (&[0x2b; 4000], "cut short"),
            // Of a piece: invalid UTF-8, text of the wrong wire type, no text, a score that is
            // none, an unknown type.
            (&[10, 4, 10, 2, 0xc3, 0x28], "cut short"),
            (&[10, 2, 8, 1], "cut short"),
            (&[10, 2, 24, 1], "a piece is empty"),
            (&[10, 8, 10, 1, b'a', 21, 0, 0, 192, 127], "is NaN"),
            (&[10, 5, 10, 1, b'a', 24, 9], "unknown type 9"),
        ];
        for (bytes, expected) in cases {
            let error = SentencePieceModel::parse(bytes).unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn an_unknown_piece_that_is_negative_is_kept_as_it_is() {
        let minus_one = [18, 12, 0xc0, 2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        let bytes = [&[10, 3, 10, 1, b'a'][..], &minus_one].concat();
        assert_eq!(SentencePieceModel::parse(&bytes).unwrap().unk_id, -1);
    }

    proptest! {
        #![proptest_config(laser_testing::cases())]

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = SentencePieceModel::parse(&bytes);
        }
    }
}

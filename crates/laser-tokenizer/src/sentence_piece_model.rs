//! A sentencepiece model file: the fields of its protocol buffer that a tokenizer is made from.
//!
//! Field numbers as in sentencepiece_model.proto of the sentencepiece project.

/// A sentencepiece model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SentencePieceModel {
    pub pieces: Vec<Piece>,
    /// 1 unigram, 2 BPE, 3 word, 4 character.
    pub model_type: u64,
    pub byte_fallback: bool,
    pub unk_id: u64,
    /// Rules that rewrite a text, compiled into a trie; empty where there are none.
    pub charsmap: Vec<u8>,
    pub add_dummy_prefix: bool,
    pub remove_extra_whitespaces: bool,
    pub whitespace_as_suffix: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub text: String,
    pub score: f32,
    pub kind: PieceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

impl PieceKind {
    /// The numbers of sentencepiece, which GGUF's are too.
    pub fn of_number(number: u64) -> Option<Self> {
        let kinds = [Self::Normal, Self::Unknown, Self::Control, Self::UserDefined, Self::Unused, Self::Byte];
        kinds.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }
}

impl SentencePieceModel {
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut model = Self {
            pieces: Vec::new(),
            model_type: 1,
            byte_fallback: false,
            unk_id: 0,
            charsmap: Vec::new(),
            add_dummy_prefix: true,
            remove_extra_whitespaces: true,
            whitespace_as_suffix: false,
        };
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(bytes)) => model.pieces.push(Piece::parse(bytes)?),
                (2, Value::Bytes(bytes)) => model.read_trainer(bytes)?,
                (3, Value::Bytes(bytes)) => model.read_normalizer(bytes)?,
                _ => {}
            }
        }
        if model.pieces.is_empty() {
            return Err("it has no pieces".into());
        }
        Ok(model)
    }

    fn read_trainer(&mut self, bytes: &[u8]) -> Result<(), String> {
        for field in Fields(bytes) {
            match field? {
                (3, Value::Number(number)) => self.model_type = number,
                (24, Value::Number(number)) => self.whitespace_as_suffix = number != 0,
                (35, Value::Number(number)) => self.byte_fallback = number != 0,
                (40, Value::Number(number)) => self.unk_id = number,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_normalizer(&mut self, bytes: &[u8]) -> Result<(), String> {
        for field in Fields(bytes) {
            match field? {
                (2, Value::Bytes(bytes)) => self.charsmap = bytes.to_vec(),
                (3, Value::Number(number)) => self.add_dummy_prefix = number != 0,
                (4, Value::Number(number)) => self.remove_extra_whitespaces = number != 0,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Piece {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut piece = Self { text: String::new(), score: 0.0, kind: PieceKind::Normal };
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(text)) => {
                    let text = std::str::from_utf8(text).map_err(|_| "a piece is no UTF-8 text")?;
                    text.clone_into(&mut piece.text);
                }
                (2, Value::Four(bytes)) => piece.score = f32::from_le_bytes(bytes),
                (3, Value::Number(number)) => {
                    piece.kind =
                        PieceKind::of_number(number).ok_or_else(|| format!("a piece has the unknown type {number}"))?;
                }
                _ => {}
            }
        }
        if piece.text.is_empty() {
            return Err("a piece is empty".into());
        }
        if !piece.score.is_finite() {
            return Err(format!("the score of the piece {:?} is {}", piece.text, piece.score));
        }
        Ok(piece)
    }
}

/// The fields of a message, in order.
struct Fields<'a>(&'a [u8]);

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Four([u8; 4]),
    Eight,
}

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let key = self.number()?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => self.take(8).map(|_| Value::Eight)?,
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Four(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field().ok_or_else(|| "it is no sentencepiece model, or is cut short".to_owned());
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
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

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = SentencePieceModel::parse(&bytes);
        }
    }
}

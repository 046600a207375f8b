//! What matches are replaced by, as Python's `re.sub` reads it.

use fancy_regex::Captures;

use crate::error::RegexError;

/// A text with references to groups: `\1`, `\g<1>`, `\g<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
    Named(String),
}

impl Replacement {
    /// A text as it is.
    pub fn text(text: &str) -> Self {
        Self { pieces: vec![Piece::Text(text.to_owned())] }
    }

    /// The replacement of Python's string `written`.
    ///
    /// # Errors
    /// An escape is not one of Python's, or a group's name has no end.
    pub fn new(written: &str) -> Result<Self, RegexError> {
        let mut pieces = Vec::new();
        let mut rest = written;
        while let Some(place) = rest.find('\\') {
            pieces.push(Piece::Text(rest[..place].to_owned()));
            rest = &rest[place + 1..];
            let letter = rest.chars().next().ok_or_else(|| wrong("bad escape (end of pattern)"))?;
            let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
            let length = match letter {
                'g' => {
                    let inner = rest.strip_prefix("g<").and_then(|rest| rest.split_once('>'));
                    let (name, after) = inner.ok_or_else(|| wrong("missing <, or > after a group's name"))?;
                    pieces.push(name.parse().map_or_else(|_| Piece::Named(name.to_owned()), Piece::Group));
                    rest.len() - after.len()
                }
                '0' => {
                    let octal = rest.bytes().take(3).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
                    let code = u32::from_str_radix(&rest[..octal], 8).ok().and_then(char::from_u32);
                    pieces.extend(code.map(|letter| Piece::Text(letter.to_string())));
                    octal
                }
                '1'..='9' => {
                    pieces.push(Piece::Group(rest[..digits].parse().unwrap_or(0)));
                    digits
                }
                letter => {
                    let plain = match letter {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'a' => '\u{7}',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'v' => '\u{b}',
                        '\\' => '\\',
                        letter if letter.is_ascii_alphabetic() => {
                            return Err(wrong(format!("bad escape \\{letter} in a replacement")));
                        }
                        letter => {
                            pieces.push(Piece::Text("\\".to_owned()));
                            letter
                        }
                    };
                    pieces.push(Piece::Text(plain.to_string()));
                    letter.len_utf8()
                }
            };
            rest = &rest[length..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self { pieces })
    }

    /// Adds what one match is replaced by.
    pub(crate) fn expand(&self, found: &Captures, to: &mut String) -> Result<(), RegexError> {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => to.push_str(text),
                Piece::Group(number) if *number >= found.len() => {
                    return Err(wrong(format!("invalid group reference {number}")));
                }
                Piece::Group(number) => to.push_str(found.get(*number).map_or("", |group| group.as_str())),
                Piece::Named(name) => to.push_str(found.name(name).map_or("", |group| group.as_str())),
            }
        }
        Ok(())
    }
}

fn wrong(why: impl Into<String>) -> RegexError {
    RegexError::Replacement(why.into())
}

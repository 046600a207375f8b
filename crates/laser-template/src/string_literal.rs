//! The escapes of text in quotes.

use crate::error::{Error, ErrorKind, Result};

/// The text between quotes of a template, as Python's `unicode-escape` reads it.
pub(crate) fn unescaped(text: &str) -> Result<String> {
    read(text, true)
}

/// The text between quotes of Python's own.
pub(crate) fn python(text: &str) -> Result<String> {
    read(text, false)
}

fn read(text: &str, writes_out: bool) -> Result<String> {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        made.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        let Some(letter) = rest.chars().next() else { return Err(syntax("\\ at end of string")) };
        rest = &rest[letter.len_utf8()..];
        match simple(letter) {
            Some(plain) => made.extend(plain),
            None => {
                let (length, base) = match letter {
                    'x' => (2, 16),
                    'u' => (4, 16),
                    'U' => (8, 16),
                    '0'..='7' => {
                        let more = rest.bytes().take(2).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
                        rest = &text[text.len() - rest.len() - 1..];
                        (1 + more, 8)
                    }
                    'N' => return Err(Error::unsupported("letters by name (\\N{...}) are not offered in templates")),
                    // Jinja writes such a letter out before Python sees it.
                    letter if writes_out && !letter.is_ascii() => {
                        made.push_str(&crate::repr::escaped(letter));
                        continue;
                    }
                    letter => {
                        made.extend(['\\', letter]);
                        continue;
                    }
                };
                let digits = rest.get(..length).filter(|digits| digits.chars().all(|digit| digit.is_digit(base)));
                let code = digits.and_then(|digits| u32::from_str_radix(digits, base).ok());
                let code = code.ok_or_else(|| syntax(format!("truncated \\{letter} escape")))?;
                rest = &rest[length..];
                made.push(char::from_u32(code).ok_or_else(|| syntax("an escape that is not a character"))?);
            }
        }
    }
    made.push_str(rest);
    Ok(made)
}

fn syntax(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Syntax, message)
}

/// An escape of one letter; a line end behind a backslash is nothing.
fn simple(letter: char) -> Option<Option<char>> {
    Some(match letter {
        '\n' => None,
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'v' => Some('\u{b}'),
        '\\' | '\'' | '"' => Some(letter),
        _ => return None,
    })
}

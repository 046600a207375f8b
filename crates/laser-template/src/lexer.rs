//! A template's text cut into tokens, with Jinja's rules for whitespace around tags.

use crate::{
    characters,
    error::{Error, ErrorKind, Result},
    float_text, limits,
    string_literal::unescaped,
    token::Token,
};

/// What a template's surroundings say about whitespace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whitespace {
    /// The line end behind a block goes.
    pub trim_blocks: bool,
    /// The blanks before a block that begins a line go.
    pub lstrip_blocks: bool,
    /// The line end that the template ends with stays.
    pub keep_trailing_newline: bool,
}

/// The operators, the longer ones first.
const SIGNS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",", ";",
];

/// The tokens of a template, each with its line.
pub(crate) fn tokens(source: &str, whitespace: Whitespace) -> Result<Vec<(Token, usize)>> {
    limits::source(source.len())?;
    let mut plain = source.replace("\r\n", "\n").replace('\r', "\n");
    if !whitespace.keep_trailing_newline && plain.ends_with('\n') {
        plain.pop();
    }
    let mut lexer = Lexer { source: &plain, at: 0, line: 1, whitespace, line_starting: true, found: Vec::new() };
    lexer.run()?;
    Ok(lexer.found)
}

/// Which end of a tag, if any, begins here, and how long it is with what it takes away.
enum Tag {
    Raw,
    Comment,
    Print,
    Block,
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: usize,
    whitespace: Whitespace,
    /// Whether what was read last ended in a line end.
    line_starting: bool,
    found: Vec<(Token, usize)>,
}

fn syntax(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Syntax, message)
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn push(&mut self, token: Token) {
        self.found.push((token, self.line));
    }

    /// Moves on by so many bytes.
    fn skip(&mut self, bytes: usize) {
        let passed = &self.source[self.at..self.at + bytes];
        self.line += passed.matches('\n').count();
        self.line_starting = passed.ends_with('\n');
        self.at += bytes;
    }

    fn run(&mut self) -> Result<()> {
        loop {
            let rest = self.rest();
            let Some(place) = next_tag(rest) else {
                if !rest.is_empty() {
                    self.push(Token::Data(rest.to_owned()));
                }
                return Ok(());
            };
            let opening = &rest[place..];
            let (tag, length) = match (opening.as_bytes()[1], raw_begin(opening)) {
                (b'%', Some(length)) => (Tag::Raw, length),
                (b'%', None) => (Tag::Block, 2),
                (b'#', _) => (Tag::Comment, 2),
                _ => (Tag::Print, 2),
            };
            let sign = opening[2..].chars().next().filter(|sign| matches!(sign, '-' | '+'));
            self.data(&rest[..place], sign, !matches!(tag, Tag::Print));
            let signed = usize::from(sign.is_some() && !matches!(tag, Tag::Raw));
            self.skip(place + length + signed);
            match tag {
                Tag::Raw => self.raw()?,
                Tag::Comment => self.comment()?,
                Tag::Print => {
                    self.push(Token::PrintBegin);
                    self.inside(false)?;
                }
                Tag::Block => {
                    self.push(Token::BlockBegin);
                    self.inside(true)?;
                }
            }
        }
    }

    /// Text before a tag, with the whitespace gone that the tag takes away.
    fn data(&mut self, text: &str, sign: Option<char>, is_block: bool) {
        let kept = match sign {
            Some('-') => text.trim_end_matches(characters::is_space),
            None if self.whitespace.lstrip_blocks && is_block => {
                let start = text.rfind('\n').map_or(0, |place| place + 1);
                let whitespace = text[start..].chars().all(characters::is_space);
                if (start > 0 || self.line_starting) && whitespace { &text[..start] } else { text }
            }
            _ => text,
        };
        if !kept.is_empty() {
            self.push(Token::Data(kept.to_owned()));
        }
    }

    /// The length of the end of a block, a comment or a raw stretch that begins here, with what follows that it takes.
    fn end(&self, rest: &str, close: &str) -> Option<usize> {
        if rest.strip_prefix('+').is_some_and(|rest| rest.starts_with(close)) {
            return Some(1 + close.len());
        }
        if let Some(after) = rest.strip_prefix('-').and_then(|rest| rest.strip_prefix(close)) {
            let whitespace = after.len() - after.trim_start_matches(characters::is_space).len();
            return Some(1 + close.len() + whitespace);
        }
        let after = rest.strip_prefix(close)?;
        Some(close.len() + usize::from(self.whitespace.trim_blocks && after.starts_with('\n')))
    }

    fn comment(&mut self) -> Result<()> {
        let rest = self.rest();
        let found = rest.find("#}").ok_or_else(|| syntax("Missing end of comment tag").at(self.line))?;
        let before = rest[..found].ends_with(['-', '+']);
        let start = found - usize::from(before);
        let length = self.end(&rest[start..], "#}").unwrap_or(2);
        self.skip(start + length);
        Ok(())
    }

    fn raw(&mut self) -> Result<()> {
        let rest = self.rest();
        let mut from = 0;
        while let Some(place) = rest[from..].find("{%").map(|place| from + place) {
            let inner = &rest[place + 2..];
            let sign = inner.chars().next().filter(|sign| matches!(sign, '-' | '+'));
            let inner = &inner[usize::from(sign.is_some())..];
            let named = inner.trim_start_matches(characters::is_space).strip_prefix("endraw");
            let closing = named.map(|rest| rest.trim_start_matches(characters::is_space));
            if let Some((closing, length)) = closing.and_then(|rest| Some((rest, self.end(rest, "%}")?))) {
                self.data(&rest[..place], sign, true);
                self.skip(rest.len() - closing.len() + length);
                return Ok(());
            }
            from = place + 2;
        }
        Err(syntax("Missing end of raw directive").at(self.line))
    }

    /// The tokens of a tag up to its end.
    fn inside(&mut self, is_block: bool) -> Result<()> {
        let mut open: Vec<&str> = Vec::new();
        loop {
            let rest = self.rest();
            if open.is_empty() {
                let end = match is_block {
                    true => self.end(rest, "%}").map(|length| (Token::BlockEnd, length)),
                    false => print_end(rest).map(|length| (Token::PrintEnd, length)),
                };
                if let Some((token, length)) = end {
                    self.push(token);
                    self.skip(length);
                    return Ok(());
                }
            }
            let Some(first) = rest.chars().next() else {
                // The parser says what is missing.
                return Ok(());
            };
            if characters::is_space(first) {
                self.skip(rest.len() - rest.trim_start_matches(characters::is_space).len());
                continue;
            }
            let after_point = self.source[..self.at].ends_with('.');
            if let Some((token, length)) = number(rest, after_point)? {
                self.push(token);
                self.skip(length);
            } else if characters::is_name(first) {
                let end = rest.find(|letter| !characters::is_name(letter)).unwrap_or(rest.len());
                if !characters::is_name_start(first) {
                    return Err(syntax("Invalid character in identifier").at(self.line));
                }
                self.push(Token::Name(rest[..end].to_owned()));
                self.skip(end);
            } else if let Some(length) = string_length(rest) {
                let text = unescaped(&rest[1..length - 1]).map_err(|error| error.at(self.line))?;
                self.push(Token::Str(text));
                self.skip(length);
            } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                self.balance(sign, &mut open)?;
                self.push(Token::Sign(sign));
                self.skip(sign.len());
            } else {
                return Err(syntax(format!("unexpected char {first:?}")).at(self.line));
            }
        }
    }

    fn balance(&self, sign: &'static str, open: &mut Vec<&'static str>) -> Result<()> {
        match sign {
            "{" => open.push("}"),
            "(" => open.push(")"),
            "[" => open.push("]"),
            "}" | ")" | "]" => match open.pop() {
                Some(expected) if expected == sign => {}
                Some(expected) => {
                    return Err(syntax(format!("unexpected '{sign}', expected '{expected}'")).at(self.line));
                }
                None => return Err(syntax(format!("unexpected '{sign}'")).at(self.line)),
            },
            _ => {}
        }
        Ok(())
    }
}

/// Where the next tag begins.
fn next_tag(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(1)).find(|at| bytes[*at] == b'{' && matches!(bytes[at + 1], b'%' | b'{' | b'#'))
}

/// The length of the tag that begins a raw stretch, if one stands here.
fn raw_begin(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("{%")?;
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    let rest = rest.trim_start_matches(characters::is_space).strip_prefix("raw")?;
    let rest = rest.trim_start_matches(characters::is_space);
    let rest = match rest.strip_prefix("-%}") {
        Some(rest) => rest.trim_start_matches(characters::is_space),
        None => rest.strip_prefix("%}")?,
    };
    Some(text.len() - rest.len())
}

fn print_end(rest: &str) -> Option<usize> {
    match rest.strip_prefix("-}}") {
        Some(after) => Some(3 + after.len() - after.trim_start_matches(characters::is_space).len()),
        None => rest.starts_with("}}").then_some(2),
    }
}

/// The length of a literal in quotes.
fn string_length(rest: &str) -> Option<usize> {
    let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let mut letters = rest.char_indices().skip(1);
    while let Some((place, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            letter if letter == quote => return Some(place + 1),
            _ => {}
        }
    }
    None
}

/// Digits, with single underscores between them.
fn digits(text: &str, is_digit: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    loop {
        match bytes.get(end) {
            Some(digit) if is_digit(*digit) => end += 1,
            Some(b'_') if end > 0 && bytes.get(end + 1).is_some_and(|digit| is_digit(*digit)) => end += 2,
            _ => return end,
        }
    }
}

/// The number that begins here, and its length.
fn number(rest: &str, after_point: bool) -> Result<Option<(Token, usize)>> {
    let decimal = |digit: u8| digit.is_ascii_digit();
    let whole = digits(rest, decimal);
    if whole == 0 {
        return Ok(None);
    }
    if !after_point {
        let mut end = whole;
        if rest[end..].starts_with('.') {
            let fraction = digits(&rest[end + 1..], decimal);
            end += if fraction > 0 { 1 + fraction } else { 0 };
        }
        if let Some(exponent) = rest[end..].strip_prefix(['e', 'E']) {
            let sign = usize::from(exponent.starts_with(['+', '-']));
            let length = digits(&exponent[sign..], decimal);
            end += if length > 0 { 1 + sign + length } else { 0 };
        }
        if end > whole {
            let number = float_text::parse_float(&rest[..end]).unwrap_or(f64::NAN);
            return Ok(Some((Token::Float(number), end)));
        }
    }
    let prefixed = |prefix: &str, is_digit: fn(u8) -> bool| {
        let head = rest.get(..2)?;
        // Behind the prefix an underscore may stand at once.
        let body = rest[2..].strip_prefix('_').unwrap_or(&rest[2..]);
        let length = digits(body, is_digit);
        (head.eq_ignore_ascii_case(prefix) && length > 0).then(|| rest.len() - body.len() + length)
    };
    let hex: fn(u8) -> bool = |digit| digit.is_ascii_hexdigit();
    let end = prefixed("0b", |digit| matches!(digit, b'0' | b'1'))
        .or_else(|| prefixed("0o", |digit| (b'0'..=b'7').contains(&digit)))
        .or_else(|| prefixed("0x", hex));
    let end = match end {
        Some(end) => end,
        // A nought takes only noughts with it.
        None if rest.starts_with('0') => digits(rest, |digit| digit == b'0'),
        None => whole,
    };
    let value = float_text::parse_int(&rest[..end], 0);
    match value {
        Some(number) => Ok(Some((Token::Int(number), end))),
        None => Err(syntax("an integer of more digits than Python reads")),
    }
}

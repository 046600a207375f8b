//! Python's literals: what `ast.literal_eval` reads.

use num_traits::Signed;

use crate::{
    characters,
    error::{Error, ErrorKind, Result},
    float_text, limits, operators,
    value::{Dict, Value},
};

/// The value of a text that is one Python literal: text, numbers, lists, tuples, dictionaries, truth values, None.
///
/// # Errors
///
/// If the text is anything else.
pub fn literal(text: &str) -> Result<Value> {
    let mut reader = Reader { rest: text.trim_start_matches([' ', '\t']), depth: 0 };
    let value = reader.items(None)?;
    reader.skip_blank();
    match reader.rest.is_empty() {
        true => Ok(value),
        false => Err(reader.fail()),
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn fail(&self) -> Error {
        let shown: String = self.rest.chars().take(20).collect();
        let place = if shown.is_empty() { "its end".to_owned() } else { crate::repr::quoted(&shown) };
        Error::new(ErrorKind::Syntax, format!("not a Python literal at {place}"))
    }

    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest),
                None => return,
            }
        }
    }

    fn skip(&mut self, sign: char) -> bool {
        self.skip_blank();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// One value, or several with commas between, which are a tuple, up to a bracket or the end.
    fn items(&mut self, close: Option<char>) -> Result<Value> {
        let (mut items, mut is_tuple) = (Vec::new(), false);
        loop {
            self.skip_blank();
            let ended = match close {
                Some(close) => self.rest.starts_with(close),
                None => self.rest.is_empty(),
            };
            if ended {
                break;
            }
            items.push(self.value()?);
            if !self.skip(',') {
                break;
            }
            is_tuple = true;
        }
        match (is_tuple, items.pop()) {
            (false, Some(only)) => Ok(only),
            (false, None) if close.is_none() => Err(self.fail()),
            (_, last) => {
                items.extend(last);
                Ok(Value::tuple(items))
            }
        }
    }

    fn value(&mut self) -> Result<Value> {
        self.depth += 1;
        // Python's own reader gives up at a similar depth.
        if self.depth > limits::NESTING {
            return Err(Error::limit("a literal nested too deeply"));
        }
        self.skip_blank();
        let value = self.one()?;
        self.depth -= 1;
        Ok(value)
    }

    fn one(&mut self) -> Result<Value> {
        if self.skip('(') {
            let value = self.items(Some(')'))?;
            return if self.skip(')') { Ok(value) } else { Err(self.fail()) };
        }
        if self.skip('[') {
            let mut items = Vec::new();
            while !self.skip(']') {
                items.push(self.value()?);
                if !self.skip(',') && !self.rest.starts_with(']') {
                    return Err(self.fail());
                }
            }
            return Ok(Value::list(items));
        }
        if self.skip('{') {
            let dict = Dict::default();
            // A set, whose order is chance in Python, is a list as it is written.
            let mut set = Vec::new();
            while !self.skip('}') {
                let key = self.value()?;
                match self.skip(':') {
                    true if set.is_empty() => dict.insert(key, self.value()?)?,
                    false if dict.keys().is_empty() => set.push(key),
                    _ => return Err(self.fail()),
                }
                if !self.skip(',') && !self.rest.starts_with('}') {
                    return Err(self.fail());
                }
            }
            if !set.is_empty() {
                return Ok(Value::list(set));
            }
            return Ok(Value::Dict(std::rc::Rc::new(dict)));
        }
        for (sign, negative) in [('-', true), ('+', false)] {
            if self.skip(sign) {
                self.skip_blank();
                let is_number = self.rest.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.');
                let value = self.value()?;
                return match value {
                    Value::Int(_) | Value::Float(_) if is_number => operators::signed(&value, negative),
                    _ => Err(self.fail()),
                };
            }
        }
        if self.rest.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') {
            return self.number();
        }
        let end = self.rest.find(|letter| !characters::is_name(letter)).unwrap_or(self.rest.len());
        let (name, after) = self.rest.split_at(end);
        if after.starts_with(['\'', '"']) {
            return self.texts();
        }
        let value = match name {
            "None" => Value::None,
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            _ => return Err(self.fail()),
        };
        self.rest = after;
        Ok(value)
    }

    fn number(&mut self) -> Result<Value> {
        let mut end = 0;
        let bytes = self.rest.as_bytes();
        while let Some(letter) = bytes.get(end) {
            let exponent = end > 0 && matches!(bytes[end - 1], b'e' | b'E') && !self.rest.starts_with("0x");
            let is_part = letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'_');
            if !(is_part || exponent && matches!(letter, b'+' | b'-')) {
                break;
            }
            end += 1;
        }
        let text = &self.rest[..end];
        let whole = float_text::parse_int(text, 0).filter(|number| !number.is_negative()).map(Value::Int);
        let value = whole.or_else(|| float_text::parse_float(text).map(Value::Float)).filter(|value| {
            // A nought before other digits is not a number in Python, unless a point follows.
            matches!(value, Value::Int(_)) || text.contains(['.', 'e', 'E'])
        });
        let value = value.ok_or_else(|| self.fail())?;
        self.rest = &self.rest[end..];
        Ok(value)
    }

    /// Texts in quotes, one behind the other, which are one text.
    fn texts(&mut self) -> Result<Value> {
        let mut made = String::new();
        loop {
            let end = self.rest.find(['\'', '"']).unwrap_or(0);
            let raw = match self.rest[..end].to_ascii_lowercase().as_str() {
                "" | "u" => false,
                "r" => true,
                _ => return Err(self.fail()),
            };
            let body = &self.rest[end..];
            let quote = &body[..1];
            let triple = quote.repeat(3);
            let quote = if body.starts_with(&triple) { triple.as_str() } else { quote };
            let inner = &body[quote.len()..];
            let close = closing(inner, quote).ok_or_else(|| self.fail())?;
            let text = &inner[..close];
            made.push_str(&if raw { text.to_owned() } else { crate::string_literal::python(text)? });
            self.rest = &inner[close + quote.len()..];
            self.skip_blank();
            let next = self.rest.find(['\'', '"']).filter(|at| *at <= 1);
            let follows = next.is_some_and(|at| matches!(&self.rest[..at], "" | "u" | "U" | "r" | "R"));
            if !follows {
                return Ok(Value::from(made));
            }
        }
    }
}

/// Where a text in quotes ends.
fn closing(text: &str, quote: &str) -> Option<usize> {
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            '\n' if quote.len() == 1 => return None,
            _ if text[place..].starts_with(quote) => return Some(place),
            _ => {}
        }
    }
    None
}

//! Lists, texts and numbers as Python writes them (`ast.literal_eval`).

use serde_json::{Number, Value};

/// Literals inside of one another.
const DEEPEST: usize = 64;

/// The value of a Python literal: text, a number, `True`, `False`, `None`, and lists, tuples and
/// sets of them. None for anything else.
pub fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text.trim_start_matches([' ', '\t']), depth: 0 };
    let value = reader.value()?;
    reader.blanks();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
    }

    fn take(&mut self, start: &str) -> bool {
        match self.rest.strip_prefix(start) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn value(&mut self) -> Option<Value> {
        self.blanks();
        for (open, close) in [("[", "]"), ("(", ")"), ("{", "}")] {
            if self.take(open) {
                return self.items(close, open == "(");
            }
        }
        for (word, value) in [("True", Value::Bool(true)), ("False", Value::Bool(false)), ("None", Value::Null)] {
            if self.take(word) {
                return (!self.rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then_some(value);
            }
        }
        let quoted = self.rest.trim_start_matches(['r', 'R', 'u', 'U']);
        if quoted.starts_with(['\'', '"']) {
            return self.texts();
        }
        self.number()
    }

    /// Items up to `close`. One in round brackets and without a comma is itself.
    fn items(&mut self, close: &str, round: bool) -> Option<Value> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let (mut items, mut comma) = (Vec::new(), false);
        loop {
            self.blanks();
            if self.take(close) {
                break;
            }
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.value()?);
            self.blanks();
            comma = self.take(",");
        }
        self.depth -= 1;
        Some(match items.pop() {
            Some(only) if round && items.is_empty() && !comma => only,
            last => Value::Array(items.into_iter().chain(last).collect()),
        })
    }

    /// One text or several behind one another, which are one.
    fn texts(&mut self) -> Option<Value> {
        let mut text = String::new();
        loop {
            let before = self.rest;
            let raw = before.starts_with(['r', 'R']);
            self.rest = before.trim_start_matches(['r', 'R', 'u', 'U']);
            if before.len() - self.rest.len() > 1 || !self.rest.starts_with(['\'', '"']) {
                self.rest = before;
                return Some(Value::String(text));
            }
            self.text(raw, &mut text)?;
            self.blanks();
        }
    }

    fn text(&mut self, raw: bool, text: &mut String) -> Option<()> {
        let quote = self.next()?;
        let triple: String = [quote; 3].iter().collect();
        let end = if self.take(&triple[1..]) { triple } else { quote.to_string() };
        loop {
            if self.take(&end) {
                return Some(());
            }
            match self.next()? {
                '\\' if raw => {
                    text.push('\\');
                    text.push(self.next()?);
                }
                '\\' => self.escape(text)?,
                '\n' if end.len() == 1 => return None,
                other => text.push(other),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Option<()> {
        let character = match self.next()? {
            '\n' => return Some(()),
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'x' => self.code(2, 16)?,
            'u' => self.code(4, 16)?,
            'U' => self.code(8, 16)?,
            first @ '0'..='7' => {
                let more = self.rest.chars().take(2).take_while(|c| ('0'..='7').contains(c)).count();
                let rest = self.code(more, 8).map_or(0, |c| c as u32);
                char::from_u32(first.to_digit(8)? * 8u32.pow(more as u32) + rest)?
            }
            same @ ('\\' | '\'' | '"') => same,
            other => {
                text.push('\\');
                other
            }
        };
        text.push(character);
        Some(())
    }

    /// The character whose number stands in the next `length` digits.
    fn code(&mut self, length: usize, radix: u32) -> Option<char> {
        let digits = self.rest.get(..length)?;
        let number = digits.chars().try_fold(0, |number, digit| Some(number * radix + digit.to_digit(radix)?))?;
        self.rest = &self.rest[length..];
        char::from_u32(number)
    }

    fn number(&mut self) -> Option<Value> {
        let negative = match self.take("-") {
            true => true,
            false => {
                self.take("+");
                false
            }
        };
        let is_part = |c: char| c.is_ascii_alphanumeric() || ['.', '_'].contains(&c);
        let mut length = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        // An exponent's sign.
        if self.rest[..length].ends_with(['e', 'E']) && self.rest[length..].starts_with(['-', '+']) {
            length += 1 + self.rest[length + 1..].find(|c| !is_part(c)).unwrap_or(self.rest.len() - length - 1);
        }
        let digits = self.rest[..length].replace('_', "");
        if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        self.rest = &self.rest[length..];
        let leading_zero = digits.len() > 1 && digits.bytes().all(|b| b.is_ascii_digit()) && digits.starts_with('0');
        let sign = if negative { -1 } else { 1 };
        match digits.parse::<i64>() {
            Ok(number) if !leading_zero || number == 0 => Some(Value::from(sign * number)),
            Ok(_) => None,
            Err(_) => Number::from_f64(f64::from(sign as i32) * digits.parse::<f64>().ok()?).map(Value::Number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn literals_are_what_python_reads() {
        for (text, value) in [
            ("['yes', \"no\"]", json!(["yes", "no"])),
            ("[ 'it''s', \"it's\", 'a\\'b' ,]", json!(["its", "it's", "a'b"])),
            ("('a', 1, -2, 0.5, 1e3, True, None)", json!(["a", 1, -2, 0.5, 1000.0, true, null])),
            ("('a')", json!("a")),
            ("('a',)", json!(["a"])),
            ("{'x', 'y'}", json!(["x", "y"])),
            ("[]", json!([])),
            ("[['a'], [1_000]]", json!([["a"], [1000]])),
            ("'\\n\\t\\x41\\u00e9\\101\\q'", json!("\n\tAéA\\q")),
            ("r'\\n'", json!("\\n")),
            ("'''a\nb'''", json!("a\nb")),
            ("\"\" ", json!("")),
            ("'' 'b'", json!("b")),
            ("  7", json!(7)),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "yes", "[yes]", "['a' 'b", "[1 2]", "['a'] x", "007", "f('x')", "[1, 2", "'a\nb'", "Trueish"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
    }

    proptest! {
        #![proptest_config(laser_testing::cases())]

        #[test]
        fn no_text_panics(text in "[\\[\\]('\"\\\\a0-9eEx.,{}é \n-]{0,30}") {
            let _ = parse(&text);
        }
    }
}

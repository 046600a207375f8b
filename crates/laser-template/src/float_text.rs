//! Floats and integers as Python writes and reads them.

use num_bigint::BigInt;

use crate::error::{Error, Result};

/// Python's `repr` of a float: the shortest digits that read back as the same number.
pub(crate) fn repr(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match (-4..16).contains(&exponent) {
        true => {
            let plain = format!("{number}");
            if plain.contains('.') { plain } else { plain + ".0" }
        }
        false => with_exponent(digits, exponent, 'e'),
    }
}

/// Digits with Python's exponent: a sign and at least two digits.
pub(crate) fn with_exponent(digits: &str, exponent: i32, letter: char) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}{letter}{sign}{:02}", exponent.abs())
}

/// The digits and the exponent of a number rounded to `places` digits after the first.
pub(crate) fn scientific(number: f64, places: usize) -> (String, i32) {
    let text = format!("{number:.places$e}");
    match text.split_once('e') {
        Some((digits, exponent)) => (digits.to_owned(), exponent.parse().unwrap_or(0)),
        None => (text, 0),
    }
}

/// Python's `str` of an integer, which has at most 4300 digits.
pub(crate) fn int(number: &BigInt) -> Result<String> {
    let text = if number.bits() > 20_000 { None } else { Some(number.to_string()) };
    text.filter(|text| text.trim_start_matches('-').len() <= 4300)
        .ok_or_else(|| Error::value("Exceeds the limit (4300 digits) for integer string conversion"))
}

/// Python's `int(text, base)`.
pub(crate) fn parse_int(text: &str, base: u32) -> Option<BigInt> {
    let text = text.trim_matches(crate::characters::is_space);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (base, digits, prefixed) = match (lower.as_deref(), base) {
        (Some("0x"), 16 | 0) => (16, &digits[2..], true),
        (Some("0o"), 8 | 0) => (8, &digits[2..], true),
        (Some("0b"), 2 | 0) => (2, &digits[2..], true),
        (_, 0) if digits.starts_with('0') && digits.bytes().any(|digit| !matches!(digit, b'0' | b'_')) => return None,
        (_, 0) => (10, digits, false),
        _ => (base, digits, false),
    };
    let digits = if prefixed { digits.strip_prefix('_').unwrap_or(digits) } else { digits };
    if !(2..=36).contains(&base) || digits.len() > 100_000 {
        return None;
    }
    let single = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    let mut plain = String::new();
    for letter in digits.chars().filter(|letter| *letter != '_') {
        let digit = crate::characters::decimal_digit(letter).or_else(|| letter.to_digit(36))?;
        plain.push(char::from_digit(digit, 36).filter(|_| digit < base)?);
    }
    let within = base != 10 || plain.len() <= 4300;
    let number = BigInt::parse_bytes(plain.as_bytes(), base).filter(|_| single && within)?;
    Some(if negative { -number } else { number })
}

/// Python's `float(text)`.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim_matches(crate::characters::is_space);
    let digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
    let mut plain = String::new();
    let mut before = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '_' if digit(before) && digit(letters.peek().copied()) => {}
            '_' => return None,
            _ => plain.push(match crate::characters::decimal_digit(letter) {
                Some(digit) => char::from_digit(digit, 10)?,
                None => letter,
            }),
        }
        before = Some(letter);
    }
    let lower = plain.to_ascii_lowercase();
    let (sign, body) = match lower.strip_prefix('-') {
        Some(body) => (-1.0, body),
        None => (1.0, lower.strip_prefix('+').unwrap_or(&lower)),
    };
    match body {
        "inf" | "infinity" => Some(sign * f64::INFINITY),
        "nan" => Some(f64::NAN),
        // Rust reads these signs and words, too, and would take two signs here.
        _ if body.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') => {
            body.parse().ok().map(|number: f64| sign * number)
        }
        _ => None,
    }
}

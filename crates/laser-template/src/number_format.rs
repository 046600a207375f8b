//! Numbers in the forms of Python's format strings.

use num_bigint::BigInt;
use num_traits::Signed;

use crate::{error::Result, float_text, limits};

/// A float by `e`, `f` or `g` with `places` digits, without its sign. `alternate` keeps the point.
pub(crate) fn float(number: f64, letter: char, places: usize, alternate: bool) -> Result<String> {
    limits::places(places)?;
    let number = number.abs();
    let upper = letter.is_ascii_uppercase();
    let text = if !number.is_finite() {
        if number.is_nan() { "nan" } else { "inf" }.to_owned()
    } else {
        match letter.to_ascii_lowercase() {
            'e' => {
                let (mut digits, exponent) = float_text::scientific(number, places);
                if alternate && places == 0 {
                    digits.push('.');
                }
                float_text::with_exponent(&digits, exponent, 'e')
            }
            'f' => {
                let mut text = format!("{number:.places$}");
                if alternate && places == 0 {
                    text.push('.');
                }
                text
            }
            _ => general(number, places.max(1), alternate),
        }
    };
    Ok(if upper { text.to_uppercase() } else { text })
}

/// `%g`: so many significant digits, with an exponent where the number is large or small.
fn general(number: f64, digits: usize, alternate: bool) -> String {
    let (_, exponent) = match number == 0.0 {
        true => (String::new(), 0),
        false => float_text::scientific(number, digits - 1),
    };
    let fixed = exponent >= -4 && i64::from(exponent) < digits as i64;
    let (mut text, exponent) = match fixed {
        true => {
            let places = (digits as i64 - 1 - i64::from(exponent)).max(0) as usize;
            (format!("{number:.places$}"), None)
        }
        false => {
            let (text, exponent) = float_text::scientific(number, digits - 1);
            (text, Some(exponent))
        }
    };
    if !alternate && text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    } else if alternate && !text.contains('.') {
        text.push('.');
    }
    match exponent {
        Some(exponent) => float_text::with_exponent(&text, exponent, 'e'),
        None => text,
    }
}

/// An integer's digits to a base, without its sign, and the prefix that `#` puts before it.
pub(crate) fn integer(number: &BigInt, letter: char) -> (String, &'static str) {
    let number = number.abs();
    match letter {
        'x' => (number.to_str_radix(16), "0x"),
        'X' => (number.to_str_radix(16).to_uppercase(), "0X"),
        'o' => (number.to_str_radix(8), "0o"),
        'b' => (number.to_str_radix(2), "0b"),
        _ => (number.to_string(), ""),
    }
}

/// Digits with a separator between every `group` of them, counted from the end; of at least `width` signs, where
/// noughts fill up.
pub(crate) fn grouped(digits: &str, group: usize, separator: char, width: usize) -> String {
    let split = digits.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(digits.len());
    let split = if group == 3 { digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(split) } else { split };
    let (whole, rest) = digits.split_at(split);
    let room = width.saturating_sub(rest.chars().count());
    // A group and its separator take `group + 1` signs; a separator never stands first.
    let fewest = if room == 0 { 0 } else { room / (group + 1) * group + (room % (group + 1)).max(1) };
    let given = whole.chars().count();
    let count = given.max(fewest);
    let mut made = String::with_capacity(count + count / group + rest.len());
    for (place, letter) in std::iter::repeat_n('0', count - given).chain(whole.chars()).enumerate() {
        if place > 0 && (count - place).is_multiple_of(group) {
            made.push(separator);
        }
        made.push(letter);
    }
    made + rest
}

/// Text filled up to a width: `<`, `>`, `^`, or `=` with the fill behind a number's sign.
pub(crate) fn aligned(sign: &str, text: &str, width: usize, align: char, fill: char) -> String {
    let missing = width.saturating_sub(sign.chars().count() + text.chars().count());
    let some = |count: usize| fill.to_string().repeat(count);
    match align {
        '<' => format!("{sign}{text}{}", some(missing)),
        '^' => format!("{}{sign}{text}{}", some(missing / 2), some(missing - missing / 2)),
        '=' => format!("{sign}{}{text}", some(missing)),
        _ => format!("{}{sign}{text}", some(missing)),
    }
}

//! `text % values`, Python's older format.

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};

use crate::{
    arithmetic,
    error::{Error, Result},
    limits, number_format, repr,
    value::{Machine, Value},
};

#[derive(Default)]
struct Flags {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    alternate: bool,
}

/// The values of a format, taken one after the other.
struct Values<'a> {
    items: &'a [Value],
    used: usize,
}

impl Values<'_> {
    fn next(&mut self) -> Result<Value> {
        let value = self.items.get(self.used).cloned();
        self.used += 1;
        value.ok_or_else(|| Error::ty("not enough arguments for format string"))
    }

    fn next_int(&mut self) -> Result<i64> {
        match self.next()? {
            Value::Int(number) => number.to_i64().ok_or_else(|| Error::arithmetic("a width that is too large")),
            _ => Err(Error::ty("* wants int")),
        }
    }
}

/// The text of `pattern % values`.
pub(crate) fn format(pattern: &str, given: &Value, machine: &mut Machine) -> Result<String> {
    let single = [given.clone()];
    let items = match given {
        Value::Tuple(tuple) => &tuple.items[..],
        _ => &single,
    };
    let mut values = Values { items, used: 0 };
    let mut named = false;
    let mut made = String::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        limits::text(made.len())?;
        if letter != '%' {
            made.push(letter);
            continue;
        }
        let mut keyed = None;
        if letters.next_if_eq(&'(').is_some() {
            let (mut name, mut depth) = (String::new(), 1);
            for letter in letters.by_ref() {
                depth += i32::from(letter == '(') - i32::from(letter == ')');
                if depth == 0 {
                    break;
                }
                name.push(letter);
            }
            if depth > 0 {
                return Err(Error::value("incomplete format key"));
            }
            let Value::Dict(dict) = given else { return Err(Error::ty("format requires a mapping")) };
            let value =
                dict.get_str(&name).ok_or_else(|| Error::lookup(format!("KeyError: {}", repr::quoted(&name))))?;
            keyed = Some(value);
            named = true;
        }
        let mut flags = Flags::default();
        while let Some(flag) = letters.next_if(|letter| "-+ 0#".contains(*letter)) {
            match flag {
                '-' => flags.left = true,
                '+' => flags.plus = true,
                ' ' => flags.space = true,
                '0' => flags.zero = true,
                _ => flags.alternate = true,
            }
        }
        let number = |values: &mut Values, digits: &mut std::iter::Peekable<std::str::Chars>| -> Result<i64> {
            if digits.next_if_eq(&'*').is_some() {
                return values.next_int();
            }
            let mut number = 0i64;
            while let Some(digit) = digits.next_if(char::is_ascii_digit).and_then(|digit| digit.to_digit(10)) {
                number = number.saturating_mul(10).saturating_add(i64::from(digit));
            }
            Ok(number)
        };
        let width = number(&mut values, &mut letters)?;
        flags.left |= width < 0;
        let places = match letters.next_if_eq(&'.') {
            Some(_) => Some(size(number(&mut values, &mut letters)?.max(0))?),
            None => None,
        };
        while letters.next_if(|letter| "hlL".contains(*letter)).is_some() {}
        let width = size(width.saturating_abs())?;
        let kind = letters.next().ok_or_else(|| Error::value("incomplete format"))?;
        if kind == '%' {
            made.push('%');
            continue;
        }
        let value = match keyed {
            Some(value) => value,
            None => values.next()?,
        };
        made.push_str(&one(kind, &value, &flags, width, places, machine)?);
    }
    let rest = values.used < items.len() && !named;
    // A list or a dictionary may be left over, as a mapping without names.
    let may_rest = matches!(given, Value::Dict(_) | Value::List(_) | Value::Object(_)) && values.used == 0;
    match rest && !may_rest {
        true => Err(Error::ty("not all arguments converted during string formatting")),
        false => Ok(made),
    }
}

fn size(number: i64) -> Result<usize> {
    let size = usize::try_from(number).unwrap_or(usize::MAX);
    limits::text(size)?;
    Ok(size)
}

fn one(
    kind: char,
    value: &Value,
    flags: &Flags,
    width: usize,
    places: Option<usize>,
    machine: &mut Machine,
) -> Result<String> {
    machine.spend(width / 100)?;
    let align = |sign: &str, text: &str, numeric: bool| {
        let (side, fill) = match (flags.left, flags.zero && numeric) {
            (true, _) => ('<', ' '),
            (_, true) => ('=', '0'),
            _ => ('>', ' '),
        };
        number_format::aligned(sign, text, width, side, fill)
    };
    let sign = |negative: bool| match (negative, flags.plus, flags.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    let cut = |text: String| match places {
        Some(places) => text.chars().take(places).collect(),
        None => text,
    };
    match kind {
        's' => Ok(align("", &cut(repr::text(value, machine)?), false)),
        'r' => Ok(align("", &cut(repr::repr(value, 0)?), false)),
        'a' => Ok(align("", &cut(repr::ascii(value)?), false)),
        'c' => {
            let code = value.as_int().map(|number| number.to_u32().and_then(char::from_u32));
            let letter = match (value.as_str(), code) {
                (Some(text), _) if text.chars().count() == 1 => text.to_owned(),
                (_, Some(Some(letter))) => letter.to_string(),
                (_, Some(None)) => return Err(Error::arithmetic("%c arg not in range(0x110000)")),
                _ => return Err(Error::ty("%c requires int or char")),
            };
            Ok(align("", &letter, false))
        }
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
            if value.is_undefined() {
                return Err(value.fail());
            }
            let number: BigInt = match (value.as_int(), value) {
                (Some(number), _) => number,
                (None, Value::Float(number)) if "diu".contains(kind) => arithmetic::whole(*number)?,
                _ => {
                    let real = if "diu".contains(kind) { "a real number" } else { "an integer" };
                    return Err(Error::ty(format!("%{kind} format: {real} is required, not {}", value.type_name())));
                }
            };
            let (mut digits, prefix) = number_format::integer(&number, kind);
            if let Some(places) = places.filter(|places| *places > digits.len()) {
                digits = "0".repeat(places - digits.len()) + &digits;
            }
            let prefix = if flags.alternate { prefix } else { "" };
            Ok(align(&format!("{}{prefix}", sign(number.is_negative())), &digits, true))
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            if value.is_undefined() {
                return Err(value.fail());
            }
            let number = arithmetic::to_float(value)?.filter(|_| value.as_str().is_none());
            let number = number.ok_or_else(|| Error::ty(format!("must be real number, not {}", value.type_name())))?;
            let text = number_format::float(number, kind, places.unwrap_or(6), flags.alternate)?;
            Ok(align(sign(number.is_sign_negative() && !number.is_nan()), &text, true))
        }
        _ => Err(Error::value(format!("unsupported format character '{kind}'"))),
    }
}

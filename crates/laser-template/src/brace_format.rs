//! `text.format(...)`, `format_map` and the format specifications behind a colon.

use num_traits::{Signed, ToPrimitive};

use crate::{
    arithmetic,
    error::{Error, Result},
    float_text, limits, number_format, repr,
    value::{Args, Machine, Value},
};

/// The state of one `format`: whether fields are counted or numbered.
struct Fields<'a> {
    args: &'a Args,
    /// The mapping of `format_map`.
    mapping: Option<&'a Value>,
    counted: Option<bool>,
    next: usize,
}

/// The text of `pattern.format(args)`, or of `pattern.format_map(mapping)`.
pub(crate) fn format(pattern: &str, args: &Args, mapping: Option<&Value>, machine: &mut Machine) -> Result<String> {
    let mut fields = Fields { args, mapping, counted: None, next: 0 };
    fields.text(pattern, 0, machine)
}

impl Fields<'_> {
    fn text(&mut self, pattern: &str, depth: usize, machine: &mut Machine) -> Result<String> {
        if depth > 1 {
            return Err(Error::value("Max string recursion exceeded"));
        }
        let mut made = String::new();
        let mut rest = pattern;
        while let Some(place) = rest.find(['{', '}']) {
            limits::text(made.len())?;
            made.push_str(&rest[..place]);
            let brace = &rest[place..=place];
            rest = &rest[place + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                made.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(Error::value("Single '}' encountered in format string"));
            }
            let end = field_end(rest)?;
            made.push_str(&self.field(&rest[..end], depth, machine)?);
            rest = &rest[end + 1..];
        }
        made.push_str(rest);
        Ok(made)
    }

    /// One replacement field, without its braces.
    fn field(&mut self, field: &str, depth: usize, machine: &mut Machine) -> Result<String> {
        let mut in_brackets = false;
        let split = field.char_indices().find(|(_, letter)| {
            in_brackets = (in_brackets || *letter == '[') && *letter != ']';
            !in_brackets && matches!(letter, ':' | '!')
        });
        let (name, rest) = field.split_at(split.map_or(field.len(), |(place, _)| place));
        let (conversion, spec) = match rest.strip_prefix('!') {
            Some(rest) => {
                let mut letters = rest.chars();
                let letter = letters.next().ok_or_else(|| Error::value("unmatched '{' in format spec"))?;
                match (letters.next(), letters.as_str()) {
                    (None, _) => (Some(letter), ""),
                    (Some(':'), spec) => (Some(letter), spec),
                    _ => return Err(Error::value("expected ':' after conversion specifier")),
                }
            }
            None => (None, rest.strip_prefix(':').unwrap_or("")),
        };
        let value = self.value(name, machine)?;
        let value = match conversion {
            None => value,
            Some('s') => Value::from(repr::text(&value, machine)?),
            Some('r') => Value::from(repr::repr(&value, 0)?),
            Some('a') => Value::from(repr::ascii(&value)?),
            Some(letter) => return Err(Error::value(format!("Unknown conversion specifier {letter}"))),
        };
        let spec = if spec.contains('{') { self.text(spec, depth + 1, machine)? } else { spec.to_owned() };
        with_spec(&value, &spec, machine)
    }

    fn value(&mut self, name: &str, machine: &mut Machine) -> Result<Value> {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut path) = name.split_at(end);
        let number = first.bytes().all(|digit| digit.is_ascii_digit());
        let mut value = if number {
            let counted = first.is_empty();
            if self.counted.is_some_and(|before| before != counted) {
                return Err(Error::value(
                    "cannot switch between manual field specification and automatic field numbering",
                ));
            }
            self.counted = Some(counted);
            let index = if counted { self.next } else { first.parse().unwrap_or(usize::MAX) };
            self.next += usize::from(counted);
            let found = self.args.placed.get(index).cloned();
            found.ok_or_else(|| {
                Error::lookup(format!("Replacement index {index} out of range for positional args tuple"))
            })?
        } else {
            let named = self.args.named.iter().find(|(name, _)| name == first).map(|(_, value)| value.clone());
            let found = match (named, self.mapping) {
                (None, Some(Value::Dict(dict))) => dict.get_str(first),
                (named, _) => named,
            };
            found.ok_or_else(|| Error::lookup(format!("KeyError: {}", repr::quoted(first))))?
        };
        while !path.is_empty() {
            if let Some(rest) = path.strip_prefix('.') {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                value = (machine.attribute)(&value, &rest[..end], machine)?;
                path = &rest[end..];
            } else {
                let rest = path
                    .strip_prefix('[')
                    .ok_or_else(|| Error::value("Only '.' or '[' may follow ']' in format field specifier"))?;
                let end = rest.find(']').ok_or_else(|| Error::value("Missing ']' in format string"))?;
                let key = match rest[..end].parse::<u32>() {
                    Ok(number) if rest[..end].bytes().all(|digit| digit.is_ascii_digit()) => {
                        Value::from(number as usize)
                    }
                    _ => Value::from(&rest[..end]),
                };
                value = (machine.item)(&value, &key, machine)?;
                path = &rest[end + 1..];
            }
            if value.is_undefined() {
                return Err(value.fail());
            }
        }
        Ok(value)
    }
}

/// The place of the brace that closes a field.
fn field_end(text: &str) -> Result<usize> {
    let mut depth = 0;
    for (place, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => return Ok(place),
            '}' => depth -= 1,
            _ => {}
        }
    }
    Err(Error::value(if text.is_empty() {
        "Single '{' encountered in format string"
    } else {
        "expected '}' before end of string"
    }))
}

/// The parts of a format specification.
struct Spec {
    fill: char,
    align: Option<char>,
    sign: char,
    alternate: bool,
    width: usize,
    group: Option<char>,
    places: Option<usize>,
    kind: Option<char>,
}

fn parse(spec: &str) -> Result<Spec> {
    let letters: Vec<char> = spec.chars().collect();
    let is_align = |place: usize| letters.get(place).is_some_and(|letter| "<>=^".contains(*letter));
    let mut at = 0;
    let (mut fill, mut align) = (None, None);
    if is_align(1) {
        (fill, align, at) = (Some(letters[0]), Some(letters[1]), 2);
    } else if is_align(0) {
        (align, at) = (Some(letters[0]), 1);
    }
    let mut next_if = |set: &str| -> Option<char> {
        let letter = letters.get(at).copied().filter(|letter| set.contains(*letter))?;
        at += 1;
        Some(letter)
    };
    let sign = next_if("+- ").unwrap_or('-');
    let alternate = next_if("#").is_some();
    if next_if("0").is_some() {
        (fill, align) = (fill.or(Some('0')), align.or(Some('=')));
    }
    let number = |next_if: &mut dyn FnMut(&str) -> Option<char>| -> Result<Option<usize>> {
        let mut number = None;
        while let Some(digit) = next_if("0123456789").and_then(|digit| digit.to_digit(10)) {
            let longer = number.unwrap_or(0usize).saturating_mul(10).saturating_add(digit as usize);
            limits::text(longer)?;
            number = Some(longer);
        }
        Ok(number)
    };
    let width = number(&mut next_if)?.unwrap_or(0);
    let group = next_if(",_");
    let places = match next_if(".") {
        Some(_) => Some(number(&mut next_if)?.ok_or_else(|| Error::value("Format specifier missing precision"))?),
        None => None,
    };
    let kind = letters.get(at).copied();
    match letters.len() > at + 1 {
        true => Err(Error::value("Invalid format specifier")),
        false => Ok(Spec { fill: fill.unwrap_or(' '), align, sign, alternate, width, group, places, kind }),
    }
}

/// `format(value, spec)`.
pub(crate) fn with_spec(value: &Value, spec: &str, machine: &mut Machine) -> Result<String> {
    if spec.is_empty() {
        return repr::text(value, machine);
    }
    let parts = parse(spec)?;
    machine.spend(parts.width / 100)?;
    let unknown = || Error::value(format!("Unknown format code for object of type '{}'", value.type_name()));
    if let Some(text) = value.as_str() {
        if !matches!(parts.kind, None | Some('s')) || parts.align == Some('=') && !spec.starts_with('0') {
            return Err(unknown());
        }
        let cut: String = text.chars().take(parts.places.unwrap_or(usize::MAX)).collect();
        // A nought before the width fills up behind the text.
        let align = parts.align.filter(|align| *align != '=').unwrap_or('<');
        return Ok(number_format::aligned("", &cut, parts.width, align, parts.fill));
    }
    let sign = |negative: bool| match (negative, parts.sign) {
        (true, _) => "-",
        (_, '+') => "+",
        (_, ' ') => " ",
        _ => "",
    };
    let align = parts.align.unwrap_or('>');
    let filled = |sign: &str, digits: &str, group: usize| {
        let width = if align == '=' && parts.fill == '0' { parts.width.saturating_sub(sign.len()) } else { 0 };
        let text = match parts.group {
            Some(separator) => number_format::grouped(digits, group, separator, width),
            None => digits.to_owned(),
        };
        number_format::aligned(sign, &text, parts.width, align, parts.fill)
    };
    let floating = matches!(parts.kind, Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%'));
    match (value, value.as_int()) {
        (Value::Undefined(_), _) => Err(Error::ty("unsupported format string passed to Undefined.__format__")),
        (_, Some(number)) if !floating => {
            if parts.places.is_some() {
                return Err(Error::value("Precision not allowed in integer format specifier"));
            }
            let text = match parts.kind {
                Some('c') => {
                    let letter = number.to_u32().and_then(char::from_u32);
                    letter.ok_or_else(|| Error::arithmetic("%c arg not in range(0x110000)"))?.to_string()
                }
                None | Some('d' | 'n' | 'x' | 'X' | 'o' | 'b') => {
                    let (digits, prefix) = number_format::integer(&number, parts.kind.unwrap_or('d'));
                    let decimal = matches!(parts.kind, None | Some('d' | 'n'));
                    let sign = format!("{}{}", sign(number.is_negative()), if parts.alternate { prefix } else { "" });
                    return Ok(filled(&sign, &digits, if decimal { 3 } else { 4 }));
                }
                _ => return Err(unknown()),
            };
            Ok(number_format::aligned("", &text, parts.width, parts.align.unwrap_or('<'), parts.fill))
        }
        (Value::Float(_), _) | (_, Some(_)) => {
            let number = arithmetic::to_float(value)?.unwrap_or(f64::NAN);
            let text = float_digits(number, &parts)?.ok_or_else(unknown)?;
            Ok(filled(sign(number.is_sign_negative() && !number.is_nan()), &text, 3))
        }
        _ => Err(Error::ty(format!("unsupported format string passed to {}.__format__", value.type_name()))),
    }
}

fn float_digits(number: f64, parts: &Spec) -> Result<Option<String>> {
    let places = parts.places.unwrap_or(6);
    Ok(Some(match parts.kind {
        Some('%') => number_format::float(number * 100.0, 'f', places, parts.alternate)? + "%",
        Some(letter @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G')) => {
            number_format::float(number, letter, places, parts.alternate)?
        }
        Some('n') => number_format::float(number, 'g', places, parts.alternate)?,
        None => match parts.places {
            None => float_text::repr(number.abs()),
            Some(places) => {
                // Like `g`, but a whole number keeps a digit behind its point.
                let text = number_format::float(number, 'g', places, parts.alternate)?;
                let fixed = text.bytes().all(|digit| digit.is_ascii_digit());
                match fixed && text.len() >= places.max(1) {
                    true => {
                        let (digits, exponent) = float_text::scientific(number.abs(), places.max(1) - 1);
                        let digits = match digits.contains('.') {
                            true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
                            false => digits,
                        };
                        float_text::with_exponent(&digits, exponent, 'e')
                    }
                    false if fixed => text + ".0",
                    false => text,
                }
            }
        },
        _ => return Ok(None),
    }))
}

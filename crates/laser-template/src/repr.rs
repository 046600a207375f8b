//! `str` and `repr` of values.

use crate::{
    characters,
    error::{Error, Result},
    float_text, limits,
    value::{Machine, Value},
};

/// Python's `str`.
pub(crate) fn text(value: &Value, machine: &mut Machine) -> Result<String> {
    value.defined(machine)?;
    let text = match value {
        Value::Undefined(_) => String::new(),
        Value::Str(text) | Value::Markup(text) => text.to_string(),
        _ => repr(value, 0)?,
    };
    machine.spend(1 + text.len() / 100)?;
    Ok(text)
}

/// Python's `repr`, at this depth of a nest of lists.
pub(crate) fn repr(value: &Value, depth: usize) -> Result<String> {
    let mut made = String::new();
    write(value, depth, &mut made)?;
    Ok(made)
}

fn write(value: &Value, depth: usize, to: &mut String) -> Result<()> {
    limits::nested(depth)?;
    limits::text(to.len())?;
    match value {
        Value::Undefined(_) => to.push_str("Undefined"),
        Value::None => to.push_str("None"),
        Value::Bool(held) => to.push_str(if *held { "True" } else { "False" }),
        Value::Int(number) => to.push_str(&float_text::int(number)?),
        Value::Float(number) => to.push_str(&float_text::repr(*number)),
        Value::Str(text) => quote(text, to),
        Value::Markup(text) => {
            to.push_str("Markup(");
            quote(text, to);
            to.push(')');
        }
        Value::List(list) => {
            to.push('[');
            let items = list.0.try_borrow().map_err(|_| Error::limit("a list that contains itself"))?;
            write_items(&items, depth, to)?;
            to.push(']');
        }
        Value::Tuple(tuple) => {
            to.push('(');
            write_items(&tuple.items, depth, to)?;
            to.push_str(if tuple.items.len() == 1 { ",)" } else { ")" });
        }
        Value::Dict(dict) => {
            to.push('{');
            for (place, (key, value)) in dict.entries().iter().enumerate() {
                to.push_str(if place > 0 { ", " } else { "" });
                write(key, depth + 1, to)?;
                to.push_str(": ");
                write(value, depth + 1, to)?;
            }
            to.push('}');
        }
        Value::Object(object) => to.push_str(&object.repr(depth + 1)?),
    }
    Ok(())
}

fn write_items(items: &[Value], depth: usize, to: &mut String) -> Result<()> {
    for (place, item) in items.iter().enumerate() {
        to.push_str(if place > 0 { ", " } else { "" });
        write(item, depth + 1, to)?;
    }
    Ok(())
}

/// Text in Python's quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut made = String::with_capacity(text.len() + 2);
    quote(text, &mut made);
    made
}

fn quote(text: &str, to: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    to.push(quote);
    for letter in text.chars() {
        match letter {
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            letter if letter == quote => to.extend(['\\', letter]),
            letter if characters::is_printable(letter) => to.push(letter),
            letter => to.push_str(&escaped(letter)),
        }
    }
    to.push(quote);
}

/// `\x`, `\u` or `\U` and the number of a character.
pub(crate) fn escaped(letter: char) -> String {
    match letter as u32 {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// Python's `ascii`: `repr` with every other character escaped.
pub(crate) fn ascii(value: &Value) -> Result<String> {
    let escape = |letter: char| if letter.is_ascii() { letter.to_string() } else { escaped(letter) };
    Ok(repr(value, 0)?.chars().map(escape).collect())
}

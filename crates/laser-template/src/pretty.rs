//! The filter `pprint`, as Python's `pprint` prints.

use crate::{
    compare,
    error::Result,
    limits, repr,
    value::{Args, Machine, Value},
};

const WIDTH: usize = 80;

pub(crate) fn pprint(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("pprint")?;
    let mut made = String::new();
    write(&value, 0, 0, 0, &mut made, machine)?;
    machine.text(made)
}

/// The value on one line, the keys of its dictionaries in order.
fn plain(value: &Value, depth: usize, machine: &mut Machine) -> Result<String> {
    let mut made = String::new();
    write_plain(value, depth, &mut made, machine)?;
    Ok(made)
}

fn write_plain(value: &Value, depth: usize, to: &mut String, machine: &mut Machine) -> Result<()> {
    limits::nested(depth)?;
    limits::text(to.len())?;
    match value {
        Value::List(_) | Value::Tuple(_) => {
            let items = value.iterate(machine)?;
            let (open, close) = brackets(value, items.len());
            to.push(open);
            for (place, item) in items.iter().enumerate() {
                to.push_str(if place > 0 { ", " } else { "" });
                write_plain(item, depth + 1, to, machine)?;
            }
            to.push_str(close);
        }
        Value::Dict(_) => {
            to.push('{');
            for (place, (key, value)) in sorted(value, machine)?.iter().enumerate() {
                to.push_str(if place > 0 { ", " } else { "" });
                write_plain(key, depth + 1, to, machine)?;
                to.push_str(": ");
                write_plain(value, depth + 1, to, machine)?;
            }
            to.push('}');
        }
        _ => to.push_str(&repr::repr(value, depth)?),
    }
    Ok(())
}

/// The brackets of a list or of a tuple, in which a single item has a comma behind it.
fn brackets(value: &Value, items: usize) -> (char, &'static str) {
    match value {
        Value::List(_) => ('[', "]"),
        _ if items == 1 => ('(', ",)"),
        _ => ('(', ")"),
    }
}

fn sorted(value: &Value, machine: &mut Machine) -> Result<Vec<(Value, Value)>> {
    let Value::Dict(dict) = value else { return Ok(Vec::new()) };
    let entries = dict.entries();
    let keyed = entries.iter().enumerate().map(|(place, (key, _))| (key.clone(), Value::from(place))).collect();
    // Keys that have no order stay as they are.
    let Ok(order) = compare::sort(keyed, false, machine) else { return Ok(entries) };
    let places = order.iter().filter_map(|place| num_traits::ToPrimitive::to_usize(&place.as_int()?));
    Ok(places.map(|place| entries[place].clone()).collect())
}

fn write(
    value: &Value,
    indent: usize,
    allowance: usize,
    depth: usize,
    to: &mut String,
    machine: &mut Machine,
) -> Result<()> {
    limits::nested(depth)?;
    limits::text(to.len())?;
    let line = plain(value, depth, machine)?;
    machine.spend(1 + line.len() / 50)?;
    let room = (WIDTH - 1).saturating_sub(indent + allowance);
    if line.chars().count() <= room {
        to.push_str(&line);
        return Ok(());
    }
    let new_line = |to: &mut String| {
        to.push_str(",\n");
        to.push_str(&" ".repeat(indent + 1));
    };
    match value {
        Value::List(_) | Value::Tuple(_) => {
            let items = value.iterate(machine)?;
            let (open, close) = brackets(value, items.len());
            to.push(open);
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    new_line(to);
                }
                let last = place + 1 == items.len();
                let after = if last { allowance + close.len() } else { 1 };
                write(item, indent + 1, after, depth + 1, to, machine)?;
            }
            to.push_str(close);
        }
        Value::Dict(_) => {
            to.push('{');
            let entries = sorted(value, machine)?;
            for (place, (key, value)) in entries.iter().enumerate() {
                if place > 0 {
                    new_line(to);
                }
                let key = plain(key, depth + 1, machine)?;
                let last = place + 1 == entries.len();
                let after = if last { allowance + 1 } else { 1 };
                let inner = indent + 1 + key.chars().count() + 2;
                to.push_str(&key);
                to.push_str(": ");
                write(value, inner, after, depth + 1, to, machine)?;
            }
            to.push('}');
        }
        Value::Str(text) if !text.is_empty() => long_text(text, indent, allowance, depth, to)?,
        _ => to.push_str(&line),
    }
    Ok(())
}

/// A long text in several quotes, one a line.
fn long_text(text: &str, indent: usize, allowance: usize, depth: usize, to: &mut String) -> Result<()> {
    let (indent, allowance) = if depth == 0 { (indent + 1, allowance + 1) } else { (indent, allowance) };
    let most = WIDTH.saturating_sub(indent);
    let mut chunks: Vec<String> = Vec::new();
    let lines: Vec<String> = crate::str_split::lines(text, true);
    let count = lines.len();
    for (place, line) in lines.iter().enumerate() {
        let quoted = repr::quoted(line);
        let room = if place + 1 == count { most.saturating_sub(allowance) } else { most };
        if quoted.chars().count() <= room {
            chunks.push(quoted);
            continue;
        }
        // Words with the whitespace behind them.
        let mut parts: Vec<String> = Vec::new();
        let mut rest = line.as_str();
        while !rest.is_empty() {
            let word = rest.find(crate::characters::is_space).unwrap_or(rest.len());
            let whitespace = rest[word..].find(|letter| !crate::characters::is_space(letter));
            let end = whitespace.map_or(rest.len(), |whitespace| word + whitespace);
            parts.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        let mut current = String::new();
        for (at, part) in parts.iter().enumerate() {
            let candidate = format!("{current}{part}");
            let room = match at + 1 == parts.len() && place + 1 == count {
                true => most.saturating_sub(allowance),
                false => most,
            };
            if repr::quoted(&candidate).chars().count() > room {
                if !current.is_empty() {
                    chunks.push(repr::quoted(&current));
                }
                current = part.clone();
            } else {
                current = candidate;
            }
        }
        if !current.is_empty() {
            chunks.push(repr::quoted(&current));
        }
    }
    let in_brackets = depth == 0 && chunks.len() > 1;
    if in_brackets {
        to.push('(');
    }
    for (place, chunk) in chunks.iter().enumerate() {
        if place > 0 {
            to.push('\n');
            to.extend(std::iter::repeat_n(' ', indent));
        }
        to.push_str(chunk);
        limits::text(to.len())?;
    }
    if in_brackets {
        to.push(')');
    }
    Ok(())
}

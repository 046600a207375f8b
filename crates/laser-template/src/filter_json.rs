//! The filter `tojson`: Jinja's own in task files, transformers' in chat templates.

use crate::{
    arithmetic, compare,
    error::{Error, Result},
    float_text, limits,
    value::{Args, Dialect, Machine, Value},
};

/// How `json.dumps` is asked to write.
struct Style {
    ascii: bool,
    indent: Option<String>,
    comma: String,
    colon: String,
    sorted: bool,
}

pub(crate) fn tojson(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    match machine.dialect {
        Dialect::Task => {
            let [indent] = args.take("tojson", ["indent"], 0)?;
            let style = style(true, indent, None, true, machine)?;
            let text = written(&value, &style, machine)?;
            // HTML's signs do not stand in the result, which is safe in a page.
            let safe = text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
            Ok(Value::Markup(safe.replace('\'', "\\u0027").into()))
        }
        Dialect::Chat => {
            let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
            let [ascii, indent, separators, sorted] = args.take("tojson", names, 0)?;
            let ascii = ascii.map_or(Ok(false), |ascii| ascii.truth(machine))?;
            let sorted = sorted.map_or(Ok(false), |sorted| sorted.truth(machine))?;
            let style = style(ascii, indent, separators, sorted, machine)?;
            let text = written(&value, &style, machine)?;
            machine.text(text)
        }
    }
}

fn style(
    ascii: bool,
    indent: Option<Value>,
    separators: Option<Value>,
    sorted: bool,
    machine: &mut Machine,
) -> Result<Style> {
    let indent = match indent {
        None | Some(Value::None) => None,
        Some(indent) if indent.as_str().is_some() => Some(indent.to_text("tojson")?),
        Some(indent) => {
            let count = usize::try_from(arithmetic::index(&indent, "tojson")?).unwrap_or(0);
            limits::text(count)?;
            Some(" ".repeat(count))
        }
    };
    let (comma, colon) = match separators {
        None | Some(Value::None) => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
        Some(separators) => {
            let [comma, colon] = <[Value; 2]>::try_from(separators.iterate(machine)?)
                .map_err(|_| Error::value("tojson takes two separators"))?;
            (comma.to_text("tojson")?, colon.to_text("tojson")?)
        }
    };
    Ok(Style { ascii, indent, comma, colon, sorted })
}

fn written(value: &Value, style: &Style, machine: &mut Machine) -> Result<String> {
    let mut made = String::new();
    write(value, style, 0, &mut made, machine)?;
    machine.spend(made.len() / 100)?;
    Ok(made)
}

fn new_line(style: &Style, depth: usize, to: &mut String) {
    if let Some(indent) = &style.indent {
        to.push('\n');
        to.push_str(&indent.repeat(depth));
    }
}

fn write(value: &Value, style: &Style, depth: usize, to: &mut String, machine: &mut Machine) -> Result<()> {
    limits::nested(depth)?;
    limits::text(to.len())?;
    machine.spend(1)?;
    match value {
        Value::None => to.push_str("null"),
        Value::Bool(held) => to.push_str(if *held { "true" } else { "false" }),
        Value::Int(number) => to.push_str(&float_text::int(number)?),
        Value::Float(number) => to.push_str(&float(*number)),
        Value::Str(text) | Value::Markup(text) => quote(text, style.ascii, to),
        Value::List(_) | Value::Tuple(_) => {
            let items = value.iterate(machine)?;
            to.push('[');
            for (place, item) in items.iter().enumerate() {
                to.push_str(if place > 0 { &style.comma } else { "" });
                new_line(style, depth + 1, to);
                write(item, style, depth + 1, to, machine)?;
            }
            if !items.is_empty() {
                new_line(style, depth, to);
            }
            to.push(']');
        }
        Value::Dict(dict) => {
            let mut entries: Vec<(Value, Value)> = dict.entries();
            if style.sorted {
                let keyed = entries.into_iter().map(|(key, value)| (key.clone(), Value::tuple(vec![key, value])));
                let sorted = compare::sort(keyed.collect(), false, machine)?;
                entries = sorted.into_iter().filter_map(|entry| pair(&entry)).collect();
            }
            to.push('{');
            for (place, (key, value)) in entries.iter().enumerate() {
                to.push_str(if place > 0 { &style.comma } else { "" });
                new_line(style, depth + 1, to);
                quote(&key_text(key)?, style.ascii, to);
                to.push_str(&style.colon);
                write(value, style, depth + 1, to, machine)?;
            }
            if !entries.is_empty() {
                new_line(style, depth, to);
            }
            to.push('}');
        }
        Value::Undefined(_) | Value::Object(_) => {
            return Err(Error::ty(format!("Object of type {} is not JSON serializable", value.type_name())));
        }
    }
    Ok(())
}

fn pair(entry: &Value) -> Option<(Value, Value)> {
    match entry {
        Value::Tuple(tuple) => Some((tuple.items.first()?.clone(), tuple.items.get(1)?.clone())),
        _ => None,
    }
}

fn key_text(key: &Value) -> Result<String> {
    Ok(match key {
        Value::Str(text) | Value::Markup(text) => text.to_string(),
        Value::None => "null".to_owned(),
        Value::Bool(held) => held.to_string(),
        Value::Int(number) => float_text::int(number)?,
        Value::Float(number) => float(*number),
        _ => {
            let found = key.type_name();
            return Err(Error::ty(format!("keys must be str, int, float, bool or None, not {found}")));
        }
    })
}

fn float(number: f64) -> String {
    match number {
        number if number.is_nan() => "NaN".to_owned(),
        number if number.is_infinite() => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        number => float_text::repr(number),
    }
}

fn quote(text: &str, ascii: bool, to: &mut String) {
    to.push('"');
    for letter in text.chars() {
        match letter {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            '\u{8}' => to.push_str("\\b"),
            '\u{c}' => to.push_str("\\f"),
            letter if letter < ' ' || (ascii && letter > '~') => {
                let mut buffer = [0; 2];
                for unit in letter.encode_utf16(&mut buffer) {
                    to.push_str(&format!("\\u{unit:04x}"));
                }
            }
            letter => to.push(letter),
        }
    }
    to.push('"');
}

//! Jinja's filters on text.

use laser_python::{PythonRegex, Replacement};

use crate::{
    access, arithmetic, characters,
    error::{Error, Result},
    limits, percent, repr, str_methods, str_split,
    value::{Args, Machine, Value},
};

/// Jinja's `soft_str`: text as it is, anything else as Python writes it.
pub(crate) fn soft(value: &Value, machine: &mut Machine) -> Result<String> {
    repr::text(value, machine)
}

fn whole(value: Option<Value>, missing: i64, what: &str) -> Result<i64> {
    value.map_or(Ok(missing), |value| arithmetic::index(&value, what))
}

pub(crate) fn upper(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("upper")?;
    let text = soft(&value, machine)?.to_uppercase();
    machine.text(text)
}

pub(crate) fn lower(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("lower")?;
    let text = soft(&value, machine)?.to_lowercase();
    machine.text(text)
}

pub(crate) fn capitalize(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("capitalize")?;
    let text = characters::capitalize(&soft(&value, machine)?);
    machine.text(text)
}

/// Words begin behind blanks, dashes and opening brackets; all else is lower case.
pub(crate) fn title(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("title")?;
    let text = soft(&value, machine)?;
    let parts = |letter: char| characters::is_space(letter) || "-({[<".contains(letter);
    let mut made = String::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let is_break = parts(first);
        let end = rest.find(|letter| parts(letter) != is_break).unwrap_or(rest.len());
        let after = &rest[first.len_utf8()..end];
        made.extend(first.to_uppercase());
        made.push_str(&after.to_lowercase());
        rest = &rest[end..];
    }
    machine.text(made)
}

pub(crate) fn trim(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [letters] = args.take("trim", ["chars"], 0)?;
    let text = soft(&value, machine)?;
    let text = str_methods::stripped(&text, "strip", letters)?.to_owned();
    machine.text(text)
}

pub(crate) fn string(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("string")?;
    match value {
        Value::Str(_) | Value::Markup(_) => Ok(value),
        _ => {
            let text = soft(&value, machine)?;
            machine.text(text)
        }
    }
}

pub(crate) fn replace(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [old, new, count] = args.take("replace", ["old", "new", "count"], 2)?;
    let text = soft(&value, machine)?;
    let old = soft(&old.unwrap_or(Value::None), machine)?;
    let new = soft(&new.unwrap_or(Value::None), machine)?;
    let count = count.filter(|count| !matches!(count, Value::None));
    let text = str_methods::replaced(&text, &old, &new, whole(count, -1, "replace")?)?;
    machine.text(text)
}

pub(crate) fn center(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [width] = args.take("center", ["width"], 0)?;
    let text = Value::from(soft(&value, machine)?);
    let method = access::attribute(&text, "center", machine)?;
    crate::evaluate::call(machine, &method, Args::of(vec![width.unwrap_or(Value::from(80))]))
}

pub(crate) fn format(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let pattern = soft(&value, machine)?;
    if !args.placed.is_empty() && !args.named.is_empty() {
        return Err(Error::value("can't handle positional and keyword arguments at the same time"));
    }
    let values = match args.named.is_empty() {
        true => Value::tuple(args.placed),
        false => Value::Dict(crate::dict_methods::of_named(args.named)?),
    };
    let text = percent::format(&pattern, &values, machine)?;
    machine.text(text)
}

pub(crate) fn wordcount(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("wordcount")?;
    let text = soft(&value, machine)?;
    let words = text.split(|letter| !characters::is_word(letter));
    Ok(Value::from(words.filter(|word| !word.is_empty()).count()))
}

pub(crate) fn truncate(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [length, killwords, end, leeway] = args.take("truncate", ["length", "killwords", "end", "leeway"], 0)?;
    let text = value.to_text("truncate")?;
    let end = end.map_or(Ok("...".to_owned()), |end| end.to_text("truncate"))?;
    let length = whole(length, 255, "truncate")?;
    let leeway = whole(leeway.filter(|leeway| !matches!(leeway, Value::None)), 5, "truncate")?;
    let signs = end.chars().count() as i64;
    if length < signs {
        return Err(Error::arithmetic(format!("expected length >= {signs}, got {length}")));
    }
    if leeway < 0 {
        return Err(Error::arithmetic(format!("expected leeway >= 0, got {leeway}")));
    }
    if text.chars().count() as i64 <= length.saturating_add(leeway) {
        return Ok(value);
    }
    let cut: String = text.chars().take((length - signs) as usize).collect();
    let kept = match machine.is_set(killwords)? {
        true => cut.as_str(),
        false => cut.rsplit_once(' ').map_or(cut.as_str(), |(before, _)| before),
    };
    machine.text(kept.to_owned() + &end)
}

pub(crate) fn indent(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [width, first, blank] = args.take("indent", ["width", "first", "blank"], 0)?;
    let indention = match width {
        Some(width) if width.as_str().is_some() => width.to_text("indent")?,
        width => {
            let width = usize::try_from(whole(width, 4, "indent")?).unwrap_or(0);
            limits::text(width)?;
            " ".repeat(width)
        }
    };
    let (first, blank) = (machine.is_set(first)?, machine.is_set(blank)?);
    let text = value.to_text("indent")? + "\n";
    let mut made = if first { indention.clone() } else { String::new() };
    for (place, line) in str_split::lines(&text, false).iter().enumerate() {
        if place > 0 {
            made.push('\n');
            if blank || !line.is_empty() {
                made.push_str(&indention);
            }
        }
        made.push_str(line);
        limits::text(made.len())?;
    }
    machine.text(made)
}

pub(crate) fn striptags(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("striptags")?;
    let text = soft(&value, machine)?;
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.as_str();
    // An unfinished tag or comment stays, with all that follows.
    while let Some(start) = rest.find('<') {
        let (from, close) = if rest[start..].starts_with("<!--") { (start + 4, "-->") } else { (start, ">") };
        let Some(end) = rest[from..].find(close) else { break };
        kept.push_str(&rest[..start]);
        rest = &rest[from + end + close.len()..];
    }
    kept.push_str(rest);
    let words: Vec<&str> = kept.split(characters::is_space).filter(|word| !word.is_empty()).collect();
    let text = crate::html_entities::unescaped(&words.join(" "));
    machine.text(text)
}

pub(crate) fn escape(_: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("escape")?;
    if value.is_undefined() {
        return Err(value.fail());
    }
    match value {
        Value::Markup(_) => Ok(value),
        Value::Str(text) => Ok(Value::Markup(arithmetic::escaped(&text).into())),
        _ => Ok(Value::Markup(arithmetic::escaped(&repr::repr(&value, 0)?).into())),
    }
}

pub(crate) fn forceescape(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("forceescape")?;
    let text = soft(&value, machine)?;
    Ok(Value::Markup(arithmetic::escaped(&text).into()))
}

pub(crate) fn safe(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("safe")?;
    let text = soft(&value, machine)?;
    Ok(Value::Markup(text.into()))
}

pub(crate) fn urlencode(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("urlencode")?;
    let items = match &value {
        Value::Str(_) | Value::Markup(_) | Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            let text = quoted_url(&soft(&value, machine)?, false);
            return machine.text(text);
        }
        Value::Dict(dict) => dict.entries(),
        _ => {
            let mut entries = Vec::new();
            for entry in value.iterate(machine)? {
                let [key, value] = <[Value; 2]>::try_from(entry.iterate(machine)?)
                    .map_err(|_| Error::value("urlencode takes pairs"))?;
                entries.push((key, value));
            }
            entries
        }
    };
    let mut made = String::new();
    for (place, (key, value)) in items.into_iter().enumerate() {
        let (key, value) = (soft(&key, machine)?, soft(&value, machine)?);
        made.push_str(if place > 0 { "&" } else { "" });
        made.push_str(&format!("{}={}", quoted_url(&key, true), quoted_url(&value, true)));
        limits::text(made.len())?;
    }
    machine.text(made)
}

/// A text for a URL; in a query a slash is written out, too, and a space is a plus.
fn quoted_url(text: &str, in_query: bool) -> String {
    let mut made = String::new();
    for byte in text.bytes() {
        match byte {
            b'/' if !in_query => made.push('/'),
            b' ' if in_query => made.push('+'),
            b'_' | b'.' | b'-' | b'~' => made.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => made.push(char::from(byte)),
            byte => made.push_str(&format!("%{byte:02X}")),
        }
    }
    made
}

pub(crate) fn xmlattr(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [space] = args.take("xmlattr", ["autospace"], 0)?;
    let Value::Dict(dict) = &value else { return Err(Error::ty("xmlattr takes a dictionary")) };
    let space = space.map_or(Ok(true), |space| space.truth(machine))?;
    let mut made = String::new();
    for (key, value) in dict.entries() {
        if matches!(value, Value::None | Value::Undefined(_)) {
            continue;
        }
        let key = key.to_text("xmlattr")?;
        if key.contains(|letter: char| letter.is_ascii_whitespace() || "/>=\u{b}".contains(letter)) {
            return Err(Error::value(format!("Invalid character in attribute name: {}", repr::quoted(&key))));
        }
        let value = match &value {
            Value::Markup(text) => text.to_string(),
            value => arithmetic::escaped(&soft(value, machine)?),
        };
        made.push_str(if space || !made.is_empty() { " " } else { "" });
        made.push_str(&format!("{}=\"{value}\"", arithmetic::escaped(&key)));
        limits::text(made.len())?;
    }
    machine.text(made)
}

/// lm-evaluation-harness' own filter: Python's `re.sub`.
pub(crate) fn regex_replace(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [pattern, replacement, count] = args.take("regex_replace", ["pattern", "repl", "count"], 2)?;
    let text = value.to_text("regex_replace")?;
    let pattern = pattern.unwrap_or(Value::None).to_text("regex_replace")?;
    let replacement = replacement.unwrap_or(Value::None).to_text("regex_replace")?;
    let count = usize::try_from(whole(count, 0, "regex_replace")?).unwrap_or(0);
    machine.spend(1 + (pattern.len() + text.len()) / 10)?;
    let count = if count == 0 { usize::MAX } else { count };
    let by = Replacement::new(&replacement)?;
    let text =
        PythonRegex::new(&pattern)?.substituted(&text, &by, count, limits::longest_text(), &mut machine.steps)?;
    machine.text(text)
}

//! The methods of Python's `str`.

use crate::{
    arithmetic, brace_format, characters,
    error::{Error, Result},
    limits, number_format, objects,
    str_search::{Range, fits, search},
    str_split,
    value::{Args, Machine, Value},
};

/// Their names.
pub const NAMES: [&str; 47] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

/// The method of this name, bound to a text.
pub(crate) fn method(this: &Value, name: &str) -> Option<Value> {
    let name = NAMES.into_iter().find(|known| *known == name)?;
    Some(Value::object(objects::Function { name, this: Some(this.clone()), run }))
}

fn run(machine: &mut Machine, this: &Value, name: &'static str, args: Args) -> Result<Value> {
    let text = this.as_str().unwrap_or_default();
    machine.spend(1 + text.len() / 50)?;
    let all = |text: &str, is: fn(char) -> bool| Value::from(!text.is_empty() && text.chars().all(is));
    if name.starts_with("is") {
        args.none(name)?;
        return Ok(match name {
            "isalnum" => all(text, characters::is_alnum),
            "isalpha" => all(text, characters::is_alpha),
            "isascii" => Value::from(text.is_ascii()),
            "isdecimal" => all(text, characters::is_decimal),
            "isdigit" => all(text, characters::is_digit),
            "isidentifier" => {
                let mut letters = text.chars();
                let first = letters.next().is_some_and(characters::is_name_start);
                Value::from(first && letters.all(characters::is_name))
            }
            "islower" => Value::from(characters::is_all(text, false)),
            "isnumeric" => all(text, characters::is_numeric),
            "isprintable" => Value::from(text.chars().all(characters::is_printable)),
            "isspace" => all(text, characters::is_space),
            "istitle" => Value::from(characters::is_title(text)),
            _ => Value::from(characters::is_all(text, true)),
        });
    }
    match name {
        "capitalize" | "casefold" | "lower" | "swapcase" | "title" | "upper" => {
            args.none(name)?;
            machine.text(match name {
                "capitalize" => characters::capitalize(text),
                "casefold" => characters::casefold(text),
                "lower" => text.to_lowercase(),
                "swapcase" => characters::swapcase(text),
                "title" => characters::title(text),
                _ => text.to_uppercase(),
            })
        }
        "center" | "ljust" | "rjust" | "zfill" => {
            let [width, fill] = args.take(name, ["width", "fillchar"], 1)?;
            let fill = match fill {
                Some(fill) => fill.to_text(name)?,
                None => " ".to_owned(),
            };
            let mut letters = fill.chars();
            let (Some(fill), None) = (letters.next(), letters.next()) else {
                return Err(Error::ty("The fill character must be exactly one character long"));
            };
            let width = arithmetic::index(&width.unwrap_or(Value::None), name)?;
            let filled = filled(text, name, width, fill)?;
            machine.text(filled)
        }
        "count" | "find" | "index" | "rfind" | "rindex" => {
            let [part, start, end] = args.take(name, ["sub", "start", "end"], 1)?;
            let part = part.unwrap_or(Value::None).to_text(name)?;
            search(text, name, &part, &Range::new(start, end)?)
        }
        "endswith" | "startswith" => {
            let [part, start, end] = args.take(name, ["prefix", "start", "end"], 1)?;
            let range = Range::new(start, end)?;
            let parts = match part.unwrap_or(Value::None) {
                Value::Tuple(tuple) => tuple.items.clone(),
                part => vec![part],
            };
            for part in parts {
                if fits(text, name == "startswith", &part.to_text(name)?, &range) {
                    return Ok(Value::from(true));
                }
            }
            Ok(Value::from(false))
        }
        "expandtabs" => {
            let [size] = args.take(name, ["tabsize"], 0)?;
            let size = size.map_or(Ok(8), |size| arithmetic::index(&size, name))?;
            let text = expanded(text, usize::try_from(size).unwrap_or(0))?;
            machine.text(text)
        }
        "format" => {
            let made = brace_format::format(text, &args, None, machine)?;
            machine.text(made)
        }
        "format_map" => {
            let mapping = args.one(name)?;
            let made = brace_format::format(text, &Args::default(), Some(&mapping), machine)?;
            machine.text(made)
        }
        "join" => joined(text, args.one(name)?, machine),
        "strip" | "lstrip" | "rstrip" => {
            let [letters] = args.take(name, ["chars"], 0)?;
            let made = stripped(text, name, letters)?.to_owned();
            machine.text(made)
        }
        "partition" | "rpartition" => str_split::partition(text, name, &args.one(name)?.to_text(name)?),
        "split" | "rsplit" => {
            let [sep, most] = args.take(name, ["sep", "maxsplit"], 0)?;
            let parts = str_split::split(text, sep, most, name == "rsplit")?;
            machine.list(parts.into_iter().map(Value::from).collect())
        }
        "splitlines" => {
            let [keep] = args.take(name, ["keepends"], 0)?;
            let keep = keep.map_or(Ok(false), |keep| keep.truth(machine))?;
            machine.list(str_split::lines(text, keep).into_iter().map(Value::from).collect())
        }
        "removeprefix" | "removesuffix" => {
            let part = args.one(name)?.to_text(name)?;
            let rest = match name {
                "removeprefix" => text.strip_prefix(&*part),
                _ => text.strip_suffix(&*part),
            };
            machine.text(rest.unwrap_or(text).to_owned())
        }
        "replace" => {
            let [old, new, count] = args.take(name, ["old", "new", "count"], 2)?;
            let (old, new) = (old.unwrap_or(Value::None), new.unwrap_or(Value::None));
            let count = count.map_or(Ok(-1), |count| arithmetic::index(&count, name))?;
            let made = replaced(text, &old.to_text(name)?, &new.to_text(name)?, count)?;
            machine.text(made)
        }
        "translate" => translated(text, &args.one(name)?, machine),
        "maketrans" => make_table(args),
        _ => Err(Error::unsupported(format!("the method {name} of texts is not offered in templates"))),
    }
}

fn filled(text: &str, name: &str, width: i64, fill: char) -> Result<String> {
    let count = text.chars().count();
    let width = usize::try_from(width).unwrap_or(0);
    limits::text(width.saturating_mul(fill.len_utf8()))?;
    let missing = width.saturating_sub(count);
    Ok(match name {
        "ljust" => number_format::aligned("", text, width, '<', fill),
        "rjust" => number_format::aligned("", text, width, '>', fill),
        "zfill" => match text.starts_with(['+', '-']) {
            true => number_format::aligned(&text[..1], &text[1..], width, '=', '0'),
            false => number_format::aligned("", text, width, '>', '0'),
        },
        _ => {
            let left = missing / 2 + (missing & width & 1);
            let some = |count: usize| fill.to_string().repeat(count);
            some(left) + text + &some(missing - left)
        }
    })
}

/// `text.replace(old, new, count)`, where a negative count means all.
pub(crate) fn replaced(text: &str, old: &str, new: &str, count: i64) -> Result<String> {
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    let found = match old.is_empty() {
        true => text.chars().count() + 1,
        false => text.matches(old).take(most).count(),
    };
    limits::text(text.len().saturating_add(found.min(most).saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, most))
}

/// `text.strip(letters)`, or of one side.
pub(crate) fn stripped<'a>(text: &'a str, name: &str, letters: Option<Value>) -> Result<&'a str> {
    let letters = match letters {
        None | Some(Value::None) => None,
        Some(letters) => Some(letters.to_text(name)?),
    };
    let is_one = |letter: char| match &letters {
        Some(letters) => letters.contains(letter),
        None => characters::is_space(letter),
    };
    let text = if name == "rstrip" { text } else { text.trim_start_matches(is_one) };
    Ok(if name == "lstrip" { text } else { text.trim_end_matches(is_one) })
}

fn expanded(text: &str, size: usize) -> Result<String> {
    limits::text(size)?;
    let (mut made, mut column) = (String::new(), 0);
    for letter in text.chars() {
        match letter {
            '\t' if size > 0 => {
                let spaces = size - column % size;
                made.push_str(&" ".repeat(spaces));
                column += spaces;
                limits::text(made.len())?;
            }
            '\t' => {}
            _ => {
                made.push(letter);
                column = if matches!(letter, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    Ok(made)
}

fn joined(text: &str, items: Value, machine: &mut Machine) -> Result<Value> {
    let mut made = String::new();
    for (place, item) in items.iterate(machine)?.iter().enumerate() {
        let Some(part) = item.as_str() else {
            let found = item.type_name();
            return Err(Error::ty(format!("sequence item {place}: expected str instance, {found} found")));
        };
        made.push_str(if place > 0 { text } else { "" });
        made.push_str(part);
        limits::text(made.len())?;
    }
    machine.text(made)
}

fn translated(text: &str, table: &Value, machine: &mut Machine) -> Result<Value> {
    let Value::Dict(table) = table else { return Err(Error::ty("translate takes a dictionary")) };
    let mut made = String::new();
    for letter in text.chars() {
        match table.get(&Value::from(letter as usize))? {
            None => made.push(letter),
            Some(Value::None) => {}
            Some(value) => match (value.as_str(), value.as_int()) {
                (Some(text), _) => made.push_str(text),
                (_, Some(code)) => {
                    let letter = num_traits::ToPrimitive::to_u32(&code).and_then(char::from_u32);
                    made.push(letter.ok_or_else(|| Error::value("character mapping must be in range(0x110000)"))?);
                }
                _ => return Err(Error::ty("character mapping must return integer, None or str")),
            },
        }
        limits::text(made.len())?;
    }
    machine.text(made)
}

fn make_table(args: Args) -> Result<Value> {
    let dict = crate::value::Dict::default();
    let [from, to, without] = args.take("maketrans", ["x", "y", "z"], 1)?;
    let letter = |value: &Value| -> Result<Value> {
        match value.as_str() {
            Some(text) if text.chars().count() == 1 => Ok(Value::from(text.chars().next().map_or(0, |l| l as usize))),
            Some(_) => Err(Error::value("string keys in translate table must be of length 1")),
            None => Ok(value.clone()),
        }
    };
    match (from.unwrap_or(Value::None), to) {
        (Value::Dict(table), None) => {
            for (key, value) in table.entries() {
                dict.insert(letter(&key)?, value)?;
            }
        }
        (from, Some(to)) => {
            let (from, to) = (from.to_text("maketrans")?, to.to_text("maketrans")?);
            if from.chars().count() != to.chars().count() {
                return Err(Error::value("the first two maketrans arguments must have equal length"));
            }
            for (from, to) in from.chars().zip(to.chars()) {
                dict.insert(Value::from(from as usize), Value::from(to as usize))?;
            }
            for letter in without.map_or(Ok(String::new()), |without| without.to_text("maketrans"))?.chars() {
                dict.insert(Value::from(letter as usize), Value::None)?;
            }
        }
        _ => return Err(Error::ty("if you give only one argument to maketrans it must be a dict")),
    }
    Ok(Value::Dict(std::rc::Rc::new(dict)))
}

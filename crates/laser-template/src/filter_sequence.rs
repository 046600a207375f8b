//! Jinja's filters on lists and dictionaries.

use std::{collections::HashSet, rc::Rc};

use crate::{
    access, arithmetic, compare,
    error::{Error, Result},
    limits,
    objects::{Generator, pair},
    operators, repr,
    value::{Args, Key, Machine, Tuple, Value},
};

/// A path of attributes, such as `a.b.0`.
pub(crate) struct Path(Vec<Value>);

impl Path {
    pub fn new(attribute: Option<Value>) -> Self {
        Self(match attribute {
            None | Some(Value::None) => Vec::new(),
            Some(attribute) => match attribute.as_str() {
                Some(text) => text.split('.').map(part).collect(),
                None => vec![attribute],
            },
        })
    }

    pub fn of(&self, item: &Value, default: Option<&Value>, machine: &mut Machine) -> Result<Value> {
        let mut item = item.clone();
        for part in &self.0 {
            item = access::item(&item, part, machine)?;
            if let (true, Some(default)) = (item.is_undefined(), default) {
                item = default.clone();
            }
        }
        Ok(item)
    }
}

fn part(text: &str) -> Value {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    match crate::float_text::parse_int(text, 10).filter(|_| is_number) {
        Some(number) => Value::Int(number),
        None => Value::from(text),
    }
}

/// Text in lower case, unless cases count.
fn folded(value: Value, case_sensitive: bool) -> Value {
    match value.as_str() {
        Some(text) if !case_sensitive => Value::from(text.to_lowercase()),
        _ => value,
    }
}

fn count_of(value: &Value) -> Result<usize> {
    match value {
        Value::Str(text) | Value::Markup(text) => Ok(text.chars().count()),
        Value::List(list) => Ok(list.0.borrow().len()),
        Value::Tuple(tuple) => Ok(tuple.items.len()),
        Value::Dict(dict) => Ok(dict.0.borrow().len()),
        Value::Object(object) if object.len().is_some() => Ok(object.len().unwrap_or(0)),
        _ => Err(Error::ty(format!("object of type '{}' has no len()", value.type_name()))),
    }
}

pub(crate) fn length(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("length")?;
    value.defined(machine)?;
    machine.spend(value.as_str().map_or(0, str::len) / 100)?;
    match value.is_undefined() {
        true => Ok(Value::from(0)),
        false => count_of(&value).map(Value::from),
    }
}

/// Whether `len` and items are there, as the test `sequence` asks.
pub(crate) fn is_sequence(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.type_name() == "range",
        Value::Str(_) | Value::Markup(_) => true,
        _ => count_of(value).is_ok(),
    }
}

pub(crate) fn list(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("list")?;
    let items = value.iterate(machine)?;
    machine.list(items)
}

pub(crate) fn items(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("items")?;
    match value {
        Value::Undefined(_) => Ok(Generator::value("items", Vec::new())),
        Value::Dict(dict) => {
            machine.spend(dict.0.borrow().len())?;
            Ok(Generator::value("items", dict.entries().into_iter().map(pair).collect()))
        }
        _ => Err(Error::ty("Can only get item pairs from a mapping.")),
    }
}

pub(crate) fn first(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("first")?;
    let none = || Value::missing("No first item, sequence was empty.");
    Ok(value.iterate(machine)?.into_iter().next().unwrap_or_else(none))
}

pub(crate) fn last(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("last")?;
    if matches!(&value, Value::Object(object) if object.len().is_none()) {
        return Err(Error::ty(format!("'{}' object is not reversible", value.type_name())));
    }
    let none = || Value::missing("No last item, sequence was empty.");
    Ok(value.iterate(machine)?.into_iter().next_back().unwrap_or_else(none))
}

pub(crate) fn random(_: &mut Machine, _: Value, _: Args) -> Result<Value> {
    Err(Error::unsupported("the filter random gives another item each time: a prompt must not change"))
}

pub(crate) fn reverse(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("reverse")?;
    match &value {
        Value::Str(text) | Value::Markup(text) => {
            let text = text.chars().rev().collect();
            machine.text(text)
        }
        _ => {
            let mut items = value.iterate(machine)?;
            items.reverse();
            let lazy = !matches!(&value, Value::Object(object) if object.len().is_none());
            Ok(if lazy { Generator::value("reversed", items) } else { Value::list(items) })
        }
    }
}

pub(crate) fn join(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [between, attribute] = args.take("join", ["d", "attribute"], 0)?;
    let between = between.map_or(Ok(String::new()), |between| repr::text(&between, machine))?;
    let path = Path::new(attribute);
    let mut made = String::new();
    for (place, item) in value.iterate(machine)?.iter().enumerate() {
        made.push_str(if place > 0 { &between } else { "" });
        let item = path.of(item, None, machine)?;
        made.push_str(&repr::text(&item, machine)?);
        limits::text(made.len())?;
    }
    machine.text(made)
}

pub(crate) fn dictsort(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [case_sensitive, by, reverse] = args.take("dictsort", ["case_sensitive", "by", "reverse"], 0)?;
    let by_value = match by.as_ref().map_or(Some("key"), Value::as_str) {
        Some("key") => false,
        Some("value") => true,
        _ => return Err(Error::value("You can only sort by either \"key\" or \"value\"")),
    };
    let (case_sensitive, reverse) = (machine.is_set(case_sensitive)?, machine.is_set(reverse)?);
    let Value::Dict(dict) = &value else {
        return Err(if value.is_undefined() { value.fail() } else { Error::ty("dictsort takes a dictionary") });
    };
    let keyed = dict.entries().into_iter().map(|(key, value)| {
        let sorted_by = if by_value { &value } else { &key };
        (folded(sorted_by.clone(), case_sensitive), pair((key, value)))
    });
    let sorted = compare::sort(keyed.collect(), reverse, machine)?;
    machine.list(sorted)
}

pub(crate) fn sort(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [reverse, case_sensitive, attribute] = args.take("sort", ["reverse", "case_sensitive", "attribute"], 0)?;
    let (reverse, case_sensitive) = (machine.is_set(reverse)?, machine.is_set(case_sensitive)?);
    let paths: Vec<Path> = match attribute.as_ref().and_then(Value::as_str) {
        Some(text) => text.split(',').map(|part| Path::new(Some(Value::from(part)))).collect(),
        None => vec![Path::new(attribute)],
    };
    let mut keyed = Vec::new();
    for item in value.iterate(machine)? {
        let mut keys = Vec::new();
        for path in &paths {
            keys.push(folded(path.of(&item, None, machine)?, case_sensitive));
        }
        keyed.push((Value::list(keys), item));
    }
    let sorted = compare::sort(keyed, reverse, machine)?;
    machine.list(sorted)
}

pub(crate) fn unique(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [case_sensitive, attribute] = args.take("unique", ["case_sensitive", "attribute"], 0)?;
    let (case_sensitive, path) = (machine.is_set(case_sensitive)?, Path::new(attribute));
    let mut seen: HashSet<Key> = HashSet::new();
    let mut kept = Vec::new();
    for item in value.iterate(machine)? {
        let key = folded(path.of(&item, None, machine)?, case_sensitive);
        machine.weigh(&key)?;
        if seen.insert(key.key(0)?) {
            kept.push(item);
        }
    }
    Ok(Generator::value("unique", kept))
}

pub(crate) fn min(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    extreme(machine, value, args, std::cmp::Ordering::Less)
}

pub(crate) fn max(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    extreme(machine, value, args, std::cmp::Ordering::Greater)
}

fn extreme(machine: &mut Machine, value: Value, args: Args, wanted: std::cmp::Ordering) -> Result<Value> {
    let [case_sensitive, attribute] = args.take("min and max", ["case_sensitive", "attribute"], 0)?;
    let (case_sensitive, path) = (machine.is_set(case_sensitive)?, Path::new(attribute));
    let mut best: Option<(Value, Value)> = None;
    let sign = if wanted.is_lt() { "<" } else { ">" };
    for item in value.iterate(machine)? {
        let key = folded(path.of(&item, None, machine)?, case_sensitive);
        let better = match &best {
            Some((before, _)) => compare::order(&key, before, sign, machine)? == Some(wanted),
            None => true,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(|| Value::missing("No aggregated item, sequence was empty."), |(_, item)| item))
}

pub(crate) fn sum(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [attribute, start] = args.take("sum", ["attribute", "start"], 0)?;
    let path = Path::new(attribute);
    let mut items = Vec::new();
    for item in value.iterate(machine)? {
        items.push(path.of(&item, None, machine)?);
    }
    operators::sum(items, start.unwrap_or(Value::from(0)), machine)
}

pub(crate) fn groupby(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [attribute, default, case_sensitive] = args.take("groupby", ["attribute", "default", "case_sensitive"], 1)?;
    let (path, case_sensitive) = (Path::new(attribute), machine.is_set(case_sensitive)?);
    let default = default.filter(|default| !matches!(default, Value::None));
    let mut keyed = Vec::new();
    for item in value.iterate(machine)? {
        let key = folded(path.of(&item, default.as_ref(), machine)?, case_sensitive);
        keyed.push((key.clone(), pair((key, item))));
    }
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for entry in compare::sort(keyed, false, machine)? {
        let Value::Tuple(entry) = &entry else { continue };
        let (key, item) = (entry.items[0].clone(), entry.items[1].clone());
        match groups.last_mut() {
            Some((last, items)) if compare::equal(last, &key, machine)? => items.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let mut made = Vec::new();
    for (key, items) in groups {
        // The key as the first item has it, in its own case.
        let key = if case_sensitive { key } else { path.of(&items[0], default.as_ref(), machine)? };
        made.push(Value::Tuple(Rc::new(Tuple { items: vec![key, Value::list(items)], is_group: true })));
    }
    machine.list(made)
}

pub(crate) fn batch(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [count, fill] = args.take("batch", ["linecount", "fill_with"], 1)?;
    let count = arithmetic::index(&count.unwrap_or(Value::None), "batch")?;
    let count = usize::try_from(count).unwrap_or(0);
    limits::items(count)?;
    let (mut made, mut row) = (Vec::new(), Vec::new());
    for item in value.iterate(machine)? {
        if row.len() == count {
            made.push(Value::list(std::mem::take(&mut row)));
        }
        row.push(item);
    }
    if !row.is_empty() {
        if let Some(fill) = fill.filter(|fill| !matches!(fill, Value::None)) {
            machine.spend(count)?;
            row.resize(count.max(row.len()), fill);
        }
        made.push(Value::list(row));
    }
    Ok(Generator::value("batch", made))
}

pub(crate) fn slice(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [slices, fill] = args.take("slice", ["slices", "fill_with"], 1)?;
    let slices = arithmetic::index(&slices.unwrap_or(Value::None), "slice")?;
    let items = value.iterate(machine)?;
    let slices = usize::try_from(slices).unwrap_or(0);
    limits::items(slices)?;
    machine.spend(slices)?;
    let Some(each) = items.len().checked_div(slices) else {
        return Err(Error::arithmetic("integer division or modulo by zero"));
    };
    let extra = items.len() % slices;
    let (mut made, mut rest) = (Vec::new(), items.as_slice());
    for place in 0..slices {
        let (part, after) = rest.split_at(each + usize::from(place < extra));
        rest = after;
        let mut part = part.to_vec();
        if place >= extra
            && let Some(fill) = fill.as_ref().filter(|fill| !matches!(fill, Value::None))
        {
            part.push(fill.clone());
        }
        made.push(Value::list(part));
    }
    Ok(Generator::value("slice", made))
}

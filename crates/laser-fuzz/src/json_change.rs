//! Changes of JSON that leave it JSON: a damaged value reaches further than a damaged byte.

use serde_json::{Map, Value, json};

use crate::{
    choices::Choices,
    sections::{joined, parts},
};

/// An input of several files with some values of one file changed.
pub(crate) fn sections(input: &[u8], choices: &mut Choices) -> Vec<u8> {
    let mut files = parts(input);
    if files.is_empty() {
        return changed_text(input, choices);
    }
    for _ in 0..=choices.below(2) {
        let at = choices.below(files.len());
        match choices.below(24) {
            0 => drop(files.remove(at)),
            1 => {
                let other = choices.below(files.len());
                files[at].1 = files[other].1.clone();
            }
            _ => files[at].1 = changed_text(&files[at].1, choices),
        }
        if files.is_empty() {
            break;
        }
    }
    joined(&files)
}

/// A JSON text, or one of JSON lines, with some values changed. Another text stays as it is.
pub(crate) fn changed_text(text: &[u8], choices: &mut Choices) -> Vec<u8> {
    if let Ok(mut value) = serde_json::from_slice::<Value>(text) {
        change(&mut value, choices);
        return value.to_string().into_bytes();
    }
    let mut lines: Vec<Vec<u8>> = text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let at = choices.below(lines.len());
    match choices.below(8) {
        0 => {
            let other = choices.below(lines.len());
            lines[at] = lines[other].clone();
        }
        1 => drop(lines.remove(at)),
        2 => {
            let other = choices.below(lines.len());
            lines.swap(at, other);
        }
        _ => {
            if let Ok(mut value) = serde_json::from_slice::<Value>(&lines[at]) {
                change(&mut value, choices);
                lines[at] = value.to_string().into_bytes();
            }
        }
    }
    lines.join(&b'\n')
}

/// Changes some values somewhere in `value`.
pub(crate) fn change(value: &mut Value, choices: &mut Choices) {
    let whole = value.clone();
    for _ in 0..=choices.below(3) {
        change_somewhere(value, &whole, choices);
    }
}

/// Down to a place at random, seldom near the top.
fn change_somewhere(at: &mut Value, whole: &Value, choices: &mut Choices) {
    if choices.once_in(4) {
        return change_here(at, whole, choices);
    }
    let inner = match at {
        Value::Array(items) if !items.is_empty() => {
            let index = choices.below(items.len());
            items.get_mut(index)
        }
        Value::Object(fields) if !fields.is_empty() => {
            let index = choices.below(fields.len());
            fields.values_mut().nth(index)
        }
        _ => return change_here(at, whole, choices),
    };
    if let Some(inner) = inner {
        change_somewhere(inner, whole, choices);
    }
}

fn change_here(at: &mut Value, whole: &Value, choices: &mut Choices) {
    match (choices.below(5), &mut *at) {
        (0, Value::Array(items)) if !items.is_empty() => {
            let index = choices.below(items.len());
            let item = items[index].clone();
            items.extend(std::iter::repeat_n(item, choices.times().min(2000)));
        }
        (1, Value::Array(items)) if !items.is_empty() => {
            let index = choices.below(items.len());
            items.remove(index);
        }
        (0, Value::Object(fields)) => {
            let key = fields.keys().nth(choices.below(fields.len())).cloned();
            key.and_then(|key| fields.shift_remove(&key));
        }
        (1, Value::Object(fields)) => {
            fields.insert(choices.text(), json!(0));
        }
        (0..=2, Value::String(text)) => {
            let place = text.char_indices().nth(choices.below(text.chars().count() + 1));
            let place = place.map_or(text.len(), |(place, _)| place);
            text.insert_str(place, &choices.text());
        }
        _ => *at = any(whole, choices),
    }
}

/// Some value, or a part of `whole`.
pub(crate) fn any(whole: &Value, choices: &mut Choices) -> Value {
    match choices.below(12) {
        0 => Value::Null,
        1 => choices.once_in(2).into(),
        2..=4 => number(choices),
        5 | 6 => choices.text().into(),
        7 => json!([]),
        8 => Value::Object(Map::new()),
        9 => (0..choices.times()).map(|_| json!(0)).collect(),
        10 => {
            let mut nested = json!(1);
            for _ in 0..choices.times().min(100) {
                nested = if choices.once_in(2) { json!([nested]) } else { json!({ "a": nested }) };
            }
            nested
        }
        _ => part_of(whole, choices),
    }
}

fn number(choices: &mut Choices) -> Value {
    match choices.below(6) {
        0 => json!(1e308),
        1 => json!(-1e-320),
        2 => json!(choices.below(1000) as f64 / 997.0),
        _ => {
            let number = choices.integer();
            i64::try_from(number).map(Value::from).or(u64::try_from(number).map(Value::from)).unwrap_or(json!(0))
        }
    }
}

fn part_of(whole: &Value, choices: &mut Choices) -> Value {
    let mut at = whole;
    loop {
        at = match at {
            Value::Array(items) if !items.is_empty() => choices.pick(items),
            Value::Object(fields) if !fields.is_empty() => match fields.values().nth(choices.below(fields.len())) {
                Some(next) => next,
                None => return at.clone(),
            },
            _ => return at.clone(),
        };
        if choices.once_in(4) {
            return at.clone();
        }
    }
}

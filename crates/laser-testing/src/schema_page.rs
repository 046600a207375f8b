//! JSON Schemas as a page of the book.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A page with the fields of some schemas, in the order in which they are added, and then what several of them refer to.
#[derive(Debug, Default)]
pub struct SchemaPage {
    text: String,
    parts: BTreeMap<String, Value>,
}

impl SchemaPage {
    /// A page that begins with `head`.
    pub fn new(head: &str) -> Self {
        Self { text: head.to_owned(), parts: BTreeMap::new() }
    }

    /// Adds a section: what `heading` is, and its fields. `link` is where the schema is.
    pub fn add(&mut self, heading: &str, about: &str, link: &str, schema: &Value) {
        let _ = write!(self.text, "\n## {heading}\n\n{about}\n[Schema]({link}).\n\n");
        match schema.get("items") {
            Some(item) => {
                let _ = writeln!(self.text, "A list of {}.", kind(item));
            }
            None => self.text.push_str(&fields(schema)),
        }
        for (name, part) in schema["$defs"].as_object().into_iter().flatten() {
            let known = self.parts.insert(name.clone(), part.clone());
            assert!(known.is_none_or(|known| known == *part), "{name} is two different things");
        }
    }

    /// The whole page. What another page, `other`, has of these parts is linked there.
    pub fn text(mut self, other: &str, there: &[&Value]) -> String {
        let mut text = std::mem::take(&mut self.text);
        let of_others: Vec<&String> =
            there.iter().filter_map(|schema| schema["$defs"].as_object()).flat_map(Map::keys).collect();
        text.push_str("\n# Parts\n");
        for (name, part) in &self.parts {
            if of_others.contains(&name) {
                continue;
            }
            let about = description(part);
            let about = if about.is_empty() { String::new() } else { format!("{}\n\n", wrapped(&about)) };
            let _ = write!(text, "\n## {name}\n\n{about}{}", fields(part));
        }
        for name in of_others {
            let anchor = name.to_lowercase();
            text = text.replace(&format!("](#{anchor})"), &format!("]({other}#{anchor})"));
        }
        text
    }
}

/// The fields of an object as a table, or its alternatives.
fn fields(schema: &Value) -> String {
    let mut text = String::new();
    if let Some(properties) = schema["properties"].as_object() {
        text.push_str("| field | type | meaning |\n| --- | --- | --- |\n");
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in properties {
            let optional = if required.contains(&name.as_str()) { "" } else { ", may be left out" };
            let _ = writeln!(text, "| `{name}` | {}{optional} | {} |", kind(field), cell(&description(field)));
        }
    }
    if let Some(alternatives) = alternatives(schema) {
        text.push_str("| one of | meaning |\n| --- | --- |\n");
        for alternative in alternatives {
            let _ = writeln!(text, "| {} | {} |", cell(&shape(alternative)), cell(&description(alternative)));
        }
    }
    if text.is_empty() {
        let _ = writeln!(text, "{}.", capital(&kind(schema)));
    }
    text
}

/// The alternatives of a schema that are objects or values of their own.
fn alternatives(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("oneOf").or(schema.get("anyOf")).and_then(Value::as_array)
}

/// An alternative: the value that it is, or its fields.
fn shape(schema: &Value) -> String {
    match schema["properties"].as_object() {
        Some(properties) => object(properties),
        None => kind(schema),
    }
}

fn object(properties: &Map<String, Value>) -> String {
    let fields = properties.iter().map(|(name, field)| format!("`{name}`: {}", kind(field)));
    fields.collect::<Vec<_>>().join(", ")
}

/// What a value is, in words.
fn kind(schema: &Value) -> String {
    if let Some(part) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return format!("[{part}](#{})", part.to_lowercase());
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
    }
    if let Some(alternatives) = alternatives(schema) {
        return alternatives.iter().map(shape).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(name) => of_type(name, schema),
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str).map(|name| of_type(name, schema));
            names.collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

fn of_type(name: &str, schema: &Value) -> String {
    match (name, schema) {
        ("array", schema) if schema.get("prefixItems").is_some() => {
            let items: Vec<String> = schema["prefixItems"].as_array().into_iter().flatten().map(kind).collect();
            format!("list of {} items: {}", items.len(), items.join(", "))
        }
        ("array", schema) => match schema["minItems"].as_u64().filter(|_| schema.get("maxItems").is_some()) {
            Some(count) => format!("list of {count}: {}", kind(&schema["items"])),
            None => format!("list of {}", kind(&schema["items"])),
        },
        ("object", schema) => match (schema["properties"].as_object(), schema.get("additionalProperties")) {
            (Some(properties), _) => format!("object with {}", object(properties)),
            (None, Some(value)) => format!("object of {}", kind(value)),
            (None, None) => "object".to_owned(),
        },
        (name, _) => name.to_owned(),
    }
}

fn description(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().to_owned()
}

/// Characters of a line of text.
const LINE: usize = 100;

/// A paragraph in lines.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= LINE => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

//! Templates and patterns: what task files compute with.

use laser_python::{PythonRegex, RegexError, Replacement};
use laser_template::{Dialect, Environment};
use serde_json::{Map, Value, json};

/// A row as a template sees it.
fn row() -> Map<String, Value> {
    let row = json!({
        "question": "What is 2 + 2? <b>&amp;</b>\n  Say it.", "answer": 4, "choices": ["three", "four", 5, null],
        "nested": {"a": [1, 2.5, {"b": "é"}], "text": ""}, "flag": true, "none": null, "number": -3.25,
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}],
        "tools": [{"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "number"}}}}],
        "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": true,
    });
    match row {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

pub(crate) fn template(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let row = row();
    for dialect in [Dialect::Task, Dialect::Chat] {
        let environment = Environment::new(dialect);
        if let Ok(template) = environment.template(text) {
            let _ = template.render(&row);
        }
        if let Ok(expression) = environment.expression(text)
            && let Ok(value) = expression.evaluate(&row)
        {
            let _ = (value.to_string(), value.to_json(), value.to_str(), value.items());
        }
    }
    let _ = laser_template::literal(text);
}

/// The first line is a pattern, the second what its matches become, the rest a text.
pub(crate) fn pattern(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.splitn(3, '\n');
    let [pattern, by, text] = [lines.next(), lines.next(), lines.next()].map(Option::unwrap_or_default);
    let by_groups = Replacement::new(by);
    let Ok(regex) = PythonRegex::new(pattern) else { return };
    // Each search of a text may take a second; here all of them together.
    let nothing = by_groups.unwrap_or_else(|_| Replacement::text(""));
    if let Err(RegexError::Slow { .. }) = regex.substituted(text, &nothing, usize::MAX, 1 << 20, &mut 2_000_000) {
        return;
    }
    let _ = (regex.find_all(text), regex.replaced(text, by));
    let _ = PythonRegex::all_removed(&[regex], text);
    let _ = PythonRegex::new(&laser_python::escaped(pattern)).map(|literal| literal.find_all(pattern));
}

//! Renders templates: each line of the input is `{"template": ..., "row": {...}}`, and each line of the output says
//! whether it compiles, and its text or the error. `interop/templates.py` compares them with Jinja2's.

use std::io::{self, BufRead, Write};

use laser_template::{Dialect, Environment};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let dialect = match std::env::args().nth(1).as_deref() {
        Some("chat") => Dialect::Chat,
        _ => Dialect::Task,
    };
    let environment = Environment::new(dialect);
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line?)?;
        let row = case["row"].as_object().cloned().unwrap_or_default();
        let result = match environment.template(case["template"].as_str().unwrap_or_default()) {
            Ok(template) => match template.render(&row) {
                Ok(text) => json!({"compiles": true, "text": text}),
                Err(error) => json!({"compiles": true, "error": error.to_string()}),
            },
            Err(error) => json!({"compiles": false, "error": error.to_string()}),
        };
        writeln!(out, "{result}")?;
    }
    Ok(())
}

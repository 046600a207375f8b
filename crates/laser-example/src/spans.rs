//! Named entities in a generated text.

use crate::error::ExampleError;
use laser_python::PythonRegex;
use laser_python::text::strip;

/// Labels that models write, and the kind that each stands for.
const LABELS: [(&str, &str); 15] = [
    ("person", "PER"),
    ("location", "LOC"),
    ("organization", "ORG"),
    ("counties", "LOC"),
    ("places", "LOC"),
    ("people", "PER"),
    ("persons", "PER"),
    ("company", "ORG"),
    ("country", "LOC"),
    ("continent", "LOC"),
    ("time", "DATE"),
    ("date", "DATE"),
    ("per", "PER"),
    ("loc", "LOC"),
    ("org", "ORG"),
];

/// lm-evaluation-harness's `format_span`: `kind: name` for each entity that a text lists, with ` $ `
/// between them.
pub fn named_spans(text: &str) -> Result<String, ExampleError> {
    let mut text = text.to_lowercase();
    for (label, kind) in LABELS {
        let pattern = PythonRegex::new(&format!("\\b{label}\\s*:"))?;
        text = pattern.replaced(&text, &format!("{kind}:"))?;
    }
    let text = text.replace("$$", "$");
    let text = text.trim_end_matches('$').replace('\n', "$");
    let listed = PythonRegex::new(r"\b(PER|LOC|ORG|DATE):\s*([^$]+)")?.find_all(strip(&text))?;
    let mut spans = Vec::new();
    for groups in &listed {
        let [kind, names] = groups.as_slice() else { continue };
        let names = names.split(',').map(strip).filter(|name| !name.eq_ignore_ascii_case("none"));
        spans.extend(names.map(|name| format!("{}: {name}", kind.to_lowercase())));
    }
    Ok(spans.join(" $ "))
}

//! Named entities in a generated text.

use std::sync::LazyLock;

use crate::error::ExampleError;
use laser_python::text::strip;
use laser_python::{PythonRegex, RegexError};

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

/// A pattern for each label, and the one of the entities.
static PATTERNS: LazyLock<Result<(Vec<PythonRegex>, PythonRegex), RegexError>> = LazyLock::new(|| {
    let labels = LABELS.iter().map(|(label, _)| PythonRegex::new(&format!("\\b{label}\\s*:")));
    Ok((labels.collect::<Result<_, _>>()?, PythonRegex::new(r"\b(PER|LOC|ORG|DATE):\s*([^$]+)")?))
});

/// lm-evaluation-harness's `format_span`: `kind: name` for each entity that a text lists, with ` $ `
/// between them.
pub fn named_spans(text: &str) -> Result<String, ExampleError> {
    let (labels, listed) = PATTERNS.as_ref().map_err(Clone::clone)?;
    let mut text = text.to_lowercase();
    for (pattern, (_, kind)) in labels.iter().zip(LABELS) {
        text = pattern.replaced(&text, &format!("{kind}:"))?;
    }
    let text = text.replace("$$", "$");
    let text = text.trim_end_matches('$').replace('\n', "$");
    let listed = listed.find_all(strip(&text))?;
    let mut spans = Vec::new();
    for groups in &listed {
        let [kind, names] = groups.as_slice() else { continue };
        let names = names.split(',').map(strip).filter(|name| !name.eq_ignore_ascii_case("none"));
        spans.extend(names.map(|name| format!("{}: {name}", kind.to_lowercase())));
    }
    Ok(spans.join(" $ "))
}

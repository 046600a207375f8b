//! The keys and values of a YAML file, with those of the files that it includes.

use std::path::Path;

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use crate::source::Source;
use crate::{TaskError, YamlError, data::without_bom};

/// Files may include files that include files: so many, and no more, which also ends circles.
const MOST_INCLUDES: usize = 16;

/// Opens a file by its path in the YAML.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> Result<Source, TaskError>;

/// Complains about a file's text where that says more, such as the line, than its keys would.
pub type CheckText<'a> = &'a dyn Fn(&str) -> Result<(), serde_yaml_ng::Error>;

#[derive(Deserialize)]
#[serde(untagged, expecting = "include: expected a path or a list of paths")]
enum Paths {
    One(String),
    Many(Vec<String>),
}

/// The keys of a file over those of the files that it includes, the later of them over the earlier.
/// A tag is an error.
pub fn keys_of(source: &Source, read: ReadFile, check: CheckText) -> Result<Mapping, TaskError> {
    let mut includes = 0;
    let keys = merged(source, Path::new(""), read, check, &mut includes)?;
    match first_tag("", &keys) {
        Some((key, tag)) => Err(problem(source, YamlError::Tag { key, tag })),
        None => Ok(keys),
    }
}

fn merged(
    source: &Source,
    folder: &Path,
    read: ReadFile,
    check: CheckText,
    includes: &mut usize,
) -> Result<Mapping, TaskError> {
    let text = std::str::from_utf8(without_bom(&source.bytes)).map_err(|_| problem(source, YamlError::Utf8))?;
    // Types would hide a tag, a `!function` would be read as plain text; but only they know the line of a wrong key.
    let own: Value = serde_yaml_ng::from_str(text).map_err(|error| wrong(source, &error))?;
    let own = match own {
        Value::Mapping(own) => own,
        // An empty file has no key.
        _ => Mapping::new(),
    };
    if first_tag("", &own).is_none() {
        check(text).map_err(|error| wrong(source, &error))?;
    }
    let paths = match own.get("include") {
        None => Vec::new(),
        Some(value) => match serde_yaml_ng::from_value(value.clone()).map_err(|error| wrong(source, &error))? {
            Paths::One(path) => vec![path],
            Paths::Many(paths) => paths,
        },
    };
    let mut all = Mapping::new();
    for path in paths {
        *includes += 1;
        if *includes > MOST_INCLUDES {
            let help = "too many files include one another; put their keys into one".to_owned();
            return Err(problem(source, YamlError::Unsupported { key: "include".to_owned(), value: path, help }));
        }
        let path = folder.join(path);
        let included = read(&path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        all.extend(merged(&included, folder, read, check, includes)?);
    }
    all.extend(own);
    all.remove("include");
    Ok(all)
}

/// What the YAML parser says of a file.
pub fn wrong(source: &Source, error: &serde_yaml_ng::Error) -> TaskError {
    let message = error.to_string();
    // The place stands before the message already.
    let what = match message.rsplit_once(" at line ") {
        Some((what, _)) => what,
        None => &message,
    };
    let what = laser_example::plain(what).replace("unknown field", "unknown key");
    let what = match what.split_once(", expected one of ") {
        // A task has too many keys for one line.
        Some((what, keys)) if keys.matches(", ").count() > 20 => {
            format!("{what}: docs/tasks.md lists the keys that are read")
        }
        _ => what,
    };
    // These two are noticed only at the end of a mapping, and their place is its start.
    let late = what.contains(": expected ") || what.starts_with("duplicate entry");
    let line = error.location().filter(|_| !late).map(|it| it.line());
    TaskError::Yaml { file: source.name.clone(), line, problem: YamlError::Parse { what } }
}

/// The first tagged value, and the key that it stands under.
fn first_tag(key: &str, keys: &Mapping) -> Option<(String, String)> {
    keys.iter().find_map(|(name, value)| tag_in(name.as_str().unwrap_or(key), value))
}

fn tag_in(key: &str, value: &Value) -> Option<(String, String)> {
    match value {
        Value::Tagged(tagged) => Some((key.to_owned(), tagged.tag.to_string())),
        Value::Sequence(items) => items.iter().find_map(|item| tag_in(key, item)),
        Value::Mapping(pairs) => first_tag(key, pairs),
        _ => None,
    }
}

fn problem(source: &Source, problem: YamlError) -> TaskError {
    TaskError::Yaml { file: source.name.clone(), line: None, problem }
}

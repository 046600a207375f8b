//! The keys and values of a YAML file, with those of the files that it includes.

use std::path::Path;

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::any_yaml;
use crate::source::Source;
use crate::{TaskError, YamlError, data::without_bom};

/// Files may include files that include files: so many, and no more, which also ends circles.
pub const MOST_INCLUDES: usize = 16;

/// Opens a file by its path in the YAML.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> Result<Source, TaskError>;

/// Complains about a key of a file, which holds nothing else.
pub type CheckKey<'a> = &'a dyn Fn(&Mapping) -> Result<(), serde_yaml_ng::Error>;

#[derive(Deserialize)]
#[serde(untagged, expecting = "include: expected a path or a list of paths")]
enum Paths {
    One(String),
    Many(Vec<String>),
}

/// The keys of a file over those of the files that it includes, the later of them over the earlier.
/// A key that is null is none. A tag is an error.
pub fn keys_of(source: &Source, read: ReadFile, check: CheckKey) -> Result<Mapping, TaskError> {
    let keys = keys_and_tags(source, read, check)?;
    without_tags(&keys, source)?;
    Ok(keys)
}

/// The same, whatever tags the values have.
pub fn keys_and_tags(source: &Source, read: ReadFile, check: CheckKey) -> Result<Mapping, TaskError> {
    let mut includes = 0;
    let mut keys = merged(source, Path::new(""), read, check, &mut includes)?;
    keys.retain(|_, value| !value.is_null());
    Ok(keys)
}

/// Refuses a value with a tag.
pub fn without_tags(keys: &Mapping, source: &Source) -> Result<(), TaskError> {
    match first_tag("", keys) {
        Some((key, tag)) => Err(problem(source, YamlError::Tag { key, tag })),
        None => Ok(()),
    }
}

/// A file's own keys.
pub fn parsed(source: &Source) -> Result<Mapping, TaskError> {
    match any_yaml::read(text_of(source)?).map_err(|error| wrong(source, &error))? {
        Value::Mapping(own) => Ok(own),
        Value::Null => Ok(Mapping::new()),
        _ => {
            let what = "expected keys and values".to_owned();
            Err(problem(source, YamlError::Parse { what }))
        }
    }
}

/// The files that a file's own keys include.
pub fn included(own: &Mapping, source: &Source) -> Result<Vec<String>, TaskError> {
    let Some(value) = own.get("include") else { return Ok(Vec::new()) };
    Ok(match serde_yaml_ng::from_value(value.clone()).map_err(|error| wrong(source, &error))? {
        Paths::One(path) => vec![path],
        Paths::Many(paths) => paths,
    })
}

fn text_of(source: &Source) -> Result<&str, TaskError> {
    std::str::from_utf8(without_bom(&source.bytes)).map_err(|_| problem(source, YamlError::Utf8))
}

fn merged(
    source: &Source,
    folder: &Path,
    read: ReadFile,
    check: CheckKey,
    includes: &mut usize,
) -> Result<Mapping, TaskError> {
    let (own, text) = (parsed(source)?, text_of(source)?);
    // A tag is found once it is known whether the key is used: another file may replace it.
    for (key, value) in own.iter().filter(|(_, value)| !value.is_null() && tag_of("", value).is_none()) {
        let alone = Mapping::from_iter([(key.clone(), value.clone())]);
        check(&alone).map_err(|error| at_key(source, text, key, &error))?;
    }
    let paths = included(&own, source)?;
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
        Some((what, keys)) if what.contains("unknown key `") => {
            let (_, found) = what.rsplit_once("unknown key `").unwrap_or_default();
            let nearest = laser_guard::did_you_mean(found.trim_end_matches('`'), keys.split('`').skip(1).step_by(2));
            match keys.matches(", ").count() > 20 {
                // A task has too many keys for one line.
                true => format!("{what}: {nearest}docs/tasks.md lists the keys that are read"),
                false => format!("{what}: {nearest}the keys are {keys}"),
            }
        }
        _ => what,
    };
    TaskError::Yaml {
        file: source.name.clone(),
        line: error.location().map(|it| it.line()),
        problem: YamlError::Parse { what },
    }
}

/// What is said of the keys of several files, of which none has the line.
pub fn wrong_keys(source: &Source, error: &serde_yaml_ng::Error) -> TaskError {
    match wrong(source, error) {
        TaskError::Yaml { file, problem, .. } => TaskError::Yaml { file, line: None, problem },
        other => other,
    }
}

/// What is said of one key of a file, with the line where the key stands last.
fn at_key(source: &Source, text: &str, key: &Value, error: &serde_yaml_ng::Error) -> TaskError {
    let mut complaint = wrong_keys(source, error);
    if let (TaskError::Yaml { line, .. }, Some(key)) = (&mut complaint, key.as_str()) {
        let here = |written: &str| {
            let name = written.trim_start_matches(['"', '\'']).strip_prefix(key);
            name.is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
        };
        *line = text.lines().enumerate().filter(|(_, written)| here(written)).last().map(|(before, _)| before + 1);
    }
    complaint
}

/// The first tagged value, and the key that it stands under.
fn first_tag(key: &str, keys: &Mapping) -> Option<(String, String)> {
    keys.iter().find_map(|(name, value)| tag_of(name.as_str().unwrap_or(key), value))
}

fn tag_of(key: &str, value: &Value) -> Option<(String, String)> {
    match value {
        Value::Tagged(tagged) => Some((key.to_owned(), tagged.tag.to_string())),
        Value::Sequence(items) => items.iter().find_map(|item| tag_of(key, item)),
        Value::Mapping(pairs) => first_tag(key, pairs),
        _ => None,
    }
}

fn problem(source: &Source, problem: YamlError) -> TaskError {
    TaskError::Yaml { file: source.name.clone(), line: None, problem }
}

//! The tasks inside the program: the same YAML and JSONL that users write, read by the same code.

use std::io;

use crate::{Source, Task, TaskError, yaml};

struct Builtin {
    name: &'static str,
    yaml: &'static str,
    data_file: &'static str,
    data: &'static str,
}

const BUILTINS: &[Builtin] = &[Builtin {
    name: "facts",
    yaml: include_str!("../tasks/facts.yaml"),
    data_file: "facts.jsonl",
    data: include_str!("../tasks/facts.jsonl"),
}];

pub(crate) fn names() -> Vec<&'static str> {
    BUILTINS.iter().map(|builtin| builtin.name).collect()
}

/// The built-in task of that name, if there is one.
pub(crate) fn open(name: &str) -> Option<Result<Task, TaskError>> {
    let builtin = BUILTINS.iter().find(|builtin| builtin.name == name)?;
    let source = Source { name: format!("{name}.yaml (built in)"), bytes: builtin.yaml.into() };
    Some(yaml::task(&source, name, &|path| {
        let name = format!("{path} (built in)");
        match path == builtin.data_file {
            true => Ok(Source { name, bytes: builtin.data.into() }),
            false => Err(TaskError::Read { file: name, source: io::ErrorKind::NotFound.into() }),
        }
    }))
}

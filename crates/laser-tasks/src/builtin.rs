//! The tasks inside the program: the same YAML that users write, read by the same code.

use std::io;
use std::path::Path;

use crate::card::Card;
use crate::source::Source;
use crate::{OpenOptions, Task, TaskError, yaml};

/// A task file that is part of the program, and its data where that is, too.
pub(crate) struct Builtin {
    name: &'static str,
    yaml: &'static str,
    data: Option<(&'static str, &'static str)>,
}

macro_rules! builtins {
    ($($name:literal),* $(,)?) => {
        &[$(Builtin { name: $name, yaml: include_str!(concat!("../tasks/", $name, ".yaml")), data: None }),*]
    };
}

const FACTS: Builtin = Builtin {
    name: "facts",
    yaml: include_str!("../tasks/facts.yaml"),
    data: Some(("facts.jsonl", include_str!("../tasks/facts.jsonl"))),
};

/// Those of the paper, and those of its published code that the paper leaves out.
const PAPER: &[Builtin] = builtins![
    "counterfact",
    "hotpotqa",
    "fever",
    "bios_gender",
    "bios_profession",
    "truthfulqa",
    "epistemic_reasoning",
    "qa_wikidata",
    "causal_judgment",
    "web_of_lies",
];

fn all() -> impl Iterator<Item = &'static Builtin> {
    std::iter::once(&FACTS).chain(PAPER)
}

pub(crate) fn names() -> Vec<&'static str> {
    all().map(|builtin| builtin.name).collect()
}

/// The built-in task of that name, if there is one.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    all().find(|builtin| builtin.name == name)
}

impl Builtin {
    /// The task, with the data that is part of the program, given or fetched.
    pub fn open(&self, options: &OpenOptions) -> Result<Task, TaskError> {
        yaml::task(&self.source(), self.name, &|path| self.read(path), options)
    }

    /// What the task says about itself.
    pub fn card(&self) -> Result<Card, TaskError> {
        yaml::card(&self.source(), self.name, &|path| self.read(path))
    }

    /// The data that is part of the program.
    fn read(&self, path: &Path) -> Result<Source, TaskError> {
        match self.data {
            Some((name, text)) if path == Path::new(name) => {
                Ok(Source { name: format!("{name} (built in)"), bytes: text.into() })
            }
            _ => {
                let file = format!("{} (built in)", path.display());
                Err(TaskError::Read { file, source: io::ErrorKind::NotFound.into() })
            }
        }
    }

    fn source(&self) -> Source {
        Source { name: format!("{}.yaml (built in)", self.name), bytes: self.yaml.into() }
    }
}

//! Tasks that another language makes, and whose answers it may judge: a harness's, or a program's own.

use crate::error::{Error, Result};
use laser_engine::{Asked, Judge, Request};
use laser_example::Example;
use laser_run::ResultKind;
use laser_tasks::Task;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What begins the name of a task that is made: lm-evaluation-harness's, or one of a Python program.
const PREFIXES: [&str; 2] = ["lm_eval:", "python:"];

static MAKER: OnceLock<Arc<dyn TaskMaker>> = OnceLock::new();

/// Makes the tasks whose names begin with `lm_eval:` or `python:`.
pub trait TaskMaker: Send + Sync {
    /// The task of this name, by the metric that is named.
    ///
    /// # Errors
    /// Why there is none, in one line.
    fn make(&self, spec: &str, metric: Option<&str>) -> Result<ReadTask, String>;
}

/// Has `maker` make tasks, unless another does already.
pub fn offer_tasks(maker: Arc<dyn TaskMaker>) {
    // The first stays: a process has one Python.
    let _ = MAKER.set(maker);
}

/// A task, and who judges its answers.
#[derive(Debug, Clone)]
pub struct ReadTask {
    /// The task.
    pub task: Task,
    /// Who says what answers are worth, where it is not the task's own rule.
    pub judging: Option<Judging>,
}

impl ReadTask {
    /// The task, if it is scored by its own rule.
    pub(crate) fn by_its_own_rule(self) -> Result<Task> {
        match self.judging {
            Some(_) => Err(Error::JudgedElsewhere { task: self.task.name }),
            None => Ok(self.task),
        }
    }
}

/// How answers are judged.
#[derive(Clone)]
pub struct Judging {
    /// What results are.
    pub kind: ResultKind,
    /// Who judges.
    pub judge: Arc<dyn Judge>,
    /// What is asked for an example, by its id; for others they are asked themselves.
    pub requests: Arc<HashMap<String, Vec<Request>>>,
    /// What the results depend on beside the examples, in a few words: it is a part of the task's digest.
    pub rule: String,
}

impl fmt::Debug for Judging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judging").field("kind", &self.kind).field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl Judging {
    /// What is asked for each of `examples`.
    ///
    /// # Errors
    /// If a continuation or a text is empty.
    pub fn asked(&self, examples: &[&Example]) -> Result<Vec<Asked>> {
        let asked = |example: &&Example| match self.requests.get(&example.id) {
            Some(requests) => Ok(Asked::of_example(requests, example)?),
            None => Ok(Asked::itself(example)),
        };
        examples.iter().map(asked).collect()
    }
}

/// Whether the name is one of a task that is made.
pub(crate) fn is_made(spec: &str) -> bool {
    PREFIXES.iter().any(|prefix| spec.starts_with(prefix))
}

/// Has the task made.
pub(crate) fn make(spec: &str, metric: Option<&str>) -> Result<ReadTask> {
    let failed = |why: String| Error::NotMade { spec: spec.to_owned(), why };
    let Some(maker) = MAKER.get() else {
        let why =
            "such tasks are made by Python: use the program of the Python package (pip install laser-rank lm_eval)";
        return Err(failed(why.to_owned()));
    };
    maker.make(spec, metric).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_python_its_tasks_are_refused_in_one_line() {
        assert!(is_made("lm_eval:hellaswag") && !is_made("facts") && !is_made("C:/lm_eval.yaml"));
        let error = make("lm_eval:hellaswag", None).unwrap_err().to_string();
        assert!(error.starts_with("lm_eval:hellaswag: ") && error.contains("pip install laser-rank"), "{error}");
    }
}

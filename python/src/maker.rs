//! Tasks that Python makes (`laser_rank._tasks`), and its functions as judges of answers.

use crate::listener::remember;
use laser::engine::{Answer, Judge, Request};
use laser::example::Example;
use laser::run::{ResultKind, ScorerError};
use laser::tasks::Task;
use laser::{Judging, ReadTask, TaskMaker};
use pyo3::prelude::*;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

/// Asks Python for tasks.
pub struct PythonTasks;

/// A task, as Python writes it down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    /// JSON Lines of a bare task, in place of examples.
    rows: Option<String>,
    #[serde(default)]
    examples: Vec<Example>,
    #[serde(default)]
    requests: HashMap<String, Vec<Request>>,
    #[serde(default)]
    kind: ResultKind,
    #[serde(default)]
    rule: String,
    #[serde(default)]
    notes: Vec<String>,
}

impl TaskMaker for PythonTasks {
    fn make(&self, spec: &str, metric: Option<&str>) -> Result<ReadTask, String> {
        let (written, judge) = Python::attach(|py| -> PyResult<(String, Option<Py<PyAny>>)> {
            py.import("laser_rank._tasks")?.call_method1("make", (spec, metric))?.extract()
        })
        .map_err(remember)?;
        let written: Written = serde_json::from_str(&written).map_err(|error| error.to_string())?;
        if let Some(example) = written.examples.iter().find(|example| !example.is_whole()) {
            return Err(format!("example {} has no answer: give it one", example.id));
        }
        let task = match &written.rows {
            Some(rows) => Task::from_jsonl(&written.name, rows.as_bytes()),
            None => Task::new(&written.name, written.examples),
        };
        let mut task = task.map_err(|error| error.to_string())?;
        task.notes = written.notes;
        let judging = judge.map(|function| Judging {
            kind: written.kind,
            judge: Arc::new(PythonJudge(function)),
            requests: Arc::new(written.requests),
            rule: written.rule,
        });
        Ok(ReadTask { task, judging })
    }
}

/// A Python function of an example's id and, as JSON, its answers.
struct PythonJudge(Py<PyAny>);

impl Judge for PythonJudge {
    fn judge(&self, id: &str, answers: &[Answer]) -> Result<f64, ScorerError> {
        let answers = serde_json::to_string(answers)?;
        let judged = Python::attach(|py| self.0.call1(py, (id, answers))?.extract(py));
        judged.map_err(|error| remember(error).into())
    }
}

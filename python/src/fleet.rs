//! Workers of Ray (`laser_rank.ray`): what a driver has of them, and what each has of the engine.

use crate::listener::{Told, remember};
use laser::fleet::{Fleet, Job, Take};
use laser::run::{RunDescription, ScorerError};
use laser::{FleetMaker, FleetSize};
use pyo3::prelude::*;
use std::fmt;
use std::sync::Arc;

/// Has Python start workers.
pub struct PythonFleets;

impl FleetMaker for PythonFleets {
    fn make(&self, words: &[String], size: FleetSize) -> Result<Arc<dyn Fleet>, String> {
        let FleetSize { workers, cpus, gpus } = size;
        let pool = Python::attach(|py| {
            let pool = py.import("laser_rank.ray")?.getattr("Pool")?;
            pool.call1((words.to_vec(), workers, cpus, gpus)).map(Bound::unbind)
        });
        Ok(Arc::new(PythonFleet(pool.map_err(remember)?)))
    }
}

/// A `laser_rank.ray.Pool`.
struct PythonFleet(Py<PyAny>);

impl fmt::Debug for PythonFleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PythonFleet")
    }
}

impl PythonFleet {
    fn ask<T>(&self, ask: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> Result<T, ScorerError> {
        Python::attach(|py| ask(self.0.bind(py))).map_err(|error| remember(error).into())
    }
}

impl Fleet for PythonFleet {
    fn opened(&self, kernels: Option<&str>) -> Result<Option<RunDescription>, ScorerError> {
        let opened: Option<String> = self.ask(|pool| pool.call_method1("opened", (kernels,))?.extract())?;
        Ok(opened.map(|opened| serde_json::from_str(&opened)).transpose()?)
    }

    fn workers(&self) -> usize {
        Python::attach(|py| self.0.bind(py).getattr("workers")?.extract()).unwrap_or(1)
    }

    fn work(&self, jobs: &[Job], take: &mut Take) -> Result<(), ScorerError> {
        let jobs: Vec<(usize, f64, &str)> = jobs.iter().map(|job| (job.layer, job.size, job.text.as_str())).collect();
        let answers = self.ask(|pool| Ok(pool.call_method1("work", (jobs,))?.try_iter()?.unbind()))?;
        loop {
            let next: Option<Option<(usize, String)>> = self.ask(|pool| {
                let answer = answers.bind(pool.py()).clone().next().transpose()?;
                answer.map(|answer| answer.extract()).transpose()
            })?;
            match next {
                None => return Ok(()),
                Some(None) => take(None)?,
                Some(Some((number, text))) => take(Some((number, &text)))?,
            }
        }
    }
}

/// A model in memory that scores what a driver asks for.
#[pyclass(frozen, module = "laser_rank._native")]
pub struct Worker(laser::Worker);

#[pymethods]
impl Worker {
    #[new]
    fn new(py: Python<'_>, words: Vec<String>) -> PyResult<Self> {
        py.detach(|| laser::Worker::open(words)).map(Self).map_err(|error| crate::raised(&error))
    }

    /// The search that is open, as JSON.
    #[getter]
    fn opened(&self) -> &str {
        self.0.opened()
    }

    /// Does a job, and gives its answer.
    fn work(&self, py: Python<'_>, job: &str) -> PyResult<String> {
        py.detach(|| self.0.work(job)).map_err(|error| crate::raised(&error))
    }
}

/// What differs in the search that another worker has opened.
#[pyfunction]
pub fn difference(one: &str, other: &str) -> PyResult<Option<String>> {
    let read = |text| serde_json::from_str(text).map_err(|error| crate::Error::new_err(error.to_string()));
    let (one, other): (RunDescription, RunDescription) = (read(one)?, read(other)?);
    let kernels = (one.search.kernel_path != other.search.kernel_path).then(|| "search.kernel_path".to_owned());
    Ok(one.difference(&other).or(kernels))
}

/// Runs a search whose candidates the workers of `pool` score; gives what the program prints with `--json`.
#[pyfunction]
pub fn search_on(words: Vec<String>, pool: Py<PyAny>, listener: &Bound<'_, PyAny>) -> PyResult<String> {
    let told = Arc::new(Told::default());
    let fleet: Arc<dyn Fleet> = Arc::new(PythonFleet(pool));
    let found = told.wait(listener, || laser::search_on(&words, fleet, Arc::<Told>::clone(&told)))?;
    Ok(found.to_string())
}

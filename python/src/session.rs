//! A session, as Python holds it.

use crate::listener::Told;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;

#[pyclass(frozen, module = "laser_rank._native")]
pub struct Session {
    session: laser::Session,
    told: Arc<Told>,
    listener: Py<PyAny>,
}

#[pymethods]
impl Session {
    #[new]
    fn new(py: Python<'_>, arguments: Vec<String>, listener: Py<PyAny>) -> PyResult<Self> {
        let told = Arc::new(Told::default());
        let session =
            told.wait(listener.bind(py), || laser::Session::open_by(&arguments, Arc::<Told>::clone(&told)))?;
        Ok(Self { session, told, listener })
    }

    /// What a command of the program prints with `--json`.
    fn command(&self, py: Python<'_>, arguments: Vec<String>) -> PyResult<String> {
        let found = self.told.wait(self.listener.bind(py), || self.session.command(&arguments))?;
        Ok(found.to_string())
    }

    /// The answers of the model, edited, to requests; both are JSON.
    fn ask(&self, py: Python<'_>, edits: Vec<String>, requests: String) -> PyResult<String> {
        self.told.wait(self.listener.bind(py), || self.session.ask_json(&edits, &requests))
    }

    /// How many tokens the model can look at.
    #[getter]
    fn context_length(&self) -> usize {
        self.session.config().context_length
    }

    /// The edits of a recipe.
    fn recipe(&self, py: Python<'_>, path: PathBuf) -> PyResult<Vec<String>> {
        // The model's weights are read, to see that it is the recipe's.
        self.told.wait(self.listener.bind(py), || self.session.recipe(&path))
    }
}

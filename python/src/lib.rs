//! LASER for Python: what the module `laser_rank` is made of. No decision is made here.

#![allow(missing_docs, reason = "Python's documentation is in laser_rank/_native.pyi")]

mod fleet;
mod listener;
mod maker;
mod session;

use laser::edit::Candidate;
use laser::{CommandError, DemoFiles, program};
use pyo3::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

pyo3::create_exception!(laser_rank, Error, pyo3::exceptions::PyException, "Why something failed, in one line.");

pub(crate) fn raised(error: &CommandError) -> PyErr {
    Error::new_err(error.to_string())
}

/// The program `laser`; gives its exit code.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| program::main(&arguments))
}

#[pyfunction]
fn verdict(py: Python<'_>, run: PathBuf) -> PyResult<String> {
    py.detach(|| laser::verdict_document(&run)).map(|found| found.to_string()).map_err(|error| raised(&error))
}

#[pyfunction]
fn candidates(py: Python<'_>, run: PathBuf) -> PyResult<String> {
    py.detach(|| laser::scored_candidates(&run)).map(|found| found.to_string()).map_err(|error| raised(&error))
}

#[pyfunction]
fn summary_page(py: Python<'_>, run: PathBuf) -> PyResult<String> {
    py.detach(|| laser::summary_page(&run)).map_err(|error| raised(&error))
}

/// The text form of each of a candidate's edits, which are JSON.
#[pyfunction]
fn edit_texts(edits: &str) -> PyResult<Vec<String>> {
    let edits: Candidate = serde_json::from_str(edits).map_err(|error| Error::new_err(error.to_string()))?;
    Ok(edits.interventions().iter().map(ToString::to_string).collect())
}

/// Writes the model in a folder, edited, to another; it needs no tokenizer.
#[pyfunction]
fn write_weights(py: Python<'_>, model: PathBuf, edits: Vec<String>, out: PathBuf) -> PyResult<()> {
    py.detach(|| laser::write_weights(&model, &edits, &out)).map_err(|error| raised(&error))
}

/// Unpacks the demo's model and task.
#[pyfunction]
fn demo_files(folder: PathBuf) -> PyResult<(PathBuf, PathBuf)> {
    let files = DemoFiles::unpack(&folder).map_err(|error| Error::new_err(error.to_string()))?;
    Ok((files.model, files.task))
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    program::hush_caught_panics();
    laser::offer_tasks(Arc::new(maker::PythonTasks));
    laser::offer_fleets(Arc::new(fleet::PythonFleets));
    module.add("Error", module.py().get_type::<Error>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<session::Session>()?;
    module.add_class::<fleet::Worker>()?;
    module.add_function(wrap_pyfunction!(fleet::search_on, module)?)?;
    module.add_function(wrap_pyfunction!(fleet::difference, module)?)?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    module.add_function(wrap_pyfunction!(verdict, module)?)?;
    module.add_function(wrap_pyfunction!(candidates, module)?)?;
    module.add_function(wrap_pyfunction!(summary_page, module)?)?;
    module.add_function(wrap_pyfunction!(edit_texts, module)?)?;
    module.add_function(wrap_pyfunction!(write_weights, module)?)?;
    module.add_function(wrap_pyfunction!(demo_files, module)?)
}

//! Fleets that another language starts.

use crate::output::Usage;
use laser_fleet::Fleet;
use std::ffi::OsString;
use std::sync::{Arc, OnceLock};

static MAKER: OnceLock<Arc<dyn FleetMaker>> = OnceLock::new();

/// How large a fleet is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FleetSize {
    /// How many workers; none for as many as the cluster has room for.
    pub workers: Option<usize>,
    /// Processor cores of each.
    pub cpus: f64,
    /// GPUs of each.
    pub gpus: f64,
}

/// Starts fleets.
pub trait FleetMaker: Send + Sync {
    /// A fleet of workers that have each opened the search of these arguments of the program ([`Worker::open`](crate::Worker::open)).
    ///
    /// # Errors
    /// Why there is none, in one line.
    fn make(&self, words: &[String], size: FleetSize) -> Result<Arc<dyn Fleet>, String>;
}

/// Has `maker` start fleets, unless another does already.
pub fn offer_fleets(maker: Arc<dyn FleetMaker>) {
    // The first stays: a process has one Python.
    let _ = MAKER.set(maker);
}

/// The fleet that a search asks for.
pub(crate) fn made_fleet(words: &[OsString], size: FleetSize) -> anyhow::Result<Arc<dyn Fleet>> {
    let Some(maker) = MAKER.get() else {
        let why = "--engine ray: Ray's workers are Python's: use the program of the Python package (pip install \
                   'laser-rank[ray]')";
        return Err(Usage(why.into()).into());
    };
    let text = |word: &OsString| {
        word.to_str().map(str::to_owned).ok_or_else(|| Usage("--engine ray: an argument is not text: rename it".into()))
    };
    let words = words.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    maker.make(&words, size).map_err(anyhow::Error::msg)
}

//! Every kernel against plain formulas on random numbers, on whatever device: a GPU, or the shim in tests.
//!
//! Formulas are in f64, on the numbers as the device stores them. Each check also computes some rows alone: their bits must be
//! those that they have among the others.

mod blocks;
mod check;
mod mixtures;
mod random_numbers;
mod readings;

use crate::{Device, Result};
pub use check::{Check, Size};
pub use random_numbers::Numbers;

/// A check: a name for the case that it fails before it has one, and what it does.
pub type Named = (&'static str, fn(&Device, Size, &mut Numbers) -> Result<Vec<Check>>);

/// All checks.
pub const CHECKS: [Named; 9] = [
    ("embed", blocks::embed),
    ("norm", blocks::norms),
    ("rope", blocks::ropes),
    ("elementwise", blocks::elementwise),
    ("rows", blocks::rows),
    ("attention", mixtures::attentions),
    ("experts", mixtures::experts),
    ("read-out", readings::read_outs),
    ("linear", readings::products),
];

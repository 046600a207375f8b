//! Searching for edits: which candidates there are, which are scored next, and what comes of it. No model and no tensor: whatever
//! scores candidates is a [`Scorer`](laser_run::Scorer).
//!
//! A search space is a list of candidates ([`grid`], [`noise_edge`]). A [`Strategy`] proposes [`Job`]s from the [`History`] of
//! results. A [`Driver`] does them, and keeps the journal. [`search`] is the whole: it chooses the best candidate, scores it on
//! the test split, and judges it.
//!
//! ```
//! use laser_edit::MatrixKind;
//! use laser_matrix::Rho;
//! use laser_search::{Race, grid};
//! use std::num::NonZeroUsize;
//!
//! let rhos = [Rho::new(0.1)?, Rho::new(0.01)?];
//! let space = grid(&[26, 27], &[MatrixKind::FcIn.into()], &[NonZeroUsize::MIN], &rhos, false, &[])?;
//! assert_eq!(space[3].to_string(), "27.fc_in:0.01");
//! let strategy = Race::new(space);
//! # let _ = strategy;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod additive_model;
mod beam;
mod best_so_far;
mod by_gradient;
mod chance;
mod compose;
mod driver;
mod error;
mod evolve;
mod exhaustive;
#[cfg(test)]
mod fake;
mod history;
mod hurried;
mod job;
mod merged;
mod observations;
mod offspring;
mod paired;
mod pool;
mod race;
mod rehearsal;
mod search;
mod search_space;
mod strategy;
mod waiting;
mod within_limits;

pub use beam::Beam;
pub use by_gradient::Gradient;
pub use compose::Compose;
pub use driver::Driver;
pub use error::{Error, Result};
pub use evolve::Evolve;
pub use exhaustive::Exhaustive;
pub use history::History;
pub use job::Job;
pub use merged::Merged;
pub use race::Race;
pub use rehearsal::{Rehearsal, rehearse};
pub use search::{Finished, Plan, score_space, search};
pub use search_space::{grid, noise_edge};
pub use strategy::{Budget, Course, Strategy};

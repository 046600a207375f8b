//! Edits of a model's matrices: which matrix, what is done to it, and sets of edits.
//!
//! [`InterventionSpec`] is what a user types, [`Intervention`] one edit of one matrix, [`Candidate`] a set of them. What can
//! be done to a matrix is an [`Edit`]: each method is one file in `methods/` and one line of the registry there
//! (`docs/edits.md` says how to add one). The methods read a matrix through [`laser_matrix::Decompose`], so that nothing
//! here decomposes anything.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod candidate;
mod edit;
mod error;
mod fields;
mod intervention;
mod layer_range;
mod matrix_id;
mod matrix_kind;
mod method;
mod methods;
mod recipe;
mod spec;

pub use candidate::Candidate;
pub use edit::Edit;
pub use error::{EditError, Result};
pub use intervention::Intervention;
pub use layer_range::Layers;
pub use matrix_id::{MatrixGroup, MatrixId};
pub use matrix_kind::{MatrixKind, ModelShape};
pub use recipe::{FileHash, Recipe};
pub use spec::InterventionSpec;

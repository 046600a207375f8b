//! Edits of a model's matrices: which matrix, what is done to it, and sets of edits.
//!
//! [`InterventionSpec`] is what a user types, [`Intervention`] one edit of one matrix, [`Candidate`] a set of them. What can
//! be done to a matrix is an [`Edit`]: each method is one file in `methods/` and one line of the registry there
//! (`docs/edits.md` says how to add one). The methods read a matrix through [`laser_matrix::Decompose`], so that nothing
//! here decomposes anything.
//!
//! ```
//! use laser_edit::{Candidate, Edit, Intervention, MatrixKind};
//!
//! let edit: Edit = "0.01".parse()?;
//! let one = Intervention { layer: 27, matrix: MatrixKind::FcIn.into(), edit };
//! assert_eq!(one.to_string(), "27.fc_in:0.01");
//! let candidate = Candidate::new([one])?;
//! assert_eq!(serde_json::to_string(&candidate)?, r#"[{"layer":27,"matrix":"fc_in","rho":0.01}]"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A text such as `20-27.mlp:0.1` stands for an edit of each matrix of a model ([`InterventionSpec::expand`]).

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
mod schema;
mod spec;

/// What an edit method of one's own is made of; [`offer_edits`](custom::offer_edits) adds it. The library's examples have one.
pub mod custom {
    pub use crate::fields::{Fields, Kind, Value};
    pub use crate::method::{EditMethod, Equal, Form, Text, Wrong, fraction, unchanged};
    pub use crate::methods::offer_edits;
}

pub use candidate::Candidate;
pub use edit::Edit;
pub use error::{EditError, Result};
pub use intervention::Intervention;
pub use layer_range::Layers;
pub use matrix_id::{MatrixGroup, MatrixId};
pub use matrix_kind::{MatrixKind, ModelShape};
pub use recipe::{FileHash, Recipe};
pub use spec::InterventionSpec;

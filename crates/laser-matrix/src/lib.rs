//! Dense, low-rank and sparse matrices, and the decompositions that edits of a matrix ask for. Data only: `laser-linalg`
//! computes.
//!
//! An edit reads a matrix through [`Decompose`] and makes an [`EditedMatrix`] of it. A low-rank result stays factors
//! until somebody needs its entries.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod basis;
mod decompose;
mod edited;
mod low_rank;
mod matrix;
mod rho;
mod sparse;

pub use basis::{Basis, Observed, Stack};
pub use decompose::{Decompose, SvdError};
pub use edited::EditedMatrix;
pub use low_rank::LowRank;
pub use matrix::{Matrix, ShapeError};
pub use rho::{Rho, RhoError, rank_for};
pub use sparse::SparseMatrix;

//! Singular value decomposition and rank reduction of dense matrices.
//!
//! LASER (Sharma, Ash, Misra, arXiv 2312.13558, section 3) replaces a weight matrix W by its best rank-r approximation,
//! r = floor(rho * min(rows, cols)). [`Svd`] is exact, so that one decomposition serves every rho:
//!
//! ```
//! use laser_linalg::{Svd, product};
//! use laser_matrix::{Matrix, Rho, rank_for};
//!
//! let w = Matrix::new(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
//! let svd = Svd::of(&w)?;
//! let rank = rank_for(Rho::new(0.5)?, w.rows(), w.cols());
//! let reduced = product(&svd.components(&[0..rank]));
//! assert_eq!((reduced.rows(), reduced.cols()), (2, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`DecomposedMatrix`] is a matrix for edits, which keeps what has been decomposed of it.
//!
//! [`Spectrum`] is for looking at a matrix before it is reduced: the singular values alone, and what they say.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod block_svd;
mod careful_svd;
mod decomposed;
mod fallback;
mod marchenko_pastur;
mod nearest_low_rank;
mod power_iteration;
mod power_law;
mod product;
mod qr;
mod scale;
mod singular_values;
mod spectrum;
mod svd;
mod thin;
mod view;

pub use decomposed::DecomposedMatrix;
pub use product::{dense, product};
pub use spectrum::{FactoredSize, NoiseEdge, Spectrum, SpectrumError};
pub use svd::Svd;

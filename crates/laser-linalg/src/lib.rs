//! Singular value decomposition and rank reduction of dense matrices.
//!
//! LASER (Sharma, Ash, Misra, arXiv 2312.13558, section 3) replaces a weight matrix W by its best rank-r approximation,
//! r = floor(rho * min(rows, cols)). [`Svd`] is exact, so that one decomposition serves every rho:
//!
//! ```
//! use laser_linalg::{Matrix, Rho, Svd, rank_for};
//!
//! let w = Matrix::new(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
//! let svd = Svd::of(&w)?;
//! let reduced = svd.truncate(rank_for(Rho::new(0.5)?, w.rows(), w.cols()));
//! assert_eq!((reduced.rows(), reduced.cols()), (2, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Spectrum`] is for looking at a matrix before it is reduced: the singular values alone, and what they say.

mod ladder;
mod marchenko_pastur;
mod prune;
mod randomised;
mod row_blocks;
mod spectrum;
mod svd;
mod values;
mod view;

pub use laser_matrix::{Matrix, Rho, RhoError, ShapeError, SvdError, rank_for};
pub use marchenko_pastur::MarchenkoPastur;
pub use prune::magnitude_prune;
pub use randomised::randomised_truncate;
pub use row_blocks::{RowBlocks, truncate_row_blocks};
pub use spectrum::{FactoredSize, NoiseEdge, Spectrum, SpectrumError};
pub use svd::Svd;

//! The operations: each checks its operands, makes room for its result, and launches what computes it. Nothing waits.

mod activation;
mod experts;
mod indexed_attention;
mod normalisation;
mod product;
mod row_moves;
mod turning;
mod vocabulary;

pub use activation::Activation;
pub use experts::Routes;
pub use indexed_attention::{Attended, AttentionShape};
pub use normalisation::{Norm, NormKind};
pub use turning::{RotaryStyle, Rotation};
pub use vocabulary::{ReadOut, Reading, Wanted};

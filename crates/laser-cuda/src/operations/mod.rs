//! The operations: each checks its operands, makes room for its result, and launches what computes it. Nothing waits.

mod activation;
mod experts;
mod indexed_attention;
mod normalisation;
mod read_out;
mod row_moves;
mod turning;
mod weight_product;

pub use activation::Activation;
pub use experts::Routes;
pub use indexed_attention::{Attended, AttentionShape};
pub use normalisation::{Norm, NormKind};
pub use read_out::{ReadOut, Reading, Wanted};
pub use turning::{RotaryStyle, Rotation};

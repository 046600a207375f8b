//! The operations that a block spends its time in.
//!
//! On the CPU each is a kernel of our own (or faer's matrix product); on other devices, and where gradients are wanted, it is
//! composed of candle's operations. Every CPU kernel computes a row of its output from that row's inputs alone, in an order that depends
//! neither on the number of rows beside it nor on the number of threads. Batched, cached and one-by-one evaluation
//! therefore give the same bits.

mod attention;
mod elementwise;
mod linear;
mod meter;
mod norm;
mod panels;
mod readout;
mod rounded;
mod screen;
mod tiles;
mod vector;

pub use attention::{Context, Scores, attention};
pub use elementwise::{activate, add, gated};
pub use linear::linear;
pub use meter::{Products, products};
pub use norm::norm;
pub use panels::linear_in_panels;
pub use readout::{Reading, argmax, readout};
pub use rounded::{RoundedMatrix, has_bf16};
pub use screen::Screen;
pub use tiles::available as has_tiles;

use candle_core::{CpuStorage, Error, Layout, Result, Tensor};

/// Whether the kernels of our own compute an operation of these: on the CPU, and where no gradient is wanted.
fn is_ours(operands: &[&Tensor]) -> bool {
    operands.iter().all(|operand| operand.device().is_cpu() && !operand.track_op())
}

/// The contiguous f32 data behind a CPU tensor that a kernel received.
fn contiguous<'a>(op: &'static str, storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let data = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&data[start..end]),
        None => Err(Error::RequiresContiguous { op }.bt()),
    }
}

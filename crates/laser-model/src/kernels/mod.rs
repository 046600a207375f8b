//! The operations that a block spends its time in.
//!
//! On the CPU each is a kernel of our own (without AVX-512, faer's matrix product); on other devices, and where gradients are wanted, it is
//! composed of candle's operations. Every CPU kernel computes a row of its output from that row's inputs alone, in an order that depends
//! neither on the number of rows beside it nor on the number of threads. Batched, cached and one-by-one evaluation
//! therefore give the same bits.

mod attention;
mod elementwise;
mod linear;
mod meter;
mod norm;
mod packed;
mod panels;
mod readout;
mod rope;
mod screen;
mod vector;

pub use attention::{Context, Scores, attention};
pub use elementwise::{activate, add, gated};
pub use linear::linear;
pub use meter::{Products, products};
pub use norm::norm;
pub use packed::{PackedMatrix, Precision, available as packs};
pub use panels::linear_in_panels;
pub use readout::{Reading, read_packed, readout};
pub use rope::rope;
pub use screen::Screen;

use candle_core::{CpuStorage, Error, Layout, Result, Tensor};
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// A vector of `len` values that `fill` writes, by all threads, `chunk` at a time; it gets each chunk's number, and zeros.
///
/// What is new to the processor is first touched by the thread that fills it, not by one thread for all.
fn filled(len: usize, chunk: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let zeros_first = |number, chunk: &mut [MaybeUninit<f32>]| {
        chunk.fill(MaybeUninit::new(0.0));
        // SAFETY: all of it has just been written.
        fill(number, unsafe { std::slice::from_raw_parts_mut(chunk.as_mut_ptr().cast(), chunk.len()) });
    };
    // SAFETY: each chunk is written.
    unsafe { written(len, chunk, zeros_first) }
}

/// The same without zeros.
///
/// # Safety
/// `write` writes all of each chunk.
unsafe fn written(len: usize, chunk: usize, write: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    let room = &mut values.spare_capacity_mut()[..len];
    room.par_chunks_mut(chunk.max(1)).enumerate().for_each(|(number, chunk)| write(number, chunk));
    // SAFETY: the chunks are all of it, and written, as the caller says.
    unsafe { values.set_len(len) };
    values
}

/// Whether the kernels of our own compute an operation of these: on the CPU, and where no gradient is wanted.
pub fn is_ours(operands: &[&Tensor]) -> bool {
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

//! Vectors that all threads fill.

use rayon::prelude::*;
use std::mem::MaybeUninit;

/// A vector of `len` values that `fill` writes, by all threads, `chunk` at a time; it gets each
/// chunk's number, and zeros.
///
/// What is new to the processor is first touched by the thread that fills it, not by one thread for
/// all.
pub fn filled(len: usize, chunk: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
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
pub unsafe fn written(len: usize, chunk: usize, write: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    let room = &mut values.spare_capacity_mut()[..len];
    room.par_chunks_mut(chunk.max(1)).enumerate().for_each(|(number, chunk)| write(number, chunk));
    // SAFETY: the chunks are all of it, and written, as the caller says.
    unsafe { values.set_len(len) };
    values
}

//! The innermost loops, by AVX-512 intrinsics: a few rows by [`WIDTH`] outputs, the sums in
//! registers.

use super::line::{Line, REGISTERS, WIDTH};
use crate::parts::Precision;
use std::arch::x86_64::*;

/// Rows that are computed together: with [`REGISTERS`] sums each, as many as hide the latency of an
/// addition and leave registers for the operands.
pub const ROWS: usize = 8;

/// Whether this processor has the instructions of a precision.
pub fn has_instructions(precision: Precision) -> bool {
    match precision {
        Precision::F32 => std::arch::is_x86_feature_detected!("avx512f"),
        Precision::Bf16 => {
            std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512bf16")
        }
    }
}

/// A block of operands: `rows` of x, each of `steps` units and `x_stride` apart, by the lines of
/// one panel of weights.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    pub x: &'a [u32],
    pub x_stride: usize,
    pub rows: usize,
    pub w: &'a [Line],
}

/// A kernel of the number of rows that there are, so that all sums are in registers.
macro_rules! by_rows {
    ($kernel:ident, $rows:expr, $place:expr) => {
        match $rows {
            1 => $kernel::<1>($place),
            2 => $kernel::<2>($place),
            3 => $kernel::<3>($place),
            4 => $kernel::<4>($place),
            5 => $kernel::<5>($place),
            6 => $kernel::<6>($place),
            7 => $kernel::<7>($place),
            _ => $kernel::<ROWS>($place),
        }
    };
}

/// Writes the product of a block, or adds it to what is there, continuing the same sums: `outputs`
/// values a row, at most [`WIDTH`], `y_stride` apart.
///
/// # Safety
/// The processor has the instructions of `precision`, and `y` may be written to for `block.rows`
/// rows.
pub unsafe fn multiply(precision: Precision, block: Block, add: bool, y: *mut f32, y_stride: usize, outputs: usize) {
    let steps = block.w.len() / REGISTERS;
    assert!(block.rows == 0 || block.x.len() >= (block.rows - 1) * block.x_stride + steps);
    assert!((1..=WIDTH).contains(&outputs));
    let masks: [__mmask16; REGISTERS] =
        std::array::from_fn(|i| (((1u32 << outputs.saturating_sub(16 * i).min(16)) - 1) & 0xffff) as __mmask16);
    let mut row = 0;
    while row < block.rows {
        let (x, rows) = (block.x[row * block.x_stride..].as_ptr(), (block.rows - row).min(ROWS));
        // SAFETY: x and w have what is read, as was asserted; the caller vouches for y and for the
        // instructions.
        unsafe {
            let y = y.wrapping_add(row * y_stride);
            let place = Place { x, x_stride: block.x_stride, w: block.w.as_ptr(), steps, y, y_stride, masks, add };
            match precision {
                Precision::F32 => by_rows!(in_f32, rows, place),
                Precision::Bf16 => by_rows!(in_bf16, rows, place),
            }
        }
        row += rows;
    }
}

/// Where a kernel finds its operands and leaves its sums.
#[derive(Clone, Copy)]
struct Place {
    x: *const u32,
    x_stride: usize,
    w: *const Line,
    steps: usize,
    y: *mut f32,
    y_stride: usize,
    /// Which lanes of the registers of a row are outputs.
    masks: [__mmask16; REGISTERS],
    add: bool,
}

/// The loop is the same for both precisions, but a function has one set of instructions.
macro_rules! kernel {
    ($name:ident, $features:literal, $multiply_add:expr) => {
        /// # Safety
        /// As [`multiply`] says, for `ROWS` rows.
        #[target_feature(enable = $features)]
        unsafe fn $name<const ROWS: usize>(place: Place) {
            let Place { x, x_stride, w, steps, y, y_stride, masks, add } = place;
            let mut sums = [[_mm512_setzero_ps(); REGISTERS]; ROWS];
            // SAFETY: the operands and the result have these rows and steps, as the caller says.
            unsafe {
                if add {
                    for (row, sums) in sums.iter_mut().enumerate() {
                        for (i, sum) in sums.iter_mut().enumerate() {
                            *sum = _mm512_maskz_loadu_ps(masks[i], y.wrapping_add(row * y_stride + 16 * i));
                        }
                    }
                }
                for step in 0..steps {
                    let line = w.add(step * REGISTERS).cast::<f32>();
                    let w: [__m512; REGISTERS] = std::array::from_fn(|i| _mm512_load_ps(line.add(16 * i)));
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let x = _mm512_set1_ps(f32::from_bits(*x.add(row * x_stride + step)));
                        for (sum, w) in sums.iter_mut().zip(w) {
                            *sum = $multiply_add(x, w, *sum);
                        }
                    }
                }
                for (row, sums) in sums.iter().enumerate() {
                    for (i, &sum) in sums.iter().enumerate() {
                        _mm512_mask_storeu_ps(y.wrapping_add(row * y_stride + 16 * i), masks[i], sum);
                    }
                }
            }
        }
    };
}

kernel!(in_f32, "avx512f", |x, w, sum| _mm512_fmadd_ps(x, w, sum));
kernel!(in_bf16, "avx512f,avx512bf16", |x: __m512, w: __m512, sum| {
    // SAFETY: both types are sixteen lanes of 32 bits.
    let (x, w) = (std::mem::transmute::<__m512, __m512bh>(x), std::mem::transmute::<__m512, __m512bh>(w));
    _mm512_dpbf16_ps(sum, x, w)
});

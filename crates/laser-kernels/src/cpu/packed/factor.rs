//! Rows in the order in which products with packed matrices read them.

use super::line::{rounded_pair, steps};
use crate::parts::Precision;
use rayon::prelude::*;
use std::borrow::Cow;

/// Rows as products with packed matrices read them.
#[derive(Debug)]
pub struct Factor<'x> {
    /// [`steps`] per row, and `stride` apart.
    pub(super) units: Cow<'x, [u32]>,
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) inputs: usize,
    pub(super) precision: Precision,
}

impl<'x> Factor<'x> {
    /// Of row-major `x [rows, inputs]`.
    pub fn new(x: &'x [f32], rows: usize, inputs: usize, precision: Precision) -> Self {
        assert_eq!(x.len(), rows * inputs);
        let steps = steps(precision, inputs);
        // Rows whose units lie a multiple of 4 KiB apart would all fall into the same few lines of
        // the first cache.
        let stride = if steps > 0 && steps.is_multiple_of(1024) { steps + 16 } else { steps };
        if precision == Precision::F32 && stride == inputs {
            // SAFETY: f32 and u32 have the same size and alignment, and any bits are a u32.
            let units = Cow::Borrowed(unsafe { std::slice::from_raw_parts(x.as_ptr().cast::<u32>(), x.len()) });
            return Self { units, stride, rows, inputs, precision };
        }
        let mut units = vec![0u32; rows * stride];
        units.par_chunks_mut(stride.max(1)).zip(x.par_chunks(inputs.max(1))).for_each(|(units, x)| match precision {
            Precision::F32 => units.iter_mut().zip(x).for_each(|(unit, x)| *unit = x.to_bits()),
            Precision::Bf16 => units.iter_mut().zip(x.chunks(2)).for_each(|(unit, pair)| *unit = rounded_pair(pair)),
        });
        Self { units: Cow::Owned(units), stride, rows, inputs, precision }
    }
}

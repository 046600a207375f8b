//! Where there is no AVX-512.

use super::line::Line;
use crate::parts::Precision;

pub const ROWS: usize = 1;

pub fn has_instructions(_: Precision) -> bool {
    false
}

#[allow(dead_code)] // what a kernel would read
pub struct Block<'a> {
    pub x: &'a [u32],
    pub x_stride: usize,
    pub rows: usize,
    pub w: &'a [Line],
}

/// # Safety
/// None is needed: no matrix is packed here.
pub unsafe fn multiply(_: Precision, _: Block, _: bool, _: *mut f32, _: usize, _: usize) {
    unreachable!("a packed matrix without the instructions for it")
}

//! The units that packed matrices and laid-out rows consist of.

use super::super::vector;
use crate::parts::Precision;

/// Registers that a row of a panel's outputs takes.
pub const REGISTERS: usize = 3;
/// Outputs of a panel.
pub const WIDTH: usize = 16 * REGISTERS;

/// One register: sixteen f32, or sixteen pairs of bf16, the earlier input in the lower half.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [u32; 16]);

pub const ZERO: Line = Line([0; 16]);

/// Units of 32 bits that so many inputs take: each one, or a pair of them.
pub fn steps(precision: Precision, inputs: usize) -> usize {
    match precision {
        Precision::F32 => inputs,
        Precision::Bf16 => inputs.div_ceil(2),
    }
}

/// The one or two values of a unit, rounded to bf16.
pub fn rounded_pair(pair: &[f32]) -> u32 {
    let half = |i: usize| pair.get(i).map_or(0, |&value: &f32| vector::bf16_bits(value));
    half(0) >> 16 | half(1)
}

//! The outcome of a check, and how numbers are compared.

use crate::Kind;

/// The outcome of a check.
#[derive(Debug, Clone)]
pub struct Check {
    /// What was computed, and its shape.
    pub name: String,
    /// The largest difference from the formula, relative to the formula where that is above 1.
    pub error: f64,
    /// How large it may be.
    pub allowed: f64,
    /// Whether rows have the same bits alone as among others.
    pub same_bits: bool,
}

impl Check {
    /// Whether it is as it should be. An error that is not a number is not.
    pub fn holds(&self) -> bool {
        self.error <= self.allowed && self.same_bits
    }
}

/// How large the shapes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// For the shim.
    Tiny,
    /// For a GPU.
    Full,
}

impl Size {
    /// `tiny` or `full`.
    pub fn of(self, tiny: usize, full: usize) -> usize {
        if self == Self::Tiny { tiny } else { full }
    }
}

/// The largest difference, relative where the formula gives more than 1.
pub(super) fn furthest(found: &[f32], expected: &[f64]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let of_pair = |(found, expected): (&f32, &f64)| (f64::from(*found) - expected).abs() / expected.abs().max(1.0);
    // `max` would pass over what is not a number.
    found.iter().zip(expected).map(of_pair).fold(0.0, |max, error| if error <= max { max } else { error })
}

/// What rounding to a kind may add to an error of `of_f32`.
pub(super) fn allowed(kind: Kind, of_f32: f64) -> f64 {
    match kind {
        Kind::F32 => of_f32,
        Kind::Bf16 => of_f32 + 2f64.powi(-8),
        Kind::F16 => of_f32 + 2f64.powi(-11),
    }
}

/// Whether two lists have the same bits.
pub(super) fn bits_agree(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

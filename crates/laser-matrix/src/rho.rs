//! The kept fraction rho, and the rank that it stands for.

use thiserror::Error;

/// A kept fraction: finite and in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rho(f64);

/// Not a number in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("a fraction must be a number from 0 to 1, not {0}")]
pub struct RhoError(pub f64);

impl Rho {
    /// `value` as a fraction.
    pub fn new(value: f64) -> Result<Self, RhoError> {
        // NaN is in no range.
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(RhoError(value)) }
    }

    /// The fraction as a number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// floor(self * n), where a product within 1e-6 below a whole number counts as that number:
    /// 0.29 * 100 is 28.999999999999996 in f64 and is meant as 29.
    pub fn floor_of(self, n: usize) -> usize {
        ((self.0 * n as f64 + 1e-6).floor() as usize).min(n)
    }
}

/// The rank that rho keeps of a `rows` x `cols` matrix: floor(rho * min(rows, cols)), guarded against float rounding.
/// Rank 0 is the zero matrix.
pub fn rank_for(rho: Rho, rows: usize, cols: usize) -> usize {
    rho.floor_of(rows.min(cols))
}

//! Random numbers for checks, the same everywhere.

use crate::{Device, Kind, Result, Rows, Vector, rounded};

/// A generator: splitmix64.
#[derive(Debug, Clone)]
pub struct Numbers(u64);

impl Numbers {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// About normal: mean 0, deviation 1.
    pub fn normal(&mut self) -> f32 {
        let sum: f64 = (0..4).map(|_| (self.bits() >> 11) as f64 / (1u64 << 53) as f64).sum();
        ((sum - 2.0) * 3f64.sqrt()) as f32
    }

    /// So many, times `scale`.
    pub fn normals(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| self.normal() * scale).collect()
    }

    /// Rows on the device, and as they are stored there.
    pub(super) fn rows(
        &mut self,
        device: &Device,
        kind: Kind,
        rows: usize,
        width: usize,
        scale: f32,
    ) -> Result<(Rows, Vec<f64>)> {
        let values = self.normals(rows * width, scale);
        let stored = values.iter().map(|&value| f64::from(rounded(kind, value))).collect();
        Ok((Rows::of(device, kind, &values, rows, width)?, stored))
    }

    /// A vector on the device, and here.
    pub(super) fn vector(&mut self, device: &Device, len: usize, around: f32) -> Result<(Vector, Vec<f64>)> {
        let values: Vec<f32> = (0..len).map(|_| around + 0.5 * self.normal()).collect();
        Ok((Vector::of(device, &values)?, values.iter().map(|&value| f64::from(value)).collect()))
    }
}

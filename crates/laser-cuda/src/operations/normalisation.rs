//! Norms of rows and of pieces of rows.

use crate::buffer::{Rows, Vector};
use crate::gpu_device::{BLOCK, Device, count};
use crate::platform::{Argument::*, Kind};
use crate::{Error, Result};

/// What a norm does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum NormKind {
    /// x / sqrt(mean(x²) + eps).
    Rms = 0,
    /// (x - mean(x)) / sqrt(var(x) + eps).
    Layer = 1,
}

/// A norm: then times the weight, plus the bias. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Norm {
    /// What it does.
    pub kind: NormKind,
    /// Added below the root.
    pub eps: f32,
    /// `[width]`.
    pub weight: Vector,
    /// `[width]`.
    pub bias: Option<Vector>,
}

/// Rows of up to so many elements are taken by a warp each, longer ones by a block. By the width alone: it decides the
/// order of the sums.
const BY_WARP: usize = 1024;

impl Device {
    /// Each row of f32 `x` through a norm, or each piece of it as long as the norm's weight; stored as `kind`.
    ///
    /// # Errors
    /// If rows are not a multiple of the weight's length, or memory does not suffice.
    pub fn normalise(&self, x: &Rows, norm: &Norm, kind: Kind) -> Result<Rows> {
        let width = norm.weight.len();
        if let Some(bias) = norm.bias.as_ref().filter(|bias| bias.len() != width) {
            return Err(Error::shape("norm", format!("{width} weights and {} biases", bias.len())));
        }
        if x.kind() != Kind::F32 || width == 0 {
            return Err(Error::shape("norm", format!("{width} weights for {:?}", x.operand())));
        }
        let of_norm = [Some(&norm.weight), norm.bias.as_ref()].into_iter().flatten().map(Vector::buffer);
        self.owns("norm", of_norm.chain([x.buffer()]))?;
        let pieces = if x.width() == width { x.clone() } else { x.pieces(width)? };
        let out = Rows::new(self, kind, pieces.rows(), width)?;
        let rows = count("norm", pieces.rows())?;
        let (name, blocks) = match width {
            ..=BY_WARP => ("laser_norm_by_warp", rows.div_ceil(BLOCK / 32)),
            _ => ("laser_norm_by_block", rows),
        };
        let arguments = [
            Pointer(out.address()),
            I32(kind as i32),
            Pointer(pieces.address()),
            U64(pieces.stride() as u64),
            Pointer(norm.weight.address()),
            Pointer(norm.bias.as_ref().map_or(0, Vector::address)),
            U32(rows),
            U32(count("norm", width)?),
            F32(norm.eps),
            I32(norm.kind as i32),
        ];
        // SAFETY: both have these rows, and weight and bias the width, as was just checked.
        unsafe { self.launch(name, blocks, BLOCK, &arguments)? };
        out.joined(x.width())
    }
}

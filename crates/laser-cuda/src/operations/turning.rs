//! Rotary positions.

use crate::buffer::{Indices, RowTable, Rows};
use crate::gpu_device::{BLOCK, Device, blocks, count};
use crate::platform::{Argument::*, Kind};
use crate::{Error, Result};

/// Which elements of a head turn together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum RotaryStyle {
    /// Element i of the first half and of the second.
    Half = 0,
    /// Neighbours.
    Interleaved = 1,
}

/// How rows turn: cosines and sines `[rows, pairs]`; 2 * pairs elements of each head turn. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Rotation {
    style: RotaryStyle,
    cos: Rows,
    sin: Rows,
}

impl Rotation {
    /// Of f32 cosines and sines `[rows, pairs]` on the device.
    ///
    /// # Errors
    /// If they are not f32 of one shape.
    pub fn new(style: RotaryStyle, cos: Rows, sin: Rows) -> Result<Self> {
        let shape = |angles: &Rows| (angles.rows(), angles.width(), angles.kind(), angles.is_dense());
        if shape(&cos) != shape(&sin) || cos.kind() != Kind::F32 || !cos.is_dense() {
            let why = format!("cosines {:?} and sines {:?}", cos.operand(), sin.operand());
            return Err(Error::shape("rope", why));
        }
        Ok(Self { style, cos, sin })
    }

    /// Of f32 cosines and sines `[rows, pairs]`, row by row.
    ///
    /// # Errors
    /// If they are not so many.
    pub fn of(device: &Device, style: RotaryStyle, cos: &[f32], sin: &[f32], rows: usize) -> Result<Self> {
        let pairs = cos.len().checked_div(rows).unwrap_or(0);
        let part = |angles| Rows::of(device, Kind::F32, angles, rows, pairs);
        Ok(Self { style, cos: part(cos)?, sin: part(sin)? })
    }

    /// The rotation of the rows with these numbers.
    ///
    /// # Errors
    /// If one is not there.
    pub fn select(&self, device: &Device, numbers: &Indices) -> Result<Self> {
        let part = |angles| device.gather(angles, numbers, Kind::F32);
        Ok(Self { style: self.style, cos: part(&self.cos)?, sin: part(&self.sin)? })
    }
}

impl Device {
    /// Turns the heads of f32 `x [rows, heads * head_dim]`; the result is stored as `kind`.
    ///
    /// # Errors
    /// If the rotation is not of so many rows, or turns more than a head has.
    pub fn rope(&self, x: &Rows, rotation: &Rotation, head_dim: usize, kind: Kind) -> Result<Rows> {
        let out = Rows::new(self, kind, x.rows(), x.width())?;
        self.turn(x, rotation, head_dim, &out, None)?;
        Ok(out)
    }

    /// The same into rows of a table, all different.
    ///
    /// # Errors
    /// As [`Self::rope`], or if the table has no such rows.
    pub fn write_rope(
        &self,
        table: &mut RowTable,
        numbers: &Indices,
        x: &Rows,
        rotation: &Rotation,
        head_dim: usize,
    ) -> Result<()> {
        numbers.check("rope", x.rows(), table.capacity())?;
        if table.rows().width() != x.width() {
            let why = format!("rows of {} do not fit a table of {}", x.width(), table.rows().width());
            return Err(Error::shape("rope", why));
        }
        self.turn(x, rotation, head_dim, table.rows(), Some(numbers))
    }

    fn turn(&self, x: &Rows, by: &Rotation, head_dim: usize, out: &Rows, numbers: Option<&Indices>) -> Result<()> {
        let (rows, pairs) = (x.rows(), by.cos.width());
        let fits = head_dim > 0 && x.width().is_multiple_of(head_dim) && 2 * pairs <= head_dim;
        if by.cos.rows() != rows || !fits || x.kind() != Kind::F32 {
            let angles = format!("the angles of {} rows x {pairs} pairs", by.cos.rows());
            return Err(Error::shape("rope", format!("{angles} do not fit {rows} rows, heads of {head_dim}")));
        }
        let operands = [x, out, &by.cos, &by.sin].map(Rows::buffer);
        self.owns("rope", operands.into_iter().chain(numbers.map(Indices::buffer)))?;
        let heads = x.width() / head_dim;
        let arguments = [
            Pointer(out.address()),
            I32(out.kind() as i32),
            U64(out.stride() as u64),
            Pointer(numbers.map_or(0, Indices::address)),
            Pointer(x.address()),
            U64(x.stride() as u64),
            Pointer(by.cos.address()),
            Pointer(by.sin.address()),
            U32(count("rope", rows)?),
            U32(count("rope", heads)?),
            U32(count("rope", head_dim)?),
            U32(count("rope", pairs)?),
            I32(by.style as i32),
        ];
        let threads = rows * heads * head_dim.div_ceil(2);
        // SAFETY: rows, heads and angles are as was just checked, and out has the rows, as the callers checked.
        unsafe { self.launch("laser_rope", blocks("rope", threads)?, BLOCK, &arguments) }
    }
}

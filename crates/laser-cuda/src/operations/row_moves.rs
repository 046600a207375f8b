//! Rows from one place to another.

use crate::buffer::{Indices, RowTable, Rows};
use crate::gpu_device::{BLOCK, Device, blocks, count};
use crate::platform::{Argument::*, Kind};
use crate::{Error, Result};

/// Rows to write to: they lie in memory that the caller may change.
struct Target<'a> {
    rows: &'a Rows,
    numbers: Option<&'a Indices>,
}

impl Device {
    /// The rows with these numbers, stored as `kind`. Of a table: `table.rows()`.
    ///
    /// # Errors
    /// If one of the rows is not there, or memory does not suffice.
    pub fn gather(&self, from: &Rows, numbers: &Indices, kind: Kind) -> Result<Rows> {
        numbers.check("gather", numbers.len(), from.rows())?;
        let out = Rows::new(self, kind, numbers.len(), from.width())?;
        self.move_rows("gather", Target { rows: &out, numbers: None }, from, Some(numbers), out.rows())?;
        Ok(out)
    }

    /// Puts `x [rows, width]` in the rows of the table with these numbers, all different.
    ///
    /// # Errors
    /// If the table has no such row, or rows of another width.
    pub fn write(&self, table: &mut RowTable, numbers: &Indices, x: &Rows) -> Result<()> {
        numbers.check("write", x.rows(), table.capacity())?;
        if table.rows().width() != x.width() {
            let why = format!("rows of {} do not fit a table of {}", x.width(), table.rows().width());
            return Err(Error::shape("write", why));
        }
        self.move_rows("write", Target { rows: table.rows(), numbers: Some(numbers) }, x, None, x.rows())
    }

    /// The same rows one behind the other, stored as `kind`; themselves where they are so already.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn convert(&self, x: &Rows, kind: Kind) -> Result<Rows> {
        if x.kind() == kind && x.is_dense() {
            return Ok(x.clone());
        }
        let out = Rows::new(self, kind, x.rows(), x.width())?;
        self.move_rows("convert", Target { rows: &out, numbers: None }, x, None, x.rows())?;
        Ok(out)
    }

    /// All rows of the parts, in order, stored as the first.
    ///
    /// # Errors
    /// If widths differ, or memory does not suffice.
    pub fn concat(&self, parts: &[Rows]) -> Result<Rows> {
        let Some(first) = parts.first() else { return Err(Error::shape("concat", "there is nothing")) };
        if let Some(other) = parts.iter().find(|part| part.width() != first.width()) {
            return Err(Error::shape("concat", format!("rows of {} and {}", first.width(), other.width())));
        }
        let rows = parts.iter().map(Rows::rows).sum();
        let out = Rows::new(self, first.kind(), rows, first.width())?;
        let mut start = 0;
        for part in parts {
            let to = out.slice(start..start + part.rows())?;
            self.move_rows("concat", Target { rows: &to, numbers: None }, part, None, part.rows())?;
            start += part.rows();
        }
        Ok(out)
    }

    /// `rows` rows of `from`, those with `numbers` where there are any, to the target. All numbers were checked.
    fn move_rows(
        &self,
        operation: &'static str,
        to: Target,
        from: &Rows,
        numbers: Option<&Indices>,
        rows: usize,
    ) -> Result<()> {
        let width = from.width();
        let lists = [to.numbers, numbers].into_iter().flatten().map(Indices::buffer);
        self.owns(operation, [to.rows.buffer(), from.buffer()].into_iter().chain(lists))?;
        let arguments = [
            Pointer(to.rows.address()),
            I32(to.rows.kind() as i32),
            U64(to.rows.stride() as u64),
            Pointer(to.numbers.map_or(0, Indices::address)),
            Pointer(from.address()),
            I32(from.kind() as i32),
            U64(from.stride() as u64),
            Pointer(numbers.map_or(0, Indices::address)),
            U32(count(operation, rows)?),
            U32(count(operation, width)?),
        ];
        if width == 0 {
            return Ok(());
        }
        // SAFETY: the rows of both lists are there, as the callers checked, and as wide.
        unsafe { self.launch("laser_move_rows", blocks(operation, rows * width.div_ceil(4))?, BLOCK, &arguments) }
    }

    /// `table[tokens] * scale + positions[position_rows]`: tokens to the residual stream, f32.
    ///
    /// # Errors
    /// If a token or a position is not there, or widths differ.
    pub fn embed(
        &self,
        table: &Rows,
        tokens: &Indices,
        scale: f32,
        positions: Option<(&Rows, &Indices)>,
    ) -> Result<Rows> {
        let (rows, width) = (tokens.len(), table.width());
        tokens.check("embed", rows, table.rows())?;
        self.owns("embed", [table.buffer(), tokens.buffer()])?;
        if let Some((positions, numbers)) = positions {
            numbers.check("embed", rows, positions.rows())?;
            self.owns("embed", [positions.buffer(), numbers.buffer()])?;
            if positions.width() != width || positions.kind() != Kind::F32 || !positions.is_dense() {
                return Err(Error::shape("embed", format!("positions {:?} for rows of {width}", positions.operand())));
            }
        }
        if !table.is_dense() {
            return Err(Error::shape("embed", "the table's rows are apart"));
        }
        let out = Rows::new(self, Kind::F32, rows, width)?;
        let arguments = [
            Pointer(out.address()),
            Pointer(table.address()),
            I32(table.kind() as i32),
            Pointer(tokens.address()),
            F32(scale),
            Pointer(positions.map_or(0, |(positions, _)| positions.address())),
            Pointer(positions.map_or(0, |(_, numbers)| numbers.address())),
            U32(count("embed", rows)?),
            U32(count("embed", width)?),
        ];
        // SAFETY: tokens and positions are there, and rows as wide, as was just checked.
        unsafe { self.launch("laser_embed", blocks("embed", rows * width.div_ceil(4))?, BLOCK, &arguments)? };
        Ok(out)
    }
}

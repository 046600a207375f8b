//! Rows and tables in host memory.

use crate::error::{Error, Result};
use std::ops::{Deref, Range};
use std::sync::Arc;

/// `[rows, width]` f32 values, row-major. Clones and slices share them.
#[derive(Debug, Clone)]
pub struct CpuRows {
    values: Arc<Vec<f32>>,
    /// The first value.
    start: usize,
    rows: usize,
    width: usize,
}

impl CpuRows {
    /// Rows of `width` values each.
    pub(super) fn new(values: Vec<f32>, width: usize) -> Result<Self> {
        let rows = values.len().checked_div(width).unwrap_or(0);
        if rows * width != values.len() {
            let why = format!("{} values are not rows of {width}", values.len());
            return Err(Error::Operands { op: "rows", why });
        }
        Ok(Self { values: Arc::new(values), start: 0, rows, width })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The values of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows `range`, which share the values.
    pub(super) fn slice(&self, range: Range<usize>) -> Result<Self> {
        if range.start > range.end || range.end > self.rows {
            return Err(Error::Operands { op: "slice", why: format!("there are {} rows, not {range:?}", self.rows) });
        }
        let start = self.start + range.start * self.width;
        Ok(Self { values: self.values.clone(), start, rows: range.len(), width: self.width })
    }

    /// The rows with these numbers.
    pub(super) fn select(&self, numbers: &[u32]) -> Result<Self> {
        Self::new(gather("select", self, self.rows, self.width, numbers)?, self.width)
    }

    /// The rows of all `parts`.
    pub(super) fn concat(mut parts: Vec<Self>) -> Result<Self> {
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return Ok(only);
        }
        let width = parts.first().map_or(0, |part| part.width);
        if parts.iter().any(|part| part.width != width) {
            return Err(Error::Operands { op: "concat", why: "the rows' widths differ".to_owned() });
        }
        let mut values = Vec::with_capacity(parts.iter().map(|part| part.rows * width).sum());
        parts.iter().for_each(|part| values.extend_from_slice(part));
        Self::new(values, width)
    }
}

/// The values, row-major.
impl Deref for CpuRows {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..self.start + self.rows * self.width]
    }
}

/// A table of rows that grows at its end, in place as long as there is room.
#[derive(Debug)]
pub struct CpuTable {
    /// Row-major, with zeros behind the last row; memory of the system that was not used yet takes
    /// none.
    values: Vec<f32>,
    len: usize,
    width: usize,
}

impl CpuTable {
    /// No rows yet, room for `capacity`.
    pub(super) fn new(capacity: usize, width: usize) -> Self {
        Self { values: vec![0.0; capacity.max(1) * width], len: 0, width }
    }

    /// A table of `values`.
    pub(super) fn of(values: Vec<f32>, width: usize) -> Result<Self> {
        let len = values.len().checked_div(width).unwrap_or(0);
        if len * width != values.len() {
            return Err(Error::Operands {
                op: "table",
                why: format!("{} values are not rows of {width}", values.len()),
            });
        }
        Ok(Self { values, len, width })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The values of the rows.
    pub(super) fn values(&self) -> &[f32] {
        &self.values[..self.len * self.width]
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Puts `rows` in the places `numbers`.
    pub(super) fn write(&mut self, numbers: &[u32], rows: &CpuRows) -> Result<()> {
        let width = self.width;
        if (rows.len(), rows.width()) != (numbers.len(), width) {
            let why =
                format!("{} rows of {} do not go to {} places of {width}", rows.len(), rows.width(), numbers.len());
            return Err(Error::Operands { op: "write", why });
        }
        let capacity = self.values.len().checked_div(width).unwrap_or(0);
        let len = numbers.iter().map(|&number| number as usize + 1).fold(self.len, usize::max);
        if len > capacity {
            let mut larger = vec![0.0; len.max(2 * capacity) * width];
            larger[..self.len * width].copy_from_slice(self.values());
            self.values = larger;
        }
        self.len = len;
        let mut from = 0;
        for run in numbers.chunk_by(|a, b| a + 1 == *b) {
            let to = run[0] as usize * width;
            self.values[to..to + run.len() * width].copy_from_slice(&rows[from * width..(from + run.len()) * width]);
            from += run.len();
        }
        Ok(())
    }

    /// A copy of the rows with these numbers.
    pub(super) fn gather(&self, numbers: &[u32]) -> Result<Vec<f32>> {
        gather("gather", self.values(), self.len, self.width, numbers)
    }
}

/// The rows of `values [rows, width]` with these numbers.
fn gather(op: &'static str, values: &[f32], rows: usize, width: usize, numbers: &[u32]) -> Result<Vec<f32>> {
    let mut gathered = Vec::with_capacity(numbers.len() * width);
    for &number in numbers {
        if number as usize >= rows {
            return Err(Error::Operands { op, why: format!("there are {rows} rows, and none with number {number}") });
        }
        gathered.extend_from_slice(&values[number as usize * width..][..width]);
    }
    Ok(gathered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_grows_and_keeps_its_rows() {
        let mut table = CpuTable::new(1, 2);
        let rows = CpuRows::new((0..8).map(|i| i as f32).collect(), 2).unwrap();
        table.write(&[0, 5, 6, 2], &rows).unwrap();
        assert_eq!((table.len(), table.values.len()), (7, 14));
        assert_eq!(table.gather(&[6, 0, 2]).unwrap(), [4.0, 5.0, 0.0, 1.0, 6.0, 7.0]);
        assert!(table.gather(&[7]).is_err() && table.write(&[1], &rows).is_err());
        table.write(&[1], &rows.slice(3..4).unwrap()).unwrap();
        assert_eq!(table.gather(&[1, 5]).unwrap(), [6.0, 7.0, 2.0, 3.0]);
        table.clear();
        assert!(table.is_empty() && table.gather(&[0]).is_err());
    }

    #[test]
    fn slices_share_and_selections_copy() {
        let rows = CpuRows::new((0..6).map(|i| i as f32).collect(), 2).unwrap();
        let part = rows.slice(1..3).unwrap();
        assert!(Arc::ptr_eq(&part.values, &rows.values));
        assert_eq!(part.select(&[1, 0, 1]).unwrap().to_vec(), [4.0, 5.0, 2.0, 3.0, 4.0, 5.0]);
        let both = CpuRows::concat(vec![part.clone(), rows.slice(0..1).unwrap()]).unwrap();
        assert_eq!((both.to_vec(), both.len()), (vec![2.0, 3.0, 4.0, 5.0, 0.0, 1.0], 3));
        assert!(rows.slice(2..4).is_err() && part.select(&[2]).is_err());
        assert!(CpuRows::new(vec![0.0; 3], 2).is_err());
    }
}

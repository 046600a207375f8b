//! A table of rows that grows at its end.

use candle_core::{DType, Device, Result, Tensor};

/// `[len, width]` f32 values on a device, with room to grow in place.
#[derive(Debug)]
pub struct Rows {
    data: Tensor,
    len: usize,
}

impl Rows {
    /// No rows yet, room for `capacity`.
    pub fn new(capacity: usize, width: usize, device: &Device) -> Result<Self> {
        Ok(Self { data: Tensor::zeros((capacity.max(1), width), DType::F32, device)?, len: 0 })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets the rows, but keeps their memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds `rows [n, width]` at the end.
    pub fn append(&mut self, rows: &Tensor) -> Result<()> {
        let (len, n) = (self.len as u32, rows.dim(0)? as u32);
        self.write(&(len..len + n).collect::<Vec<_>>(), rows)
    }

    /// Puts `rows [numbers, width]` in the places `numbers`, all different, which may be behind the end; what is skipped so
    /// has no meaning.
    pub fn write(&mut self, numbers: &[u32], rows: &Tensor) -> Result<()> {
        let (_, width) = rows.dims2()?;
        let (capacity, len) = (self.data.dim(0)?, numbers.iter().map(|&n| n as usize + 1).fold(self.len, usize::max));
        if len > capacity {
            let larger = Self::new(len.max(2 * capacity), width, rows.device())?;
            if self.len > 0 {
                larger.data.slice_set(&self.data.narrow(0, 0, self.len)?, 0, 0)?;
            }
            self.data = larger.data;
        }
        self.len = len;
        let rows = rows.contiguous()?;
        let mut done = 0;
        for run in numbers.chunk_by(|a, b| a + 1 == *b) {
            self.data.slice_set(&rows.narrow(0, done, run.len())?.contiguous()?, 0, run[0] as usize)?;
            done += run.len();
        }
        Ok(())
    }

    /// A copy of the rows with these numbers, `[numbers, width]`.
    pub fn gather(&self, numbers: &[u32]) -> Result<Tensor> {
        let numbers = Tensor::from_slice(numbers, numbers.len(), self.data.device())?;
        self.data.index_select(&numbers, 0)
    }

    /// All rows and, behind them, unused room.
    pub(crate) fn storage(&self) -> &Tensor {
        &self.data
    }
}

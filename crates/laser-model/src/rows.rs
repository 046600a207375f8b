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

    /// Adds `rows [n, width]` at the end.
    pub fn append(&mut self, rows: &Tensor) -> Result<()> {
        let (n, width) = rows.dims2()?;
        let capacity = self.data.dim(0)?;
        if self.len + n > capacity {
            let larger = Self::new((self.len + n).max(2 * capacity), width, rows.device())?;
            if self.len > 0 {
                larger.data.slice_set(&self.data.narrow(0, 0, self.len)?, 0, 0)?;
            }
            self.data = larger.data;
        }
        self.data.slice_set(&rows.contiguous()?, 0, self.len)?;
        self.len += n;
        Ok(())
    }

    /// A copy of the rows with these numbers, `[numbers, width]`.
    pub fn gather(&self, numbers: &[u32]) -> Result<Tensor> {
        let numbers = Tensor::from_slice(numbers, numbers.len(), self.data.device())?;
        self.data.index_select(&numbers, 0)
    }

    /// A copy of `n` rows from row `start` on. Not a view: later appends must not show through it.
    pub fn range(&self, start: usize, n: usize) -> Result<Tensor> {
        self.data.narrow(0, start, n)?.copy()
    }

    /// All rows and, behind them, unused room.
    pub(crate) fn storage(&self) -> &Tensor {
        &self.data
    }
}

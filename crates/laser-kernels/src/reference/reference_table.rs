//! A table of rows of a candle tensor.

use crate::error::Result;
use candle_core::{Result as TensorResult, Tensor};

/// `[len, width]` f32 values on a device, with room to grow in place.
#[derive(Debug)]
pub struct ReferenceTable {
    data: Tensor,
    len: usize,
}

impl ReferenceTable {
    /// A table whose rows are the first `len` of `data [capacity, width]`, which nobody else has.
    pub(super) fn new(data: Tensor, len: usize) -> Self {
        Self { data, len }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// All rows and, behind them, unused room.
    pub(super) fn rows(&self) -> &Tensor {
        &self.data
    }

    /// Puts `rows` in the places `numbers`. If a gradient is wanted by the rows, the table passes
    /// it on to them.
    pub(super) fn write(&mut self, numbers: &[u32], rows: &Tensor) -> Result<()> {
        let len = numbers.iter().map(|&number| number as usize + 1).fold(self.len, usize::max);
        if rows.track_op() {
            self.data = self.with_tracked(numbers, rows, len)?;
            self.len = len;
            return Ok(());
        }
        let (_, width) = rows.dims2()?;
        let capacity = self.data.dim(0)?;
        if len > capacity {
            let larger = Tensor::zeros((len.max(2 * capacity), width), rows.dtype(), rows.device())?;
            if self.len > 0 {
                larger.slice_set(&self.data.narrow(0, 0, self.len)?, 0, 0)?;
            }
            self.data = larger;
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

    /// The `len` rows that are there after `rows` have been put in the places `numbers`.
    fn with_tracked(&self, numbers: &[u32], rows: &Tensor, len: usize) -> TensorResult<Tensor> {
        if self.len == 0 && (0..).zip(numbers).all(|(place, &number)| place == number) {
            return Ok(rows.clone());
        }
        // Of each place, where its row is among the old and the new ones; what is skipped has no
        // meaning.
        let mut sources: Vec<u32> = (0..len as u32).map(|place| place.min(self.len.saturating_sub(1) as u32)).collect();
        for (source, &number) in (self.len as u32..).zip(numbers) {
            sources[number as usize] = source;
        }
        let all = match self.len {
            0 => rows.clone(),
            old => Tensor::cat(&[&self.data.narrow(0, 0, old)?, rows], 0)?,
        };
        all.index_select(&Tensor::from_vec(sources, len, rows.device())?, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};

    #[test]
    fn gradients_go_through_what_is_written() {
        let device = Device::Cpu;
        let mut table = ReferenceTable::new(Tensor::zeros((1, 2), DType::F32, &device).unwrap(), 0);
        table.write(&[0, 2], &Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &device).unwrap()).unwrap();
        let rows = Var::new(&[[5f32, 6.0], [7.0, 8.0]], &device).unwrap();
        table.write(&[3, 0], rows.as_tensor()).unwrap();
        let found = table.rows().to_vec2::<f32>().unwrap();
        assert_eq!((&found[0], &found[2], &found[3]), (&vec![7.0, 8.0], &vec![3.0, 4.0], &vec![5.0, 6.0]));
        let sum = table.rows().narrow(0, 3, 1).unwrap().sum_all().unwrap();
        let gradient = sum.backward().unwrap().get(&rows).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(gradient, [[1.0, 1.0], [0.0, 0.0]]);
    }
}

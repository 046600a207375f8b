//! What the backend's handles are made of.

use crate::gpu_device::Device;
use crate::operations::ReadOut;
use crate::platform::Kind;
use crate::{Error, Indices, Result, RowTable, Rows};
use std::sync::{Arc, OnceLock};

/// Activations: f32 rows that lie one behind the other. Cloning shares them.
#[derive(Debug, Clone)]
pub struct CudaRows {
    rows: Rows,
    /// The same rounded to 16 bits, made when a product first takes them so: several matrices multiply the same rows.
    rounded: Arc<OnceLock<Rows>>,
}

impl CudaRows {
    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The rows stored as `kind`.
    pub(crate) fn stored_as(&self, device: &Device, kind: Kind) -> Result<Rows> {
        if kind == self.rows.kind() {
            return Ok(self.rows.clone());
        }
        if let Some(rounded) = self.rounded.get().filter(|rounded| rounded.kind() == kind) {
            return Ok(rounded.clone());
        }
        let rounded = device.convert(&self.rows, kind)?;
        // Another thread's are the same.
        let _ = self.rounded.set(rounded.clone());
        Ok(rounded)
    }
}

impl From<Rows> for CudaRows {
    fn from(rows: Rows) -> Self {
        Self { rows, rounded: Arc::default() }
    }
}

/// A table of f32 rows that grows at its end.
#[derive(Debug)]
pub struct CudaTable {
    table: RowTable,
    len: usize,
}

impl CudaTable {
    pub(crate) fn new(device: &Device, capacity: usize, width: usize) -> Result<Self> {
        Ok(Self { table: RowTable::new(device, Kind::F32, capacity, width)?, len: 0 })
    }

    pub(crate) fn of(rows: Rows) -> Self {
        Self { len: rows.rows(), table: RowTable::of(rows) }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// The rows that were written, and what lies between them.
    pub(crate) fn rows(&self) -> Result<Rows> {
        self.table.rows().slice(0..self.len)
    }

    pub(crate) fn write(&mut self, device: &Device, numbers: &Indices, rows: &Rows) -> Result<()> {
        let len = self.len.max(numbers.bound());
        self.table.reserve(len)?;
        device.write(&mut self.table, numbers, rows)?;
        self.len = len;
        Ok(())
    }

    pub(crate) fn gather(&self, device: &Device, numbers: &Indices) -> Result<Rows> {
        device.gather(&self.rows()?, numbers, Kind::F32)
    }
}

/// A weight matrix `[outputs, inputs]`, in f32 or in bf16. Cloning shares it.
#[derive(Debug, Clone)]
pub struct CudaWeight {
    pub(crate) rows: Rows,
}

/// The matrix that logits are made with, f32, its bias and soft cap.
#[derive(Debug)]
pub struct CudaHead {
    pub(crate) read_out: ReadOut,
}

impl From<Error> for laser_kernels::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Shape { operation, why } => Self::Operands { op: operation, why },
            other => Self::Device { why: other.to_string() },
        }
    }
}

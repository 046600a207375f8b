//! Keys and values of one block for the rows that went through it.

use crate::rows::Rows;
use candle_core::{Device, Result, Tensor};

/// The keys and the values of the rows that a block has seen, each `[rows, kv_heads * head_dim]`.
#[derive(Debug)]
pub struct KeyValueCache {
    keys: Rows,
    values: Rows,
}

impl KeyValueCache {
    /// An empty cache with room for `capacity` rows of `width` elements.
    pub fn new(capacity: usize, width: usize, device: &Device) -> Result<Self> {
        Ok(Self { keys: Rows::new(capacity, width, device)?, values: Rows::new(capacity, width, device)? })
    }

    /// Forgets the rows, but keeps their memory.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.values.clear();
    }

    /// The number of rows held.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no row is held.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Puts rows in the places `numbers`.
    pub(crate) fn write(&mut self, numbers: &[u32], keys: &Tensor, values: &Tensor) -> Result<()> {
        self.keys.write(numbers, keys)?;
        self.values.write(numbers, values)
    }

    /// Keys and values; rows from [`len`](Self::len) on are unused.
    pub(crate) fn tensors(&self) -> (&Tensor, &Tensor) {
        (self.keys.storage(), self.values.storage())
    }
}

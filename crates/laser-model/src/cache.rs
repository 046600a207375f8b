//! Keys and values of one block for the rows that went through it.

use laser_kernels::{Backend, Result};

/// The keys and the values of the rows that a block has seen, each `[rows, kv_heads * head_dim]`.
#[derive(Debug)]
pub struct KeyValueCache<B: Backend> {
    backend: B,
    keys: B::Table,
    values: B::Table,
}

impl<B: Backend> KeyValueCache<B> {
    /// An empty cache with room for `capacity` rows of `width` elements.
    pub(crate) fn new(backend: &B, capacity: usize, width: usize) -> Result<Self> {
        let (keys, values) = (backend.table(capacity, width)?, backend.table(capacity, width)?);
        Ok(Self { backend: backend.clone(), keys, values })
    }

    /// Forgets the rows, but keeps their memory.
    pub fn clear(&mut self) {
        self.backend.clear(&mut self.keys);
        self.backend.clear(&mut self.values);
    }

    /// Puts rows in the places `numbers`.
    pub(crate) fn write(&mut self, numbers: &B::Indices, keys: &B::Rows, values: &B::Rows) -> Result<()> {
        self.backend.write(&mut self.keys, numbers, keys)?;
        self.backend.write(&mut self.values, numbers, values)
    }

    /// The keys.
    pub(crate) fn keys(&self) -> &B::Table {
        &self.keys
    }

    /// The values.
    pub(crate) fn values(&self) -> &B::Table {
        &self.values
    }
}

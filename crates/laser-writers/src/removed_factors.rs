//! What edits take away from many matrices, on disk: it may be more than memory holds.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

use laser_checkpoint::{ParamId, Precision};

use crate::{
    error::{Result, WriteError},
    staging::Staging,
    thin_factors::ThinFactors,
};

/// Factors as f32, in a file that goes when this does.
pub(crate) struct RemovedFactors {
    file: File,
    /// What they are written for, for messages.
    target: PathBuf,
    matrices: Vec<RemovedMatrix>,
    bytes: u64,
}

/// The factors of one matrix.
pub(crate) struct RemovedMatrix {
    pub param: ParamId,
    pub rank: usize,
    /// Where the inner one starts, which the outer one follows; bytes.
    start: u64,
    inner_bytes: usize,
    outer_bytes: usize,
}

impl RemovedFactors {
    pub(crate) fn new(folder: &Staging) -> Result<Self> {
        Ok(Self { file: folder.scratch()?, target: folder.target().to_owned(), matrices: Vec::new(), bytes: 0 })
    }

    pub(crate) fn matrices(&self) -> &[RemovedMatrix] {
        &self.matrices
    }

    pub(crate) fn push(&mut self, param: ParamId, rank: usize, factors: &ThinFactors) -> Result<()> {
        // Every f32 is one.
        let encode = |values: &[f32]| Precision::F32.encode(values).unwrap_or_default();
        let (inner, outer) = (encode(&factors.inner), encode(&factors.outer));
        let write = |bytes: &[u8]| {
            let failed = |cause| WriteError::Io { action: "write", path: self.target.clone(), cause };
            (&self.file).write_all(bytes).map_err(failed)
        };
        write(&inner)?;
        write(&outer)?;
        let (inner_bytes, outer_bytes) = (inner.len(), outer.len());
        self.matrices.push(RemovedMatrix { param, rank, start: self.bytes, inner_bytes, outer_bytes });
        self.bytes += (inner_bytes + outer_bytes) as u64;
        Ok(())
    }

    /// The inner factor of a matrix, by its number.
    pub(crate) fn inner(&self, number: usize) -> Result<Vec<f32>> {
        let matrix = &self.matrices[number];
        self.read(matrix.start, matrix.inner_bytes)
    }

    /// The outer one.
    pub(crate) fn outer(&self, number: usize) -> Result<Vec<f32>> {
        let matrix = &self.matrices[number];
        self.read(matrix.start + matrix.inner_bytes as u64, matrix.outer_bytes)
    }

    fn read(&self, start: u64, count: usize) -> Result<Vec<f32>> {
        let mut bytes = vec![0; count];
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|cause| WriteError::Io { action: "read", path: self.target.clone(), cause })?;
        Ok(Precision::F32.decode(&bytes))
    }
}

//! One file as it is written: what goes into it is hashed part by part, to be compared with what is read back.

use std::{
    fs::File,
    hash::Hasher,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use twox_hash::XxHash64;

use crate::error::{Result, WriteError};

/// A file that is being written.
pub struct StagedFile {
    file: BufWriter<File>,
    /// Where it will be, for messages.
    target: PathBuf,
    parts: Vec<Part>,
    label: String,
    is_tensor: bool,
    bytes: u64,
    hash: XxHash64,
}

/// A file that was written.
#[derive(Debug)]
pub(crate) struct WrittenFile {
    name: String,
    parts: Vec<Part>,
}

/// A tensor, or what stands between tensors.
#[derive(Debug)]
struct Part {
    label: String,
    is_tensor: bool,
    bytes: u64,
    hash: u64,
}

impl StagedFile {
    pub(crate) fn create(path: &Path, target: PathBuf) -> Result<Self> {
        let file = File::create_new(path).map_err(|cause| failed(&target, cause))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        let hash = XxHash64::with_seed(0);
        Ok(Self { file, target, parts: Vec::new(), label: "the start".to_owned(), is_tensor: false, bytes: 0, hash })
    }

    /// What follows is a tensor.
    pub fn tensor(&mut self, name: &str) {
        self.part(format!("tensor {name:?}"), true);
    }

    /// What follows is a part of its own that is not a tensor.
    pub fn other(&mut self, label: &str) {
        self.part(label.to_owned(), false);
    }

    fn part(&mut self, label: String, is_tensor: bool) {
        let hash = std::mem::replace(&mut self.hash, XxHash64::with_seed(0)).finish();
        let label = std::mem::replace(&mut self.label, label);
        let is_tensor = std::mem::replace(&mut self.is_tensor, is_tensor);
        self.parts.push(Part { label, is_tensor, bytes: std::mem::take(&mut self.bytes), hash });
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|cause| failed(&self.target, cause))?;
        self.hash.write(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn finish(mut self, name: &str) -> Result<WrittenFile> {
        self.other("");
        let Self { file, target, parts, .. } = self;
        let file = file.into_inner().map_err(|error| failed(&target, error.into_error()))?;
        file.sync_all().map_err(|cause| failed(&target, cause))?;
        Ok(WrittenFile { name: name.to_owned(), parts })
    }
}

impl WrittenFile {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// Bytes of its tensors.
    pub(crate) fn tensor_bytes(&self) -> u64 {
        self.parts.iter().filter(|part| part.is_tensor).map(|part| part.bytes).sum()
    }

    /// Reads the file at `path`, which will be at `target`.
    pub(crate) fn check(&self, path: &Path, target: &Path) -> Result<()> {
        let failed = |cause| WriteError::Io { action: "read back", path: target.to_owned(), cause };
        let mut file = File::open(path).map_err(failed)?;
        let length = file.seek(SeekFrom::End(0)).and_then(|length| file.rewind().map(|()| length)).map_err(failed)?;
        if length != self.bytes() {
            let why = format!("it has {length} bytes, and {} were written", self.bytes());
            return Err(WriteError::ReadBack { path: target.to_owned(), why });
        }
        let mut buffer = vec![0; 1 << 20];
        for part in &self.parts {
            let mut hash = XxHash64::with_seed(0);
            let mut left = part.bytes;
            while left > 0 {
                let piece = &mut buffer[..left.min(1 << 20) as usize];
                file.read_exact(piece).map_err(failed)?;
                hash.write(piece);
                left -= piece.len() as u64;
            }
            if hash.finish() != part.hash {
                let why = format!("{} reads back differently", part.label);
                return Err(WriteError::ReadBack { path: target.to_owned(), why });
            }
        }
        Ok(())
    }
}

fn failed(target: &Path, cause: io::Error) -> WriteError {
    WriteError::Io { action: "write", path: target.to_owned(), cause }
}

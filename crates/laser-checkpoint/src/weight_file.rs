//! One way to read the tensors of any container.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

use safetensors::Dtype;
use serde_json::{Map, Value};

use crate::{
    error::{CheckpointError, Result},
    mapped::Mapped,
    precision::Precision,
    tensor_bytes::TensorBytes,
};

/// A container of tensors, checked when it was opened: every tensor lies in its file.
pub(crate) trait WeightFile: fmt::Debug + Send + Sync {
    /// The names of all tensors.
    fn names(&self) -> Vec<&str>;

    /// The tensor of this name.
    fn tensor(&self, name: &str) -> Option<StoredTensor<'_>>;

    /// The file that lists the tensors, for messages.
    fn listing(&self) -> &Path;

    /// Every file that is read, the listing included.
    fn paths(&self) -> Vec<&Path> {
        vec![self.listing()]
    }

    /// Refuses files that were written to since they were opened, and names that stand for other files
    /// by now.
    ///
    /// # Errors
    /// There are such files.
    fn check_unchanged(&self) -> Result<()>;

    /// A GGUF file's bytes before its list of tensors, and the alignment of its data.
    fn gguf_head(&self) -> Option<(&[u8], usize)> {
        None
    }

    /// What the container says of the model under these keys; `None` if it never says anything.
    ///
    /// # Errors
    /// A value's bytes contradict the format.
    fn metadata(&self, _keys: &[&str]) -> Result<Option<Map<String, Value>>> {
        Ok(None)
    }
}

/// The type of a stored tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// One that weights are read from.
    Weights(Precision),
    /// Another one of safetensors, such as the integers of a buffer, which can only be copied.
    Other(Dtype),
}

impl ElementType {
    /// The safetensors type that keeps these elements: quantised ones become f16.
    pub fn dtype(self) -> Dtype {
        match self {
            Self::Weights(precision) => precision.to_safetensors(),
            Self::Other(dtype) => dtype,
        }
    }

    /// Bytes that are never cut: a block, or an element.
    fn block_bytes(self) -> usize {
        match self {
            Self::Weights(precision) => precision.block_bytes(),
            Self::Other(dtype) => (dtype.bitsize() / 8).max(1),
        }
    }
}

impl From<Dtype> for ElementType {
    fn from(dtype: Dtype) -> Self {
        Precision::from_safetensors(dtype).map_or(Self::Other(dtype), Self::Weights)
    }
}

/// A tensor as its container's header has it.
#[derive(Clone, Debug)]
pub(crate) struct TensorEntry {
    pub name: String,
    /// Row-major, outermost first.
    pub shape: Vec<usize>,
    pub element: ElementType,
    pub bytes: TensorBytes,
}

/// A tensor as it is stored.
#[derive(Clone, Copy)]
pub struct StoredTensor<'a> {
    entry: &'a TensorEntry,
    path: &'a Path,
    file: &'a Mapped,
}

impl<'a> StoredTensor<'a> {
    /// Row-major, outermost first.
    pub fn shape(&self) -> &'a [usize] {
        &self.entry.shape
    }

    /// The type of its elements.
    pub fn element(&self) -> ElementType {
        self.entry.element
    }

    /// The file that it is in.
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// How many bytes its elements take.
    pub fn byte_count(&self) -> usize {
        match &self.entry.bytes {
            TensorBytes::Contiguous(range) => range.len(),
            TensorBytes::Strided { element, .. } => self.entry.shape.iter().product::<usize>() * element,
        }
    }

    /// Gives `each` its elements, row-major and little-endian, in pieces of whole blocks. The file
    /// is read and not mapped, so that its pages are not counted as this process's memory.
    ///
    /// # Errors
    /// The file cannot be read, or what `each` gives.
    pub fn pieces<E: From<CheckpointError>>(&self, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        /// A multiple of every type's block, in bytes.
        const BLOCKS: usize = 1 << 16;
        let TensorBytes::Contiguous(range) = &self.entry.bytes else { return each(&self.bytes()) };
        self.check_unchanged()?;
        let failed = |cause| CheckpointError::Io { action: "read", path: self.path.to_owned(), cause };
        let block = self.entry.element.block_bytes();
        let mut buffer = vec![0; BLOCKS * block];
        let mut at = range.start;
        while at < range.end {
            let piece = &mut buffer[..(range.end - at).min(BLOCKS * block)];
            self.file.read_at(piece, at as u64).map_err(failed)?;
            at += piece.len();
            each(piece)?;
        }
        Ok(self.check_unchanged()?)
    }

    /// Row-major and little-endian: the file's own bytes, or a copy if the file has them in another
    /// order.
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        self.entry.bytes.of(&self.entry.shape, self.file)
    }

    /// Refuses a file that was written to since it was opened: asked before and after its bytes are
    /// read, so that what was read is all of one file.
    ///
    /// # Errors
    /// It was.
    pub fn check_unchanged(&self) -> Result<()> {
        self.file.check(self.path)
    }

    /// # Errors
    /// Weights are not read from this type.
    pub fn precision(&self) -> Result<Precision> {
        match self.entry.element {
            ElementType::Weights(precision) => Ok(precision),
            ElementType::Other(dtype) => Err(CheckpointError::UnknownTensorType {
                tensor: self.entry.name.clone(),
                path: self.path.to_owned(),
                found: format!("{dtype:?}"),
            }),
        }
    }
}

/// One file in memory, and the tensors that its header lists.
#[derive(Debug)]
pub(crate) struct MappedTensors {
    path: PathBuf,
    map: Mapped,
    tensors: Vec<TensorEntry>,
    by_name: HashMap<String, usize>,
}

impl MappedTensors {
    /// The tensors' names are different, and their bytes lie in the file.
    pub(crate) fn new(path: PathBuf, map: Mapped, tensors: Vec<TensorEntry>) -> Self {
        let by_name = tensors.iter().enumerate().map(|(index, tensor)| (tensor.name.clone(), index)).collect();
        Self { path, map, tensors, by_name }
    }

    /// The whole file.
    pub(crate) fn file(&self) -> &[u8] {
        &self.map
    }
}

impl WeightFile for MappedTensors {
    fn names(&self) -> Vec<&str> {
        self.tensors.iter().map(|tensor| tensor.name.as_str()).collect()
    }

    fn tensor(&self, name: &str) -> Option<StoredTensor<'_>> {
        let entry = &self.tensors[*self.by_name.get(name)?];
        Some(StoredTensor { entry, path: &self.path, file: &self.map })
    }

    fn listing(&self) -> &Path {
        &self.path
    }

    fn check_unchanged(&self) -> Result<()> {
        self.map.check_name(&self.path)
    }
}

//! One way to read the tensors of any container.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use safetensors::Dtype;
use serde_json::{Map, Value};

use crate::{
    error::{CheckpointError, Result},
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
pub(crate) enum ElementType {
    /// One that weights are read from.
    Weights(Precision),
    /// Another one of safetensors, such as the integers of a buffer, which can only be copied.
    Other(Dtype),
}

impl ElementType {
    /// The safetensors type that keeps these elements: quantised ones become f16.
    pub(crate) fn dtype(self) -> Dtype {
        match self {
            Self::Weights(precision) => precision.to_safetensors(),
            Self::Other(dtype) => dtype,
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
pub(crate) struct StoredTensor<'a> {
    entry: &'a TensorEntry,
    path: &'a Path,
    file: &'a [u8],
}

impl<'a> StoredTensor<'a> {
    /// Row-major, outermost first.
    pub(crate) fn shape(&self) -> &'a [usize] {
        &self.entry.shape
    }

    pub(crate) fn element(&self) -> ElementType {
        self.entry.element
    }

    /// The file that it is in.
    pub(crate) fn path(&self) -> &'a Path {
        self.path
    }

    /// Row-major and little-endian: the file's own bytes, or a copy if the file has them in another
    /// order.
    pub(crate) fn bytes(&self) -> Cow<'a, [u8]> {
        self.entry.bytes.of(&self.entry.shape, self.file)
    }

    /// # Errors
    /// Weights are not read from this type.
    pub(crate) fn precision(&self) -> Result<Precision> {
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
    map: Mmap,
    tensors: Vec<TensorEntry>,
    by_name: HashMap<String, usize>,
}

impl MappedTensors {
    /// The tensors' names are different, and their bytes lie in the file.
    pub(crate) fn new(path: PathBuf, map: Mmap, tensors: Vec<TensorEntry>) -> Self {
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
}

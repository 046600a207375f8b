//! The weights of a Hugging Face folder, in whichever format it has them.

use std::{borrow::Cow, path::Path};

use safetensors::Dtype;

use crate::{
    CheckpointError, Precision, Result,
    pytorch::{self, PytorchFiles},
    safetensors_files::{self, SafetensorsFiles},
};

/// Every tensor of a folder.
#[derive(Debug)]
pub(crate) enum FolderFiles {
    Safetensors(SafetensorsFiles),
    PyTorch(PytorchFiles),
}

/// A tensor as it is stored.
pub(crate) struct StoredTensor<'a> {
    pub shape: &'a [usize],
    pub dtype: Dtype,
    pub path: &'a Path,
    /// Row-major.
    pub bytes: Cow<'a, [u8]>,
}

impl FolderFiles {
    /// Opens the weights of `folder`; safetensors go before PyTorch's own files, as in transformers.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let has = |names: [&str; 2]| names.iter().any(|name| folder.join(name).is_file());
        let names = [[safetensors_files::SINGLE, safetensors_files::INDEX], [pytorch::SINGLE, pytorch::INDEX]];
        match names.map(has) {
            [true, _] => SafetensorsFiles::open(folder).map(Self::Safetensors),
            [false, true] => PytorchFiles::open(folder).map(Self::PyTorch),
            [false, false] => {
                let why = format!("it has none of {}", names.concat().join(", "));
                Err(CheckpointError::NotACheckpoint { path: folder.to_owned(), why })
            }
        }
    }

    /// The file that lists the tensors: the index, or the only file.
    pub(crate) fn listing(&self) -> &Path {
        match self {
            Self::Safetensors(files) => files.listing(),
            Self::PyTorch(files) => files.listing(),
        }
    }

    /// Every file, the index included.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Safetensors(files) => files.paths(),
            Self::PyTorch(files) => files.paths(),
        }
    }

    /// Names of the tensors, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Safetensors(files) => files.tensors().map(|(name, _)| name.as_str()).collect(),
            Self::PyTorch(files) => files.tensors().map(|(name, _)| name.as_str()).collect(),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::Safetensors(files) => files.tensor(name).is_some(),
            Self::PyTorch(files) => files.tensor(name).is_some(),
        }
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<StoredTensor<'_>> {
        match self {
            Self::Safetensors(files) => files.tensor(name).map(|tensor| StoredTensor {
                shape: &tensor.shape,
                dtype: tensor.dtype,
                path: files.path(tensor),
                bytes: Cow::Borrowed(files.bytes(tensor)),
            }),
            Self::PyTorch(files) => files.tensor(name).map(|tensor| StoredTensor {
                shape: &tensor.shape,
                dtype: match tensor.precision {
                    Ok(precision) => precision.to_safetensors(),
                    Err(name) => of_name(name),
                },
                path: files.path(tensor),
                bytes: files.bytes(tensor),
            }),
        }
    }
}

/// safetensors' type of a PyTorch type that no weights have.
fn of_name(name: &str) -> Dtype {
    match name {
        "F64" => Dtype::F64,
        "I64" => Dtype::I64,
        "I32" => Dtype::I32,
        "I16" => Dtype::I16,
        "I8" => Dtype::I8,
        "BOOL" => Dtype::BOOL,
        _ => Dtype::U8,
    }
}

impl StoredTensor<'_> {
    /// Or the name of a type that is not read.
    pub(crate) fn precision(&self) -> std::result::Result<Precision, String> {
        Precision::from_safetensors(self.dtype).ok_or_else(|| format!("{:?}", self.dtype))
    }
}

//! A checkpoint as a whole: its tensors' names, places and sizes, the hashes of its files, and the matrices that
//! are stored as two thin ones.

use std::path::{Path, PathBuf};

use laser_edit::{FileHash, MatrixId};
use laser_matrix::LowRank;

use crate::{
    architecture::Architecture,
    checkpoint::Checkpoint,
    convention::Convention,
    error::{CheckpointError, Result},
    factored::ThinNames,
    file_hash::hash_file,
    param_id::ParamId,
    precision::Precision,
    storage_layout::StorageLayout,
};

impl Checkpoint {
    /// How a matrix is stored.
    ///
    /// # Errors
    /// There is no such matrix or layer.
    pub fn precision(&self, layer: usize, matrix: impl Into<MatrixId>) -> Result<Precision> {
        let matrix = matrix.into();
        matrix.check(self.config())?;
        let param = ParamId::of_matrix(layer, matrix);
        self.check_layer(param)?;
        self.stored_precision(param)
    }

    /// Hashes of the files that make the model: configuration, weights, tokenizer. The first time it
    /// reads every byte of them.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn fingerprint(&self) -> Result<Vec<FileHash>> {
        if let Some(known) = self.hashes().get() {
            return Ok(known.clone());
        }
        let companions = self.convention().companions().iter().map(|name| self.path().join(name));
        let mut paths: Vec<PathBuf> = companions.filter(|path| path.is_file()).collect();
        paths.extend(self.weights().paths().into_iter().map(Path::to_owned));
        paths.sort();
        let files = paths.iter().map(|path| hash_file(path));
        let hashes = files.chain(self.architecture().file.clone().map(Ok)).collect::<Result<Vec<_>>>()?;
        // The hashes are of what was opened, and not of what has come in its place.
        self.check_unchanged()?;
        Ok(self.hashes().get_or_init(|| hashes).clone())
    }

    /// Refuses weights that were written to or replaced since they were opened.
    ///
    /// # Errors
    /// They were.
    pub fn check_unchanged(&self) -> Result<()> {
        self.weights().check_unchanged()
    }

    /// The table that it was opened by, if that is a user's own.
    pub fn custom_architecture(&self) -> Option<Architecture> {
        self.architecture().file.is_some().then(|| self.architecture().clone())
    }

    /// A GGUF file's bytes before its list of tensors (magic, version, counts, metadata), and the
    /// alignment of its data; `None` for a Hugging Face folder.
    pub fn gguf_head(&self) -> Option<(&[u8], usize)> {
        self.weights().gguf_head()
    }

    /// Bytes of all stored tensors.
    pub fn weight_bytes(&self) -> u64 {
        let names = self.weights().names().into_iter();
        names.filter_map(|name| self.weights().tensor(name)).map(|tensor| tensor.byte_count() as u64).sum()
    }

    /// The names of all stored tensors, in the container's order.
    pub fn tensor_names(&self) -> Vec<&str> {
        self.weights().names()
    }

    /// Every tensor of the model, in the order of its forward pass.
    pub fn params(&self) -> Vec<ParamId> {
        ParamId::all(self.architecture(), self.config())
    }

    /// `[rows, cols]` or `[length]` of a tensor of the model.
    pub fn shape(&self, param: ParamId) -> Vec<usize> {
        param.shape(self.architecture(), self.config())
    }

    /// Where a tensor of the model lies in files of a convention; `None` where those have no name for it.
    pub fn layout_in(&self, param: ParamId, convention: Convention) -> Option<StorageLayout> {
        StorageLayout::of(self.architecture(), self.config(), param, convention)
    }

    /// Whether some matrices may be stored as two thin ones.
    pub fn is_factored(&self) -> bool {
        self.tensors().factored.is_some()
    }

    /// The factors U = outer, s = 1, V' = inner of a matrix that is stored as two thin ones; `None` if
    /// it is whole.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix).
    pub fn factors(&self, layer: usize, matrix: impl Into<MatrixId>) -> Result<Option<LowRank>> {
        let matrix = matrix.into();
        matrix.check(self.config())?;
        self.factors_of(ParamId::of_matrix(layer, matrix))
    }

    pub(crate) fn factors_of(&self, param: ParamId) -> Result<Option<LowRank>> {
        self.check_layer(param)?;
        let Some(ThinNames { inner, outer, rank }) = self.tensors().thin(param) else { return Ok(None) };
        let values = |tensor: String| {
            let stored = self.stored(&tensor)?;
            stored.check_unchanged()?;
            let values = stored.precision()?.decode(&stored.bytes());
            stored.check_unchanged()?;
            match values.iter().position(|value| !value.is_finite()) {
                None => Ok(values),
                Some(index) => Err(CheckpointError::NotFinite { tensor, path: stored.path().to_owned(), index }),
            }
        };
        let (inner, outer, shape) = (values(inner)?, values(outer)?, self.shape(param));
        let (rows, cols) = (shape[0], shape[1]);
        let (u, v) = (|i: usize, k: usize| outer[i * rank + k], |j: usize, k: usize| inner[k * cols + j]);
        Ok(Some(LowRank::from_fn([rows, cols], rank, 0, u, |_| 1.0, v)))
    }
}

//! A patch, read: what edits made of some matrices, for one base model.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use laser_checkpoint::{Checkpoint, Precision};
use laser_edit::{FileHash, Intervention, MatrixId};
use laser_matrix::{EditedMatrix, Matrix};
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Result, WriteError},
    thin_factors::ThinFactors,
};

/// The value of `format` in the file's metadata.
pub(crate) const FORMAT: &str = "laser-patch 1";

/// A longer file is not read.
const MOST_BYTES: u64 = 1 << 32;

/// Names of a matrix's tensors end like this.
pub(crate) const INNER: &str = ".inner";
pub(crate) const OUTER: &str = ".outer";
pub(crate) const DENSE: &str = ".dense";

/// The head of a patch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PatchHead {
    /// What the matrices come from.
    pub edits: Vec<Intervention>,
    /// The files of the model that it is for.
    pub base: Vec<FileHash>,
}

/// What edits made of some matrices of one model.
#[derive(Debug)]
pub struct Patch {
    edits: Vec<Intervention>,
    matrices: BTreeMap<(usize, MatrixId), EditedMatrix>,
}

impl Patch {
    /// Reads the file at `path`, which is for the model `base`.
    ///
    /// # Errors
    /// It cannot be read, is not a patch, or was made for another model.
    pub fn open(path: &Path, base: &Checkpoint) -> Result<Self> {
        let wrong = |why: String| WriteError::Patch { path: path.to_owned(), why };
        let bytes = laser_guard::read_file(path, MOST_BYTES).map_err(|cause| WriteError::Io {
            action: "read",
            path: path.to_owned(),
            cause,
        })?;
        let none = || wrong("it is not a patch: give a file that `laser apply --format patch` wrote".to_owned());
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|_| none())?;
        let metadata = metadata.metadata().as_ref().ok_or_else(none)?;
        if metadata.get("format").map(String::as_str) != Some(FORMAT) {
            return Err(none());
        }
        let head: PatchHead = metadata
            .get("laser")
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(|| wrong("its head cannot be read: fetch the file again".to_owned()))?;
        if head.base != base.fingerprint()? {
            return Err(wrong("it was made for other model files: give the model that it was made for".to_owned()));
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| wrong(format!("it is damaged: {error}")))?;
        let mut matrices = BTreeMap::new();
        let config = base.config();
        for edit in &head.edits {
            edit.check(config)?;
            for matrix in edit.matrix.each(config) {
                let name = format!("{}.{matrix}", edit.layer);
                let shape = matrix.kind.shape(config);
                let found = read(&tensors, &name, shape)
                    .ok_or_else(|| wrong(format!("{name} is missing, damaged or of another shape")))?;
                matrices.insert((edit.layer, matrix), found);
            }
        }
        let known: HashSet<String> = matrices.keys().map(|(layer, matrix)| format!("{layer}.{matrix}")).collect();
        let named = |name: &str| {
            let matrix = [INNER, OUTER, DENSE].iter().find_map(|end| name.strip_suffix(end));
            matrix.is_some_and(|matrix| known.contains(matrix))
        };
        if let Some(name) = tensors.names().into_iter().filter(|name| !named(name)).min() {
            return Err(wrong(format!("{name} in it is of no edit that it names")));
        }
        Ok(Self { edits: head.edits, matrices })
    }

    /// What `edits` have made of the matrices: those of each edit, by layer and matrix.
    pub fn new(edits: Vec<Intervention>, matrices: BTreeMap<(usize, MatrixId), EditedMatrix>) -> Self {
        Self { edits, matrices }
    }

    /// What was done.
    pub fn edits(&self) -> &[Intervention] {
        &self.edits
    }

    /// The matrix that a layer has after it.
    pub(crate) fn matrix(&self, layer: usize, matrix: MatrixId) -> Option<&EditedMatrix> {
        self.matrices.get(&(layer, matrix)).or_else(|| self.matrices.get(&(layer, matrix.kind.into())))
    }
}

fn read(tensors: &SafeTensors, name: &str, [rows, cols]: [usize; 2]) -> Option<EditedMatrix> {
    let values = |end: &str| {
        let view = tensors.tensor(&format!("{name}{end}")).ok()?;
        let precision = match view.dtype() {
            Dtype::F32 => Precision::F32,
            Dtype::F16 => Precision::F16,
            Dtype::BF16 => Precision::BF16,
            _ => return None,
        };
        let values = precision.decode(view.data());
        values.iter().all(|value| value.is_finite()).then(|| (view.shape().to_vec(), values))
    };
    if let Some((shape, values)) = values(DENSE) {
        let matrix = (shape == [rows, cols]).then(|| Matrix::new(rows, cols, values).ok()).flatten()?;
        return Some(EditedMatrix::Dense(matrix));
    }
    let ((inner_shape, inner), (outer_shape, outer)) = (values(INNER)?, values(OUTER)?);
    let rank = *inner_shape.first()?;
    let fits = inner_shape == [rank, cols] && outer_shape == [rows, rank];
    fits.then(|| EditedMatrix::LowRank(ThinFactors { inner, outer }.matrix([rows, cols], rank)))
}

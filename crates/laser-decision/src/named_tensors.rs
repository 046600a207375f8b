//! Tensors by name, in a safetensors file.

use crate::error::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Files of such a model are far smaller.
const MOST_BYTES: u64 = 1 << 32;

/// The values of a tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

impl Values {
    /// Zeros.
    pub fn zeros(shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] }
    }
}

/// Tensors by name, and a file's notes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NamedTensors {
    /// The tensors.
    pub tensors: BTreeMap<String, Values>,
    /// The notes.
    pub notes: BTreeMap<String, String>,
}

impl NamedTensors {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is no safetensors file, or holds other elements than f32.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes =
            laser_guard::read_file(path, MOST_BYTES).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let wrong = |why: String| Error::File { path: path.to_owned(), why };
        let broken = |error: safetensors::SafeTensorError| wrong(format!("not a whole safetensors file: {error}"));
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(broken)?;
        let file = SafeTensors::deserialize(&bytes).map_err(broken)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(wrong(format!("tensor `{name}` is {:?}, not F32", view.dtype())));
            }
            let value = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
            let values = view.data().as_chunks::<4>().0.iter().map(value).collect();
            tensors.insert(name.to_owned(), Values { shape: view.shape().to_vec(), values });
        }
        let notes = metadata.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
        Ok(Self { tensors, notes: notes.collect() })
    }

    /// Writes a file whole, or leaves what was there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let wrong = |why: String| Error::File { path: path.to_owned(), why };
        let bytes = |it: &Values| it.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let data: Vec<(&String, &Values, Vec<u8>)> = self.tensors.iter().map(|(n, t)| (n, t, bytes(t))).collect();
        let mut views = Vec::with_capacity(data.len());
        for (name, tensor, data) in &data {
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), data);
            views.push((*name, view.map_err(|it| wrong(it.to_string()))?));
        }
        // transformers refuses a file that does not say what wrote it.
        let mut notes: HashMap<String, String> = self.notes.clone().into_iter().collect();
        notes.insert("format".to_owned(), "pt".to_owned());
        let bytes = safetensors::serialize(views, Some(notes)).map_err(|it| wrong(it.to_string()))?;
        laser_files::write_whole(path, &bytes).map_err(|source| Error::Io { path: path.to_owned(), source })
    }

    /// A tensor.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn get(&self, name: &str) -> Result<&Values> {
        self.tensors.get(name).ok_or_else(|| Error::Shape(format!("there is no tensor `{name}`")))
    }

    /// Whether the tensors are those of `expected`, no more and no fewer.
    pub fn are(&self, expected: &[(String, Vec<usize>)]) -> bool {
        expected.len() == self.tensors.len()
            && expected.iter().all(|(name, shape)| self.tensors.get(name).is_some_and(|it| it.shape == *shape))
    }
}

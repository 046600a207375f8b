//! One PyTorch file, such as `pytorch_model.bin`: which tensors it has, and where.

use std::{collections::BTreeMap, ops::Range, path::Path};

use super::{
    archive::Archive,
    legacy::Legacy,
    pickle_value::{Pickle, StorageId, Value},
    refusal::Refusal,
    tensor_view::locate,
};
use crate::{
    error::CheckpointError,
    mapped,
    weight_file::{MappedTensors, TensorEntry},
};

pub(crate) const SINGLE: &str = "pytorch_model.bin";
pub(crate) const INDEX: &str = "pytorch_model.bin.index.json";

/// Opens the file at `path`.
///
/// # Errors
/// It cannot be read, contradicts its format, or asks for something that no tensor needs.
pub(crate) fn open(path: &Path) -> Result<MappedTensors, CheckpointError> {
    let map = mapped::map(path)?;
    let tensors = tensors(&map).map_err(|refusal| refusal.at(path))?;
    Ok(MappedTensors::new(path.to_owned(), map, tensors))
}

pub(crate) fn tensors(file: &[u8]) -> Result<Vec<TensorEntry>, Refusal> {
    if Archive::starts(file) {
        let archive = Archive::open(file)?;
        state_dict(&archive.pickle(file)?, |id| archive.storage(id))
    } else {
        let legacy = Legacy::open(file)?;
        state_dict(&legacy.pickle, |id| legacy.storage(id))
    }
}

/// The tensors of a state dictionary. Its other values, such as a count of steps, do not matter.
fn state_dict<'a>(
    pickle: &Pickle<'a>,
    bytes_of: impl Fn(StorageId<'a>) -> Result<Range<usize>, Refusal>,
) -> Result<Vec<TensorEntry>, Refusal> {
    let Some(entries) = pickle.dict(pickle.root) else {
        return Err(Refusal::NotRead("it holds no dictionary of tensors: save the model's state_dict".to_owned()));
    };
    // Of a name that comes twice the last counts, as in Python.
    let mut found = BTreeMap::new();
    for &(name, value) in entries {
        let (Value::Text(name), Some(view)) = (name, pickle.tensor(value)) else { continue };
        let bytes = bytes_of(view.storage).and_then(|bytes| locate(view, bytes)).map_err(|refusal| match refusal {
            Refusal::Damaged(why) => Refusal::Damaged(format!("tensor {name:?}: {why}")),
            other => other,
        })?;
        let tensor = TensorEntry {
            name: name.to_owned(),
            shape: view.shape.clone(),
            element: view.storage.kind.dtype().into(),
            bytes,
        };
        found.insert(name, tensor);
    }
    if found.is_empty() {
        let keys: Vec<String> = entries
            .iter()
            .filter_map(|(key, _)| match key {
                Value::Text(key) => Some(format!("{:?}", key.chars().take(40).collect::<String>())),
                _ => None,
            })
            .take(5)
            .collect();
        let why =
            format!("its dictionary has no tensors, only [{}]: save the model's state_dict alone", keys.join(", "));
        return Err(Refusal::NotRead(why));
    }
    Ok(found.into_values().collect())
}

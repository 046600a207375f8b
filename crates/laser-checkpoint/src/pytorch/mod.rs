//! One PyTorch file, such as `pytorch_model.bin`: which tensors it has, and where.
//!
//! It is a pickle, a program for Python, beside the raw elements. [`pickle`] reads the few forms that tensors take and
//! refuses everything else, so that opening a file runs nothing of it.

mod archive;
mod legacy;
mod pickle;
mod storage;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, ops::Range, path::Path};

pub(crate) use self::storage::Place;
use self::{
    archive::Archive,
    legacy::Legacy,
    pickle::{Pickle, StorageId, Value},
};
use crate::{CheckpointError, folder_files::FoundTensor};

pub(crate) const SINGLE: &str = "pytorch_model.bin";
pub(crate) const INDEX: &str = "pytorch_model.bin.index.json";

/// Why a file's bytes are not read.
#[derive(Debug)]
enum Refusal {
    /// They contradict the format.
    Damaged(String),
    /// They ask for something that is not supported.
    NotRead(String),
}

impl Refusal {
    fn at(self, path: &Path) -> CheckpointError {
        let path = path.to_owned();
        match self {
            Self::Damaged(why) => CheckpointError::Damaged { path, why },
            Self::NotRead(why) => CheckpointError::NotRead { path, why },
        }
    }
}

/// The tensors of a file whose content is `bytes`; `path` is for messages.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Vec<FoundTensor>, CheckpointError> {
    tensors(bytes).map_err(|refusal| refusal.at(path))
}

fn tensors(file: &[u8]) -> Result<Vec<FoundTensor>, Refusal> {
    if Archive::starts(file) {
        let archive = Archive::open(file)?;
        places(&archive.pickle(file)?, |id| archive.storage(id))
    } else {
        let legacy = Legacy::open(file)?;
        places(&legacy.pickle, |id| legacy.storage(id))
    }
}

/// The tensors of a state dictionary. Its other values, such as a count of steps, do not matter.
fn places<'a>(
    pickle: &Pickle<'a>,
    bytes_of: impl Fn(StorageId<'a>) -> Result<Range<usize>, Refusal>,
) -> Result<Vec<FoundTensor>, Refusal> {
    let Some(entries) = pickle.dict(pickle.root) else {
        return Err(Refusal::NotRead("it holds no dictionary of tensors: save the model's state_dict".to_owned()));
    };
    // Of a name that comes twice the last counts, as in Python.
    let mut found = BTreeMap::new();
    for &(name, value) in entries {
        let (Value::Text(name), Some(view)) = (name, pickle.tensor(value)) else { continue };
        let place =
            bytes_of(view.storage).and_then(|bytes| Place::of(view, bytes)).map_err(|refusal| match refusal {
                Refusal::Damaged(why) => Refusal::Damaged(format!("tensor {name:?}: {why}")),
                other => other,
            })?;
        let tensor =
            FoundTensor { name: name.to_owned(), shape: view.shape.clone(), dtype: view.storage.kind.dtype(), place };
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

//! The PyTorch files of a Hugging Face folder: `pytorch_model.bin`, or several under an index.
//!
//! Such a file is a pickle, a program for Python, beside the raw elements. [`pickle`] reads the few forms that tensors take and
//! refuses everything else, so that opening a file runs nothing of it.

mod archive;
mod legacy;
mod pickle;
mod storage;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use serde::Deserialize;

use self::{
    archive::Archive,
    legacy::Legacy,
    pickle::{Pickle, StorageId, Value},
    storage::Place,
};
use crate::{CheckpointError, Precision, files::read_json, mapped};

pub(crate) const SINGLE: &str = "pytorch_model.bin";
pub(crate) const INDEX: &str = "pytorch_model.bin.index.json";

/// Every tensor of a folder's PyTorch files.
#[derive(Debug)]
pub(crate) struct PytorchFiles {
    shards: Vec<Shard>,
    tensors: BTreeMap<String, Tensor>,
    /// The file that lists the tensors: the index, or the only file.
    listing: PathBuf,
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    map: Mmap,
}

/// A tensor's type and place.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub shape: Vec<usize>,
    /// Or the name of a type that is not read, such as `I64`.
    pub precision: Result<Precision, &'static str>,
    shard: usize,
    place: Place,
}

/// What an index says; its other keys do not matter here.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

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

impl PytorchFiles {
    /// Opens the weights of `folder`; the single file goes before an index, as in transformers.
    pub(crate) fn open(folder: &Path) -> Result<Self, CheckpointError> {
        let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
        if single.is_file() {
            let mut files = Self { shards: Vec::new(), tensors: BTreeMap::new(), listing: single.clone() };
            files.add(single)?;
            return Ok(files);
        }
        if !index.is_file() {
            let why = format!("it has neither {SINGLE} nor {INDEX}");
            return Err(CheckpointError::NotACheckpoint { path: folder.to_owned(), why });
        }
        let damaged = |why| CheckpointError::Damaged { path: index.clone(), why };
        let Index { weight_map } =
            serde_json::from_value(read_json(&index)?).map_err(|error| damaged(error.to_string()))?;
        let mut files = Self { shards: Vec::new(), tensors: BTreeMap::new(), listing: index.clone() };
        for name in weight_map.values().collect::<BTreeSet<_>>() {
            // A name from a file may not lead out of the folder.
            if Path::new(name).file_name() != Some(name.as_ref()) {
                return Err(damaged(format!("{name:?} is no plain file name")));
            }
            let shard = folder.join(name);
            if !shard.is_file() {
                return Err(damaged(format!("its shard {name:?} is missing")));
            }
            files.add(shard)?;
        }
        for (tensor, name) in &weight_map {
            let found = files.tensors.get(tensor).map(|tensor| &files.shards[tensor.shard].path);
            if found.is_none_or(|path| path.file_name() != Some(name.as_ref())) {
                return Err(damaged(format!("it places tensor {tensor:?} in {name:?}, which does not have it")));
            }
        }
        Ok(files)
    }

    fn add(&mut self, path: PathBuf) -> Result<(), CheckpointError> {
        let map = mapped::map(&path)?;
        let found = read(&map).map_err(|refusal| refusal.at(&path))?;
        for (name, (shape, precision, place)) in found {
            let tensor = Tensor { shape, precision, shard: self.shards.len(), place };
            if self.tensors.insert(name.clone(), tensor).is_some() {
                let why = format!("tensor {name:?} is in another shard, too");
                return Err(CheckpointError::Damaged { path, why });
            }
        }
        self.shards.push(Shard { path, map });
        Ok(())
    }

    pub(crate) fn listing(&self) -> &Path {
        &self.listing
    }

    /// Every file, the index included.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let shards = self.shards.iter().map(|shard| shard.path.as_path());
        shards
            .chain((self.shards.len() != 1 || self.shards[0].path != self.listing).then_some(self.listing.as_path()))
            .collect()
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Every tensor, by name.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (&String, &Tensor)> {
        self.tensors.iter()
    }

    pub(crate) fn path(&self, tensor: &Tensor) -> &Path {
        &self.shards[tensor.shard].path
    }

    /// The elements, row-major and little-endian: the file's own bytes, or a copy where the file has them in another order.
    pub(crate) fn bytes(&self, tensor: &Tensor) -> Cow<'_, [u8]> {
        tensor.place.bytes(&tensor.shape, &self.shards[tensor.shard].map)
    }
}

type Found = BTreeMap<String, (Vec<usize>, Result<Precision, &'static str>, Place)>;

/// The tensors of one file.
fn read(file: &[u8]) -> Result<Found, Refusal> {
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
) -> Result<Found, Refusal> {
    let Some(entries) = pickle.dict(pickle.root) else {
        return Err(Refusal::NotRead("it holds no dictionary of tensors: save the model's state_dict".to_owned()));
    };
    let mut found = Found::new();
    for &(name, value) in entries {
        let (Value::Text(name), Some(view)) = (name, pickle.tensor(value)) else { continue };
        let place =
            bytes_of(view.storage).and_then(|bytes| Place::of(view, bytes)).map_err(|refusal| match refusal {
                Refusal::Damaged(why) => Refusal::Damaged(format!("tensor {name:?}: {why}")),
                other => other,
            })?;
        found.insert(name.to_owned(), (view.shape.clone(), view.storage.kind.precision(), place));
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
    Ok(found)
}

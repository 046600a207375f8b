//! The weights of a Hugging Face folder: one file, or several under an index, in whichever format
//! it has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    error::{CheckpointError, Result},
    json_file::read_json,
    pytorch, safetensors_file,
    weight_file::{MappedTensors, StoredTensor, WeightFile},
};

/// A format's file names, and how a file of it is opened.
struct Format {
    single: &'static str,
    index: &'static str,
    open: fn(&Path) -> Result<MappedTensors>,
}

/// safetensors go before PyTorch's own files, as in transformers.
const FORMATS: [Format; 2] = [
    Format { single: safetensors_file::SINGLE, index: safetensors_file::INDEX, open: safetensors_file::open },
    Format { single: pytorch::SINGLE, index: pytorch::INDEX, open: pytorch::open },
];

/// Every tensor of a folder, by name.
#[derive(Debug)]
pub(crate) struct ShardedWeights {
    shards: Vec<MappedTensors>,
    /// The shard of each tensor.
    tensors: BTreeMap<String, usize>,
    /// The file that lists the tensors: the index, or the only file.
    listing: PathBuf,
}

/// What an index says; its other keys do not matter here.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl ShardedWeights {
    /// Opens the weights of `folder`; within a format the single file goes before an index, as in
    /// transformers.
    ///
    /// # Errors
    /// There are none, a file cannot be read or is damaged, or the index does not fit the files.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        for format in &FORMATS {
            let (single, index) = (folder.join(format.single), folder.join(format.index));
            if single.is_file() {
                let mut weights = Self::listed_in(single.clone());
                weights.add(single, format)?;
                return Ok(weights);
            }
            if index.is_file() {
                return Self::open_shards(folder, index, format);
            }
        }
        let names: Vec<&str> = FORMATS.iter().flat_map(|format| [format.single, format.index]).collect();
        let why = format!("it has none of {}", names.join(", "));
        Err(CheckpointError::NotACheckpoint { path: folder.to_owned(), why })
    }

    fn listed_in(listing: PathBuf) -> Self {
        Self { shards: Vec::new(), tensors: BTreeMap::new(), listing }
    }

    fn open_shards(folder: &Path, index: PathBuf, format: &Format) -> Result<Self> {
        let damaged = |why| CheckpointError::Damaged { path: index.clone(), why };
        let Index { weight_map } =
            serde_json::from_value(read_json(&index)?).map_err(|error| damaged(error.to_string()))?;
        let mut weights = Self::listed_in(index.clone());
        for name in weight_map.values().collect::<BTreeSet<_>>() {
            // A name from a file may not lead out of the folder.
            if Path::new(name).file_name() != Some(name.as_ref()) {
                return Err(damaged(format!("{name:?} is not a plain file name")));
            }
            let shard = folder.join(name);
            if !shard.is_file() {
                return Err(damaged(format!("its shard {name:?} is missing")));
            }
            weights.add(shard, format)?;
        }
        Ok(weights)
    }

    fn add(&mut self, path: PathBuf, format: &Format) -> Result<()> {
        let shard = (format.open)(&path)?;
        for name in shard.names() {
            // Which shard an index places it in does not matter, unless two have it.
            if let Some(before) = self.tensors.insert(name.to_owned(), self.shards.len())
                && !is_same(self.shards[before].tensor(name), shard.tensor(name))
            {
                let why = format!("tensor {name:?} is in another shard, too, with other values");
                return Err(CheckpointError::Damaged { path, why });
            }
        }
        self.shards.push(shard);
        Ok(())
    }
}

fn is_same(one: Option<StoredTensor<'_>>, other: Option<StoredTensor<'_>>) -> bool {
    one.zip(other).is_some_and(|(one, other)| {
        one.shape() == other.shape() && one.element() == other.element() && one.bytes() == other.bytes()
    })
}

impl WeightFile for ShardedWeights {
    /// Sorted.
    fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn tensor(&self, name: &str) -> Option<StoredTensor<'_>> {
        self.shards[*self.tensors.get(name)?].tensor(name)
    }

    fn listing(&self) -> &Path {
        &self.listing
    }

    fn check_unchanged(&self) -> Result<()> {
        self.shards.iter().try_for_each(|shard| shard.check_unchanged())
    }

    fn paths(&self) -> Vec<&Path> {
        let shards = self.shards.iter().map(|shard| shard.listing());
        let is_single = self.shards.len() == 1 && self.shards[0].listing() == self.listing;
        shards.chain((!is_single).then_some(self.listing.as_path())).collect()
    }
}

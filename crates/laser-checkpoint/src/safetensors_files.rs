//! The safetensors files of a Hugging Face folder: one, or several under an index.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::{CheckpointError, Result, files::read_json, mapped};

pub(crate) const SINGLE: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// Every tensor of a folder's safetensors files.
#[derive(Debug)]
pub(crate) struct SafetensorsFiles {
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

/// A tensor's place.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    shard: usize,
    range: Range<usize>,
}

/// What an index says; its other keys do not matter here.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl SafetensorsFiles {
    /// Opens the weights of `folder`; the single file goes before an index, as in transformers.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
        if single.is_file() {
            let mut files = Self { shards: Vec::new(), tensors: BTreeMap::new(), listing: single.clone() };
            files.add(single)?;
            return Ok(files);
        }
        if !index.is_file() {
            let why = format!("it has neither {SINGLE} nor {INDEX}, and other formats are not read");
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

    fn add(&mut self, path: PathBuf) -> Result<()> {
        let map = mapped::map(&path)?;
        let damaged = |why: String| CheckpointError::Damaged { path: path.clone(), why };
        let (header, metadata) =
            SafeTensors::read_metadata(&map).map_err(|error| damaged(error.to_string().replace(['\n', '\r'], " ")))?;
        let data = 8 + header;
        for (name, info) in metadata.tensors() {
            let (start, end) = info.data_offsets;
            let range = data + start..data + end;
            let tensor = Tensor { shape: info.shape.clone(), dtype: info.dtype, shard: self.shards.len(), range };
            if self.tensors.insert(name.clone(), tensor).is_some() {
                return Err(damaged(format!("tensor {name:?} is in another shard, too")));
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

    pub(crate) fn bytes(&self, tensor: &Tensor) -> &[u8] {
        &self.shards[tensor.shard].map[tensor.range.clone()]
    }
}

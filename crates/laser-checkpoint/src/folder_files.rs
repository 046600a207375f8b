//! The weights of a Hugging Face folder: one file, or several under an index, in whichever format it has them.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use safetensors::Dtype;
use serde::Deserialize;

use crate::{
    CheckpointError, Precision, Result,
    files::read_json,
    mapped,
    pytorch::{self, Place},
    safetensors_file,
};

/// A format's file names, and how a file of it is read.
struct Format {
    single: &'static str,
    index: &'static str,
    read: fn(&Path, &[u8]) -> Result<Vec<FoundTensor>>,
}

/// safetensors go before PyTorch's own files, as in transformers.
const FORMATS: [Format; 2] = [
    Format { single: safetensors_file::SINGLE, index: safetensors_file::INDEX, read: safetensors_file::read },
    Format { single: pytorch::SINGLE, index: pytorch::INDEX, read: pytorch::read },
];

/// A tensor that a file has.
pub(crate) struct FoundTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub place: Place,
}

/// Every tensor of a folder.
#[derive(Debug)]
pub(crate) struct FolderFiles {
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

#[derive(Debug)]
struct Tensor {
    shape: Vec<usize>,
    dtype: Dtype,
    shard: usize,
    place: Place,
}

/// A tensor as it is stored.
pub(crate) struct StoredTensor<'a> {
    pub shape: &'a [usize],
    pub dtype: Dtype,
    pub path: &'a Path,
    /// Row-major and little-endian: the file's own bytes, or a copy where the file has them in another order.
    pub bytes: Cow<'a, [u8]>,
}

/// What an index says; its other keys do not matter here.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl FolderFiles {
    /// Opens the weights of `folder`; within a format the single file goes before an index, as in transformers.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        for format in &FORMATS {
            let (single, index) = (folder.join(format.single), folder.join(format.index));
            if single.is_file() {
                let mut files = Self::listed_in(single.clone());
                files.add(single, format)?;
                return Ok(files);
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
        let mut files = Self::listed_in(index.clone());
        for name in weight_map.values().collect::<BTreeSet<_>>() {
            // A name from a file may not lead out of the folder.
            if Path::new(name).file_name() != Some(name.as_ref()) {
                return Err(damaged(format!("{name:?} is no plain file name")));
            }
            let shard = folder.join(name);
            if !shard.is_file() {
                return Err(damaged(format!("its shard {name:?} is missing")));
            }
            files.add(shard, format)?;
        }
        for (tensor, name) in &weight_map {
            let found = files.tensors.get(tensor).map(|tensor| &files.shards[tensor.shard].path);
            if found.is_none_or(|path| path.file_name() != Some(name.as_ref())) {
                return Err(damaged(format!("it places tensor {tensor:?} in {name:?}, which does not have it")));
            }
        }
        Ok(files)
    }

    fn add(&mut self, path: PathBuf, format: &Format) -> Result<()> {
        let map = mapped::map(&path)?;
        for FoundTensor { name, shape, dtype, place } in (format.read)(&path, &map)? {
            let tensor = Tensor { shape, dtype, shard: self.shards.len(), place };
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

    /// Names of the tensors, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<StoredTensor<'_>> {
        let Tensor { shape, dtype, shard, place } = self.tensors.get(name)?;
        let Shard { path, map } = &self.shards[*shard];
        Some(StoredTensor { shape, dtype: *dtype, path, bytes: place.bytes(shape, map) })
    }
}

impl StoredTensor<'_> {
    /// Or the name of a type that is not read.
    pub(crate) fn precision(&self) -> std::result::Result<Precision, String> {
        Precision::from_safetensors(self.dtype).ok_or_else(|| format!("{:?}", self.dtype))
    }
}

//! GGUF files, versions 2 and 3, little-endian.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use serde_json::{Map, Number, Value as Json};

use crate::{
    error::{CheckpointError, Result},
    gguf_header::{Cursor, MetadataValue, TensorInfo},
    mapped,
    model_config::LARGEST_LAYERS,
    tensor_bytes::TensorBytes,
    weight_file::{ElementType, MappedTensors, StoredTensor, TensorEntry, WeightFile},
};

/// An open GGUF file.
#[derive(Debug)]
pub(crate) struct Gguf {
    metadata: BTreeMap<String, MetadataValue>,
    /// Where the list of tensors starts.
    infos: usize,
    alignment: usize,
    tensors: MappedTensors,
}

impl Gguf {
    /// # Errors
    /// The file cannot be read, or its header contradicts itself or the file's length.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let map = mapped::map(path)?;
        let mut cursor = Cursor { path, bytes: &map, at: 0 };
        if cursor.take(4, "the magic number")? != b"GGUF" {
            let why = "it does not start with the letters GGUF: give a folder in Hugging Face layout or a .gguf file"
                .to_owned();
            return Err(CheckpointError::NotACheckpoint { path: path.to_owned(), why });
        }
        let version = cursor.u32("the version")?;
        if (1..=3).contains(&version.swap_bytes()) {
            return Err(cursor.not_read("it is a big-endian GGUF: convert the model for this machine".to_owned()));
        }
        if !(2..=3).contains(&version) {
            return Err(cursor.not_read(format!("it is GGUF version {version}: versions 2 and 3 are read")));
        }
        let tensor_count = cursor.count("the number of tensors", 24)?;
        let metadata_count = cursor.count("the number of metadata entries", 13)?;

        let mut metadata = BTreeMap::new();
        for _ in 0..metadata_count {
            let key = cursor.name("a metadata key")?;
            let kind = cursor.u32("a metadata type")?;
            let value = cursor.value(kind, &key)?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(cursor.damaged(format!("the metadata key {key:?} comes twice")));
            }
        }
        let alignment = match metadata.get("general.alignment") {
            None => 32,
            Some(MetadataValue::Unsigned(alignment))
                if alignment.is_power_of_two() && (8..=1 << 20).contains(alignment) =>
            {
                *alignment as usize
            }
            Some(_) => return Err(cursor.damaged("general.alignment is not a power of two from 8".to_owned())),
        };
        if let Some(MetadataValue::Unsigned(2..)) = metadata.get("split.count") {
            let why = "it is one of several parts: join them with `llama-gguf-split --merge` first";
            return Err(cursor.not_read(why.to_owned()));
        }

        let start = cursor.at;
        let mut infos = Vec::new();
        let mut names = HashSet::new();
        for _ in 0..tensor_count {
            let info = cursor.tensor_info(alignment)?;
            if !names.insert(info.name.clone()) {
                return Err(cursor.damaged(format!("the tensor {:?} comes twice", info.name)));
            }
            infos.push(info);
        }
        let data = cursor.at.next_multiple_of(alignment);
        for info in &mut infos {
            let (start, end) = (data.checked_add(info.range.start), data.checked_add(info.range.end));
            info.range = match (start, end) {
                (Some(start), Some(end)) if end <= map.len() => start..end,
                _ => {
                    let why = format!("tensor {:?} ends after the end of the file: it is truncated", info.name);
                    return Err(cursor.damaged(why));
                }
            };
        }
        let mut order: Vec<&TensorInfo> = infos.iter().collect();
        order.sort_by_key(|info| info.range.start);
        for pair in order.windows(2) {
            if pair[0].range.end > pair[1].range.start {
                return Err(cursor.damaged(format!("the tensors {:?} and {:?} overlap", pair[0].name, pair[1].name)));
            }
        }
        let entry = |TensorInfo { name, shape, precision, range }| {
            let (element, bytes) = (ElementType::Weights(precision), TensorBytes::Contiguous(range));
            TensorEntry { name, shape, element, bytes }
        };
        let tensors = infos.into_iter().map(entry).collect();
        Ok(Self { metadata, infos: start, alignment, tensors: MappedTensors::new(path.to_owned(), map, tensors) })
    }

    /// A metadata entry.
    pub(crate) fn entry(&self, key: &str) -> Option<&MetadataValue> {
        self.metadata.get(key)
    }

    /// A metadata entry as JSON. A list by layer whose values are all equal is that value: llama.cpp
    /// reads both. A list that is too long to be one by layer stays undecoded.
    pub(crate) fn number_or_list(&self, key: &str) -> Option<Json> {
        let value = self.metadata.get(key)?;
        let MetadataValue::Array { count, .. } = value else { return Some(value.to_json()) };
        let decoded = if *count <= LARGEST_LAYERS { self.decoded(key, value).ok()? } else { value.to_json() };
        let equal = |list: &&Vec<Json>| !list.is_empty() && list.iter().all(|one| *one == list[0]);
        Some(match decoded.as_array().filter(equal) {
            Some(list) => list[0].clone(),
            None => decoded,
        })
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key)? {
            MetadataValue::Text(text) => Some(text),
            _ => None,
        }
    }

    fn decoded(&self, key: &str, value: &MetadataValue) -> Result<Json> {
        let MetadataValue::Array { element, count, bytes } = value else { return Ok(value.to_json()) };
        let mut cursor = Cursor { path: self.listing(), bytes: &self.tensors.file()[bytes.clone()], at: 0 };
        (0..*count)
            .map(|_| match element {
                // Exact, where a scalar is given its shortest decimal. JSON has no number for the
                // others.
                6 => cursor.u32(key).map(|bits| {
                    let number = f32::from_bits(bits);
                    Number::from_f64(number.into()).map_or_else(|| number.to_string().into(), Json::Number)
                }),
                9 => cursor.skip_array(key, 1).map(|_| Json::Null),
                _ => cursor.value(*element, key).map(|value| value.to_json()),
            })
            .collect()
    }
}

impl WeightFile for Gguf {
    /// In the file's order.
    fn names(&self) -> Vec<&str> {
        self.tensors.names()
    }

    fn tensor(&self, name: &str) -> Option<StoredTensor<'_>> {
        self.tensors.tensor(name)
    }

    fn listing(&self) -> &Path {
        self.tensors.listing()
    }

    fn check_unchanged(&self) -> Result<()> {
        self.tensors.check_unchanged()
    }

    fn gguf_head(&self) -> Option<(&[u8], usize)> {
        Some((&self.tensors.file()[..self.infos], self.alignment))
    }

    fn metadata(&self, keys: &[&str]) -> Result<Option<Map<String, Json>>> {
        let entries = keys.iter().filter_map(|key| self.metadata.get_key_value(*key));
        entries.map(|(key, value)| Ok((key.clone(), self.decoded(key, value)?))).collect::<Result<_>>().map(Some)
    }
}

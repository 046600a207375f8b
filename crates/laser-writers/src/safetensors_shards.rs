//! Writing safetensors files, several under an index if one would be too large.

use safetensors::{Dtype, tensor::TensorInfo};
use serde_json::{Map, Value, json};

use crate::{error::Result, staged_file::StagedFile, staging::Staging};

pub(crate) const SINGLE: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// A tensor to be written; its bytes are made of `content` when its turn comes.
pub(crate) struct PlannedTensor<C> {
    pub name: String,
    pub dtype: Dtype,
    /// Row-major, outermost first.
    pub shape: Vec<usize>,
    pub content: C,
}

impl<C> PlannedTensor<C> {
    fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// Puts a tensor's bytes, row-major and little-endian, into a file.
pub(crate) type Put<'a, C> = &'a dyn Fn(&PlannedTensor<C>, &mut StagedFile) -> Result<()>;

/// Writes `tensors` into files of at most `shard_bytes` each, in this order.
///
/// # Errors
/// A file cannot be written, or `put` fails.
pub(crate) fn write_shards<C>(
    tensors: Vec<PlannedTensor<C>>,
    shard_bytes: u64,
    folder: &Staging,
    put: Put<'_, C>,
) -> Result<()> {
    let mut shards: Vec<Vec<PlannedTensor<C>>> = Vec::new();
    let mut room = 0;
    for tensor in tensors {
        let bytes = tensor.bytes() as u64;
        match shards.last_mut().filter(|_| bytes <= room) {
            Some(shard) => shard.push(tensor),
            None => {
                room = shard_bytes.max(bytes);
                shards.push(vec![tensor]);
            }
        }
        room -= bytes;
    }
    let count = shards.len();
    let name = |index: usize| match count {
        1 => SINGLE.to_owned(),
        _ => format!("model-{:05}-of-{count:05}.safetensors", index + 1),
    };
    write_files(shards.into_iter().enumerate().map(|(index, shard)| (name(index), shard)).collect(), folder, put)
}

/// Writes files of these names, and an index if they are not the usual single one.
///
/// # Errors
/// As [`write_shards`].
pub(crate) fn write_files<C>(
    files: Vec<(String, Vec<PlannedTensor<C>>)>,
    folder: &Staging,
    put: Put<'_, C>,
) -> Result<()> {
    let mut weight_map = Map::new();
    let mut total = 0;
    let is_single = matches!(&files[..], [(name, _)] if name == SINGLE);
    for (file, tensors) in files {
        weight_map.extend(tensors.iter().map(|tensor| (tensor.name.clone(), file.clone().into())));
        total += tensors.iter().map(PlannedTensor::bytes).sum::<usize>();
        folder.file(&file, |to| put_file(tensors, &json!({ "format": "pt" }), to, put))?;
    }
    if !is_single {
        weight_map.sort_keys();
        folder.write_json(INDEX, &json!({ "metadata": { "total_size": total }, "weight_map": weight_map }))?;
    }
    Ok(())
}

/// Puts one whole safetensors file.
///
/// # Errors
/// As [`write_shards`].
pub(crate) fn put_file<C>(
    mut tensors: Vec<PlannedTensor<C>>,
    metadata: &Value,
    to: &mut StagedFile,
    put: Put<'_, C>,
) -> Result<()> {
    // The widest types first, so that every tensor is aligned to its own width.
    tensors.sort_by(|a, b| b.dtype.cmp(&a.dtype).then_with(|| a.name.cmp(&b.name)));
    to.put(&header(&tensors, metadata))?;
    for tensor in &tensors {
        to.tensor(&tensor.name);
        put(tensor, to)?;
    }
    Ok(())
}

/// Length and header of a safetensors file with these tensors.
fn header<C>(tensors: &[PlannedTensor<C>], metadata: &Value) -> Vec<u8> {
    let mut entries = Map::new();
    entries.insert("__metadata__".to_owned(), metadata.clone());
    let mut offset = 0;
    for tensor in tensors {
        let end = offset + tensor.bytes();
        let info = TensorInfo { dtype: tensor.dtype, shape: tensor.shape.clone(), data_offsets: (offset, end) };
        entries.insert(tensor.name.clone(), json!(info));
        offset = end;
    }
    let mut text = Value::Object(entries).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    header
}

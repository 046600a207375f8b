//! Writing safetensors files, several under an index if one would be too large.

use std::borrow::Cow;

use safetensors::{Dtype, tensor::TensorInfo};
use serde_json::{Map, Value, json};

use crate::{
    error::{CheckpointError, Result},
    safetensors_file::{INDEX, SINGLE},
    staging::Staging,
};

/// A tensor to be written; its bytes are made when its turn comes.
pub(crate) trait OutputTensor {
    fn name(&self) -> &str;
    fn dtype(&self) -> Dtype;
    /// Row-major, outermost first.
    fn shape(&self) -> &[usize];

    /// Its length in bytes.
    fn length(&self) -> usize {
        self.shape().iter().product::<usize>() * self.dtype().bitsize() / 8
    }
}

/// Writes `tensors` into files of at most `shard_bytes` each, in this order. `content` makes a
/// tensor's bytes, row-major and little-endian.
///
/// # Errors
/// A file cannot be written, or `content` fails.
pub(crate) fn write<'a, T: OutputTensor>(
    tensors: Vec<T>,
    shard_bytes: u64,
    folder: &Staging,
    content: impl Fn(&T) -> Result<Cow<'a, [u8]>>,
) -> Result<()> {
    let total: usize = tensors.iter().map(T::length).sum();
    let mut shards: Vec<Vec<T>> = Vec::new();
    let mut room = 0;
    for tensor in tensors {
        let bytes = tensor.length() as u64;
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
    let mut weight_map = Map::new();
    for (index, mut shard) in shards.into_iter().enumerate() {
        let file =
            if count == 1 { SINGLE.to_owned() } else { format!("model-{:05}-of-{count:05}.safetensors", index + 1) };
        weight_map.extend(shard.iter().map(|tensor| (tensor.name().to_owned(), file.clone().into())));
        // The widest types first, so that every tensor is aligned to its own width.
        shard.sort_by(|a, b| b.dtype().cmp(&a.dtype()).then_with(|| a.name().cmp(b.name())));
        let failed = |cause| CheckpointError::Io { action: "write", path: folder.target_of(&file), cause };
        folder.file(&file, |to| {
            to.write_all(&header(&shard)).map_err(failed)?;
            for tensor in &shard {
                to.write_all(&content(tensor)?).map_err(failed)?;
            }
            Ok(())
        })?;
    }
    if count > 1 {
        weight_map.sort_keys();
        folder.write_json(INDEX, &json!({ "metadata": { "total_size": total }, "weight_map": weight_map }))?;
    }
    Ok(())
}

/// Length and header of a safetensors file with these tensors.
fn header(tensors: &[impl OutputTensor]) -> Vec<u8> {
    let mut entries = Map::new();
    entries.insert("__metadata__".to_owned(), json!({ "format": "pt" }));
    let mut offset = 0;
    for tensor in tensors {
        let end = offset + tensor.length();
        let info = TensorInfo { dtype: tensor.dtype(), shape: tensor.shape().to_vec(), data_offsets: (offset, end) };
        entries.insert(tensor.name().to_owned(), json!(info));
        offset = end;
    }
    let mut text = Value::Object(entries).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    header
}

//! One safetensors file: which tensors it has, and where.

use std::path::Path;

use safetensors::SafeTensors;

use crate::{
    error::{CheckpointError, Result},
    mapped,
    tensor_bytes::TensorBytes,
    weight_file::{MappedTensors, TensorEntry},
};

pub(crate) const SINGLE: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// Opens the file at `path`.
///
/// # Errors
/// It cannot be read, or contradicts its format.
pub(crate) fn open(path: &Path) -> Result<MappedTensors> {
    let map = mapped::map(path)?;
    let (header, metadata) = SafeTensors::read_metadata(&map).map_err(|error| CheckpointError::Damaged {
        path: path.to_owned(),
        why: error.to_string().replace(['\n', '\r'], " "),
    })?;
    // The header's length, then the header.
    let data = 8 + header;
    let tensors = metadata.tensors().into_iter().map(|(name, info)| {
        let (start, end) = info.data_offsets;
        let bytes = TensorBytes::Contiguous(data + start..data + end);
        TensorEntry { name, shape: info.shape.clone(), element: info.dtype.into(), bytes }
    });
    let tensors = tensors.collect();
    Ok(MappedTensors::new(path.to_owned(), map, tensors))
}

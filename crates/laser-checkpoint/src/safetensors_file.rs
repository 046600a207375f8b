//! One safetensors file: which tensors it has, and where.

use std::path::Path;

use safetensors::SafeTensors;

use crate::{CheckpointError, Result, folder_files::FoundTensor, pytorch::Place};

pub(crate) const SINGLE: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// The tensors of a file whose content is `bytes`; `path` is for messages.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Vec<FoundTensor>> {
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| CheckpointError::Damaged {
        path: path.to_owned(),
        why: error.to_string().replace(['\n', '\r'], " "),
    })?;
    // The header's length, then the header.
    let data = 8 + header;
    let found = metadata.tensors().into_iter().map(|(name, info)| {
        let (start, end) = info.data_offsets;
        let place = Place::Contiguous(data + start..data + end);
        FoundTensor { name, shape: info.shape.clone(), dtype: info.dtype, place }
    });
    Ok(found.collect())
}

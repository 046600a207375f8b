//! What a stored tensor is made of: one tensor of the model, or several that share it.

use std::collections::HashMap;

use laser_checkpoint::{CheckpointError, Convention, ParamId, Precision, StorageLayout, StoredTensor};

use crate::{
    edited_checkpoint::EditedCheckpoint,
    error::{Result, WriteError},
    staged_file::StagedFile,
};

/// A tensor of the model, and where it goes in a stored tensor.
pub(crate) struct PlacedParam {
    pub param: ParamId,
    pub layout: StorageLayout,
}

/// Tensors of the model by the stored tensors that `layout` puts them into, in the order of the forward
/// pass; what it gives no place is left out.
pub(crate) fn by_tensor(
    params: Vec<ParamId>,
    layout: impl Fn(ParamId) -> Result<Option<StorageLayout>>,
) -> Result<Vec<(String, Vec<PlacedParam>)>> {
    let mut tensors: Vec<(String, Vec<PlacedParam>)> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for param in params {
        let Some(layout) = layout(param)? else { continue };
        let number = *numbers.entry(layout.tensor.clone()).or_insert_with(|| {
            tensors.push((layout.tensor.clone(), Vec::new()));
            tensors.len() - 1
        });
        tensors[number].1.push(PlacedParam { param, layout });
    }
    Ok(tensors)
}

/// The values of a stored tensor, put together from edited tensors of the model, as files of `convention`
/// have them.
pub(crate) fn assembled(
    model: &EditedCheckpoint<'_>,
    params: &[PlacedParam],
    convention: Convention,
) -> Result<Vec<f32>> {
    let Some(first) = params.first() else { return Ok(Vec::new()) };
    let mut whole = vec![0.0; first.layout.shape.iter().product()];
    let offset = convention.norm_offset(model.checkpoint().architecture());
    for PlacedParam { param, layout } in params {
        let mut values = model.values(*param)?;
        if param.kind.is_norm() && !param.is_bias {
            values.iter_mut().for_each(|value| *value -= offset);
        }
        layout.insert(&values, &mut whole);
    }
    Ok(first.layout.as_stored(whole))
}

/// `values` in a type, for the tensor of this name.
pub(crate) fn encoded(tensor: &str, precision: Precision, values: &[f32]) -> Result<Vec<u8>> {
    let overflow = |(index, value)| WriteError::Overflow { tensor: tensor.to_owned(), precision, index, value };
    precision.encode(values).map_err(overflow)
}

/// Copies a stored tensor, one piece in memory at a time. What the model reads must be finite.
pub(crate) fn copy(name: &str, stored: &StoredTensor<'_>, is_read: bool, to: &mut StagedFile) -> Result<()> {
    let mut done = 0;
    stored.pieces(|piece| {
        if is_read {
            let values = stored.precision()?.decode(piece);
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                let (tensor, path) = (name.to_owned(), stored.path().to_owned());
                return Err(CheckpointError::NotFinite { tensor, path, index: done + index }.into());
            }
            done += values.len();
        }
        to.put(piece)
    })
}

//! Whether a checkpoint's tensors are those of its family.

use std::collections::HashSet;

use laser_edit::MatrixKind;

use crate::{
    convention::Convention,
    error::{CheckpointError, Result},
    param_id::ParamId,
    param_kind::ParamKind,
    refused_weights,
    tensor_finder::TensorFinder,
};

/// Tables and masks that files keep beside the weights: ends of their names.
const BUFFERS: [&str; 11] = [
    "inv_freq",
    "attn.bias",
    "attention.bias",
    "masked_bias",
    "position_ids",
    "token_type_ids",
    "cos_cached",
    "sin_cached",
    "embed_positions",
    "norm_factor",
    "num_batches_tracked",
];

/// Whether a tensor is a table or a mask, which a model makes anew.
fn is_buffer(name: &str) -> bool {
    let parts: Vec<&str> = name.rsplit('.').collect();
    BUFFERS.iter().any(|end| name == *end || name.ends_with(&format!(".{end}")))
        || parts.get(1).is_some_and(|part| *part == "rotary_emb" || *part == "rotary")
}

/// Checks that every tensor of the model is there, in its shape and in a type that can be read.
/// Gives a note on the tensors that are left out.
///
/// # Errors
/// The first tensor that is not so, or one that the family does not have where it may not be left
/// out.
pub(crate) fn check(tensors: TensorFinder<'_>) -> Result<Option<String>> {
    let mut known = HashSet::new();
    for param in ParamId::all(tensors.architecture, tensors.config) {
        for (tensor, expected) in tensors.parts(param)? {
            let stored = tensors.weights.tensor(&tensor);
            let stored = stored.ok_or_else(|| refused_weights::missing(&tensor, tensors.weights))?;
            let found = stored.shape().to_vec();
            if found != expected {
                return Err(CheckpointError::WrongShape { tensor, path: stored.path().to_owned(), expected, found });
            }
            stored.precision()?;
            known.insert(tensor);
        }
        // A head's bias may be stored under two names.
        if param.kind == ParamKind::Head && param.is_bias {
            known.extend(tensors.convention.synonyms(tensors.architecture, &tensors.layout(param)?.tensor));
        }
    }
    if tensors.config.tied_head {
        known.insert(tensors.layout(ParamId::of(ParamKind::Head))?.tensor);
    }
    check_unknown(tensors, &known)
}

/// A tensor in a layer that the family does not have: what it does is left out. transformers does
/// so with a warning; llama.cpp refuses, and so is a table of the user's own asked to name all.
fn check_unknown(tensors: TensorFinder<'_>, known: &HashSet<String>) -> Result<Option<String>> {
    let names = tensors.weights.names();
    let unread: Vec<&str> = names.into_iter().filter(|name| !known.contains(*name) && !is_buffer(name)).collect();
    let query = ParamKind::Matrix(MatrixKind::QProj);
    let first = tensors.parts(ParamId::in_layer(query, 0))?.swap_remove(0).0;
    let layers = tensors.config.layers;
    let in_layer = |name: &str| {
        let start = first.find(".0.").map(|dot| &first[..=dot])?;
        let (layer, _) = name.strip_prefix(start)?.split_once('.')?;
        layer.parse().ok().filter(|&layer: &usize| layer < layers)
    };
    let architecture = tensors.architecture;
    let strict = tensors.convention == Convention::Gguf || architecture.file.is_some();
    if let Some(name) = unread.iter().find(|name| strict && in_layer(name).is_some()) {
        return Err(CheckpointError::Unsupported {
            path: tensors.weights.listing().to_owned(),
            key: format!("tensor {name:?}"),
            found: "there".to_owned(),
            why: format!("the family {} has no such tensor, and it would be left out", architecture.family),
        });
    }
    let is_gguf = tensors.convention == Convention::Gguf;
    Ok(unread.first().filter(|_| !is_gguf).map(|first| {
        let listing = tensors.weights.listing().display();
        let (count, family) = (unread.len(), &architecture.family);
        let what = if count == 1 { "tensor is" } else { "tensors are" };
        format!("{listing}: {count} {what} left out, since {family} has none such: {first:?} is the first")
    }))
}

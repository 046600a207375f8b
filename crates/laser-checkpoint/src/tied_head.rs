//! A head that config.json ties to the embedding, in a file that has both.

use crate::{error::Result, param_id::ParamId, param_kind::ParamKind, tensor_finder::TensorFinder};

/// Whether the file has a head of its own that differs from the embedding: transformers 5 then
/// keeps both, whatever `tie_word_embeddings` says.
///
/// # Errors
/// A tensor cannot be read.
pub(crate) fn differs(tensors: TensorFinder<'_>) -> Result<bool> {
    let stored = |kind| tensors.stored(ParamId::of(kind));
    let (Some(head), Some(embedding)) = (stored(ParamKind::Head)?, stored(ParamKind::Embedding)?) else {
        return Ok(false);
    };
    let ((name, head), (other, embedding)) = (head, embedding);
    if name == other {
        return Ok(false);
    }
    if head.shape() != embedding.shape() {
        return Ok(true);
    }
    if head.element() == embedding.element() {
        return Ok(head.bytes() != embedding.bytes());
    }
    let (one, two) = (head.precision()?, embedding.precision()?);
    Ok(one.decode(&head.bytes()) != two.decode(&embedding.bytes()))
}

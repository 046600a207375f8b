//! A tensor as a view of a storage.

use std::ops::Range;

use super::{pickle_value::TensorView, refusal::Refusal};
use crate::tensor_bytes::TensorBytes;

/// Where the elements of `view` are, checked against the storage that holds them; `storage` is the
/// storage's bytes in the file.
///
/// # Errors
/// Some of the elements lie outside.
pub(crate) fn locate(view: &TensorView<'_>, storage: Range<usize>) -> Result<TensorBytes, Refusal> {
    let TensorView { storage: id, offset, shape, strides } = view;
    let outside = || {
        let TensorView { offset, shape, strides, .. } = view;
        Refusal::Damaged(format!(
            "shape {shape:?} with strides {strides:?} from element {offset} is more than storage {:?} holds",
            id.key
        ))
    };
    if strides.len() != shape.len() {
        return Err(outside());
    }
    let (first, available) = id.slice.unwrap_or((0, id.count));
    if first.checked_add(available).is_none_or(|end| end > id.count) {
        return Err(outside());
    }
    if shape.contains(&0) {
        return Ok(TensorBytes::Contiguous(storage.start..storage.start));
    }
    let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size)).ok_or_else(outside)?;
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(*offset, |last, (&size, &stride)| last.checked_add((size - 1).checked_mul(stride)?))
        .ok_or_else(outside)?;
    // The count matters too: with strides of 0 a small storage could stand for a tensor of any
    // size.
    if last >= available || count > available {
        return Err(outside());
    }
    // Nothing below overflows: all elements lie in the storage, and the storage lies in the file.
    let element = id.kind.size();
    let start = storage.start + (first + offset) * element;
    let mut dense = 1;
    let contiguous = shape.iter().zip(strides).rev().all(|(&size, &stride)| {
        let fits = size == 1 || stride == dense;
        dense *= size;
        fits
    });
    Ok(if contiguous {
        TensorBytes::Contiguous(start..start + count * element)
    } else {
        // A dimension of size 1 is never stepped through, whatever its stride.
        let step = |(&size, &stride): (&usize, &usize)| if size == 1 { 0 } else { stride * element };
        TensorBytes::Strided { start, strides: shape.iter().zip(strides).map(step).collect(), element }
    })
}

//! What a storage's elements are, and tensors as views of them.

use std::{borrow::Cow, ops::Range};

use super::{Refusal, pickle::TensorView};
use safetensors::Dtype;

/// The element types of PyTorch's storages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StorageType {
    F32,
    F16,
    BF16,
    F64,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl StorageType {
    /// By the class name in the module `torch`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "FloatStorage" => Self::F32,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::BF16,
            "DoubleStorage" => Self::F64,
            "LongStorage" => Self::I64,
            "IntStorage" => Self::I32,
            "ShortStorage" => Self::I16,
            "CharStorage" => Self::I8,
            "ByteStorage" => Self::U8,
            "BoolStorage" => Self::Bool,
            _ => return None,
        })
    }

    /// In bytes.
    pub(super) const fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// safetensors' name of the type.
    pub(super) const fn dtype(self) -> Dtype {
        match self {
            Self::F64 => Dtype::F64,
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::BF16 => Dtype::BF16,
            Self::I64 => Dtype::I64,
            Self::I32 => Dtype::I32,
            Self::I16 => Dtype::I16,
            Self::I8 => Dtype::I8,
            Self::U8 => Dtype::U8,
            Self::Bool => Dtype::BOOL,
        }
    }
}

/// Where a tensor's elements are in a file, checked against the storage that holds them.
#[derive(Debug)]
pub(crate) enum Place {
    /// Row-major and without gaps, in bytes.
    Contiguous(Range<usize>),
    /// First byte, and the distance in bytes from one index to the next in each dimension.
    Strided { start: usize, strides: Vec<usize>, element: usize },
}

impl Place {
    /// `storage` is the storage's bytes in the file.
    pub(super) fn of(view: &TensorView<'_>, storage: Range<usize>) -> Result<Self, Refusal> {
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
        let (first, available) = id.part.unwrap_or((0, id.count));
        if first.checked_add(available).is_none_or(|end| end > id.count) {
            return Err(outside());
        }
        if shape.contains(&0) {
            return Ok(Self::Contiguous(storage.start..storage.start));
        }
        let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size)).ok_or_else(outside)?;
        let last = shape
            .iter()
            .zip(strides)
            .try_fold(*offset, |last, (&size, &stride)| last.checked_add((size - 1).checked_mul(stride)?))
            .ok_or_else(outside)?;
        // The count matters too: with strides of 0 a small storage could stand for a tensor of any size.
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
            Self::Contiguous(start..start + count * element)
        } else {
            // A dimension of size 1 is never stepped through, whatever its stride.
            let step = |(&size, &stride): (&usize, &usize)| if size == 1 { 0 } else { stride * element };
            Self::Strided { start, strides: shape.iter().zip(strides).map(step).collect(), element }
        })
    }

    /// The elements of a tensor of this `shape`, row-major.
    pub(crate) fn bytes<'a>(&self, shape: &[usize], file: &'a [u8]) -> Cow<'a, [u8]> {
        match self {
            Self::Contiguous(range) => Cow::Borrowed(&file[range.clone()]),
            Self::Strided { start, strides, element } => Cow::Owned(gather(file, shape, *start, strides, *element)),
        }
    }
}

/// Copies element by element in row-major order, like an odometer.
fn gather(file: &[u8], shape: &[usize], start: usize, strides: &[usize], element: usize) -> Vec<u8> {
    let (Some((&columns, rows)), Some((&step, strides))) = (shape.split_last(), strides.split_last()) else {
        return file[start..start + element].to_vec();
    };
    let count: usize = rows.iter().product();
    let mut bytes = Vec::with_capacity(count * columns * element);
    let mut position = vec![0; rows.len()];
    let mut row = start;
    for _ in 0..count {
        for column in 0..columns {
            let at = row + column * step;
            bytes.extend_from_slice(&file[at..at + element]);
        }
        for ((position, &size), &stride) in position.iter_mut().zip(rows).zip(strides).rev() {
            *position += 1;
            row += stride;
            if *position < size {
                break;
            }
            row -= size * stride;
            *position = 0;
        }
    }
    bytes
}

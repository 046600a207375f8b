//! Where a tensor's elements are in a file.

use std::{borrow::Cow, ops::Range};

/// Where a tensor's elements are in a file; all of them lie in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TensorBytes {
    /// Row-major and without gaps, in bytes.
    Contiguous(Range<usize>),
    /// First byte, the distance in bytes from one index to the next in each dimension, and the
    /// bytes of an element.
    Strided { start: usize, strides: Vec<usize>, element: usize },
}

impl TensorBytes {
    /// The elements of a tensor of this `shape`, row-major.
    pub(crate) fn of<'a>(&self, shape: &[usize], file: &'a [u8]) -> Cow<'a, [u8]> {
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

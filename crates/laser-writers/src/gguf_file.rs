//! A GGUF file, written: head, list of tensors, data.
//!
//! Layout: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use laser_checkpoint::Precision;
use serde_json::Value;

use crate::{error::Result, staged_file::StagedFile};

/// Where data starts at multiples of this many bytes, unless a file says otherwise.
pub(crate) const ALIGNMENT: usize = 32;

const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const BOOL: u32 = 7;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// A tensor to be written; its bytes are made of `content` when its turn comes.
pub(crate) struct GgufTensor<C> {
    pub name: String,
    /// Row-major, outermost first.
    pub shape: Vec<usize>,
    pub precision: Precision,
    pub content: C,
}

impl<C> GgufTensor<C> {
    pub(crate) fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() / self.precision.block_values() * self.precision.block_bytes()
    }
}

/// Magic, version, counts and metadata. Integers are written as u32 (in arrays as i32), floats as f32.
pub(crate) fn head(tensors: usize, metadata: &[(String, Value)]) -> Vec<u8> {
    let mut head = b"GGUF".to_vec();
    head.extend(3_u32.to_le_bytes());
    head.extend((tensors as u64).to_le_bytes());
    head.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        put_text(&mut head, key);
        head.extend(kind(value, U32).to_le_bytes());
        put_value(&mut head, value, U32);
    }
    head
}

fn kind(value: &Value, integers: u32) -> u32 {
    match value {
        Value::Bool(_) => BOOL,
        Value::String(_) => TEXT,
        Value::Array(_) => ARRAY,
        Value::Number(number) if number.is_f64() => F32,
        _ => integers,
    }
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    to.extend((text.len() as u64).to_le_bytes());
    to.extend(text.as_bytes());
}

fn put_value(to: &mut Vec<u8>, value: &Value, integers: u32) {
    match value {
        Value::Bool(value) => to.push(u8::from(*value)),
        Value::String(text) => put_text(to, text),
        Value::Array(items) => {
            to.extend(items.first().map_or(TEXT, |first| kind(first, I32)).to_le_bytes());
            to.extend((items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| put_value(to, item, I32));
        }
        Value::Number(number) if number.is_f64() => {
            to.extend((number.as_f64().unwrap_or_default() as f32).to_le_bytes());
        }
        value if integers == I32 => to.extend((value.as_i64().unwrap_or_default() as i32).to_le_bytes()),
        value => to.extend((value.as_u64().unwrap_or_default() as u32).to_le_bytes()),
    }
}

/// Puts a whole file; `head` is everything before the list of tensors.
///
/// # Errors
/// It cannot be written, or `put` fails.
pub(crate) fn put_file<C>(
    head: &[u8],
    alignment: usize,
    tensors: &[GgufTensor<C>],
    to: &mut StagedFile,
    put: &dyn Fn(&GgufTensor<C>, &mut StagedFile) -> Result<()>,
) -> Result<()> {
    let mut list = Vec::new();
    let mut offset = 0;
    for tensor in tensors {
        put_text(&mut list, &tensor.name);
        list.extend((tensor.shape.len() as u32).to_le_bytes());
        // Innermost first.
        tensor.shape.iter().rev().for_each(|&size| list.extend((size as u64).to_le_bytes()));
        list.extend(tensor.precision.ggml_number().to_le_bytes());
        list.extend((offset as u64).to_le_bytes());
        offset += tensor.bytes().next_multiple_of(alignment);
    }
    let end = head.len() + list.len();
    list.resize(list.len() + end.next_multiple_of(alignment) - end, 0);
    to.put(head)?;
    to.other("the list of tensors");
    to.put(&list)?;
    for tensor in tensors {
        to.tensor(&tensor.name);
        put(tensor, to)?;
        let bytes = tensor.bytes();
        to.put(&vec![0; bytes.next_multiple_of(alignment) - bytes])?;
    }
    Ok(())
}

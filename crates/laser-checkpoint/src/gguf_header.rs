//! A GGUF file's header: metadata and tensor infos, checked against the file's length before
//! anything is allocated for them. Layout:
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::{ops::Range, path::Path};

use serde_json::Value as Json;

use crate::{
    error::{CheckpointError, Result},
    precision::Precision,
};

/// Arrays in arrays in arrays: no writer makes deeper ones.
const DEEPEST_ARRAY: usize = 4;
const MOST_DIMENSIONS: u32 = 4;
const LONGEST_NAME: usize = 1024;

/// A metadata value.
#[derive(Debug)]
pub(crate) enum MetadataValue {
    Unsigned(u64),
    Signed(i64),
    Float32(f32),
    Float64(f64),
    Bool(bool),
    Text(String),
    /// Checked, but decoded only when asked for.
    Array {
        element: u32,
        count: usize,
        bytes: Range<usize>,
    },
}

impl MetadataValue {
    /// The value as JSON. A float32 becomes its shortest decimal, as 1e-5 rather than
    /// 9.999999747378752e-6.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Unsigned(value) => (*value).into(),
            Self::Signed(value) => (*value).into(),
            Self::Float32(value) => value.to_string().parse::<f64>().map_or(Json::Null, Json::from),
            Self::Float64(value) => (*value).into(),
            Self::Bool(value) => (*value).into(),
            Self::Text(value) => value.as_str().into(),
            Self::Array { count, .. } => format!("an array of {count} values").into(),
        }
    }
}

/// A tensor as the header lists it.
pub(crate) struct TensorInfo {
    pub name: String,
    /// Row-major, outermost first (GGUF itself lists the innermost first).
    pub shape: Vec<usize>,
    pub precision: Precision,
    /// Its bytes, from the start of the data.
    pub range: Range<usize>,
}

/// A place in the header. Whatever is taken was first checked to be there.
pub(crate) struct Cursor<'a> {
    pub path: &'a Path,
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn damaged(&self, why: String) -> CheckpointError {
        CheckpointError::Damaged { path: self.path.to_owned(), why }
    }

    pub(crate) fn not_read(&self, why: String) -> CheckpointError {
        CheckpointError::NotRead { path: self.path.to_owned(), why }
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8]> {
        if count > self.left() {
            let why = format!("{what:?} needs {count} bytes at byte {}, where {} are left", self.at, self.left());
            return Err(self.damaged(why));
        }
        let bytes = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(bytes)
    }

    fn fixed<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut fixed = [0; N];
        fixed.copy_from_slice(self.take(N, what)?);
        Ok(fixed)
    }

    pub(crate) fn u32(&mut self, what: &str) -> Result<u32> {
        self.fixed(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        self.fixed(what).map(u64::from_le_bytes)
    }

    /// A number of things that take at least `least` bytes each.
    pub(crate) fn count(&mut self, what: &str, least: usize) -> Result<usize> {
        let count = self.u64(what)?;
        let most = (self.left() / least) as u64;
        if count > most {
            return Err(self.damaged(format!("{what:?} claims {count} items, but at most {most} fit into the file")));
        }
        Ok(count as usize)
    }

    fn string(&mut self, what: &str) -> Result<String> {
        let length = self.count(what, 1)?;
        let bytes = self.take(length, what)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.damaged(format!("{what:?} is no UTF-8 text")))?;
        Ok(text.to_owned())
    }

    /// A string that is short enough for a message.
    pub(crate) fn name(&mut self, what: &str) -> Result<String> {
        let name = self.string(what)?;
        if name.len() > LONGEST_NAME {
            return Err(self.damaged(format!("{what:?} is {} bytes long", name.len())));
        }
        Ok(name)
    }

    pub(crate) fn value(&mut self, kind: u32, key: &str) -> Result<MetadataValue> {
        Ok(match kind {
            0 => MetadataValue::Unsigned(self.fixed(key).map(u8::from_le_bytes)?.into()),
            1 => MetadataValue::Signed(self.fixed(key).map(i8::from_le_bytes)?.into()),
            2 => MetadataValue::Unsigned(self.fixed(key).map(u16::from_le_bytes)?.into()),
            3 => MetadataValue::Signed(self.fixed(key).map(i16::from_le_bytes)?.into()),
            4 => MetadataValue::Unsigned(self.u32(key)?.into()),
            5 => MetadataValue::Signed(self.fixed(key).map(i32::from_le_bytes)?.into()),
            6 => MetadataValue::Float32(self.fixed(key).map(f32::from_le_bytes)?),
            7 => match self.fixed::<1>(key)? {
                [0] => MetadataValue::Bool(false),
                [1] => MetadataValue::Bool(true),
                [byte] => return Err(self.damaged(format!("{key:?} is {byte}, neither true nor false"))),
            },
            8 => MetadataValue::Text(self.string(key)?),
            9 => {
                let start = self.at + 12;
                let (element, count) = self.skip_array(key, 0)?;
                MetadataValue::Array { element, count, bytes: start..self.at }
            }
            10 => MetadataValue::Unsigned(self.u64(key)?),
            11 => MetadataValue::Signed(self.fixed(key).map(i64::from_le_bytes)?),
            12 => MetadataValue::Float64(self.fixed(key).map(f64::from_le_bytes)?),
            other => return Err(self.damaged(format!("{key:?} has the unknown metadata type {other}"))),
        })
    }

    /// Walks over an array, from its element type on, and gives that type and the number of
    /// elements.
    pub(crate) fn skip_array(&mut self, key: &str, depth: usize) -> Result<(u32, usize)> {
        let element = self.u32(key)?;
        let least = match element {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            8 | 10..=12 => 8,
            9 if depth < DEEPEST_ARRAY => 12,
            9 => return Err(self.damaged(format!("{key:?} has arrays in arrays without end"))),
            other => return Err(self.damaged(format!("{key:?} is an array of the unknown type {other}"))),
        };
        let count = self.count(key, least)?;
        match element {
            8 => {
                for _ in 0..count {
                    let length = self.count(key, 1)?;
                    self.take(length, key)?;
                }
            }
            9 => {
                for _ in 0..count {
                    self.skip_array(key, depth + 1)?;
                }
            }
            _ => {
                self.take(count * least, key)?;
            }
        }
        Ok((element, count))
    }

    /// A tensor's info; its bytes still count from the start of the data.
    pub(crate) fn tensor_info(&mut self, alignment: usize) -> Result<TensorInfo> {
        let name = self.name("a tensor's name")?;
        let dimensions = self.u32(&name)?;
        if dimensions == 0 || dimensions > MOST_DIMENSIONS {
            return Err(
                self.damaged(format!("tensor {name:?} has {dimensions} dimensions, not 1 to {MOST_DIMENSIONS}"))
            );
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            shape.push(usize::try_from(self.u64(&name)?).unwrap_or(usize::MAX));
        }
        let row = shape[0];
        shape.reverse();
        let number = self.u32(&name)?;
        let precision = Precision::from_ggml_number(number).ok_or_else(|| CheckpointError::UnknownTensorType {
            tensor: name.clone(),
            path: self.path.to_owned(),
            found: format!("number {number} of ggml"),
        })?;
        let offset = self.u64(&name)?;
        let values = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        if !row.is_multiple_of(precision.block_values()) {
            return Err(self.damaged(format!("tensor {name:?} has rows of {row}, no multiple of a {precision} block")));
        }
        let bytes = values.and_then(|values| (values / precision.block_values()).checked_mul(precision.block_bytes()));
        let start = usize::try_from(offset).ok().filter(|start| start.is_multiple_of(alignment));
        match (start, bytes.filter(|&bytes| bytes <= self.bytes.len())) {
            (Some(start), Some(bytes)) if start <= self.bytes.len() => {
                Ok(TensorInfo { name, shape, precision, range: start..start + bytes })
            }
            (None, _) => Err(self.damaged(format!("tensor {name:?} starts at {offset}, not aligned to {alignment}"))),
            _ => {
                Err(self
                    .damaged(format!("tensor {name:?} claims shape {shape:?} at {offset}, more than the file holds")))
            }
        }
    }
}

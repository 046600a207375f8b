//! GGUF files, versions 2 and 3, little-endian: metadata and tensor infos are checked against the file's length before anything
//! is allocated for them. Layout: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use serde_json::{Map, Number, Value as Json};

use crate::{CheckpointError, Precision, Result, mapped};

/// Arrays in arrays in arrays: no writer makes deeper ones.
const DEEPEST_ARRAY: usize = 4;
const MOST_DIMENSIONS: u32 = 4;
const LONGEST_NAME: usize = 1024;

/// An open GGUF file.
#[derive(Debug)]
pub(crate) struct Gguf {
    path: PathBuf,
    map: Mmap,
    metadata: BTreeMap<String, Value>,
    tensors: Vec<Tensor>,
    by_name: HashMap<String, usize>,
}

/// A tensor's place in the file.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub name: String,
    /// Row-major, outermost first (GGUF itself lists the innermost first).
    pub shape: Vec<usize>,
    pub precision: Precision,
    range: Range<usize>,
}

/// A metadata value.
#[derive(Debug)]
pub(crate) enum Value {
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

impl Value {
    /// The value as JSON. A float32 becomes its shortest decimal, as 1e-5 rather than 9.999999747378752e-6.
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

impl Gguf {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let map = mapped::map(path)?;
        let mut cursor = Cursor { path, bytes: &map, at: 0 };
        if cursor.take(4, "the magic number")? != b"GGUF" {
            let why = "it does not start with the letters GGUF: give a folder in Hugging Face layout or a .gguf file"
                .to_owned();
            return Err(CheckpointError::NotACheckpoint { path: path.to_owned(), why });
        }
        let version = cursor.u32("the version")?;
        if (1..=3).contains(&version.swap_bytes()) {
            return Err(cursor.not_read("it is a big-endian GGUF: convert the model for this machine".to_owned()));
        }
        if !(2..=3).contains(&version) {
            return Err(cursor.not_read(format!("it is GGUF version {version}: versions 2 and 3 are read")));
        }
        let tensor_count = cursor.count("the number of tensors", 24)?;
        let metadata_count = cursor.count("the number of metadata entries", 13)?;

        let mut metadata = BTreeMap::new();
        for _ in 0..metadata_count {
            let key = cursor.name("a metadata key")?;
            let kind = cursor.u32("a metadata type")?;
            let value = cursor.value(kind, &key)?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(cursor.damaged(format!("the metadata key {key:?} comes twice")));
            }
        }
        let alignment = match metadata.get("general.alignment") {
            None => 32,
            Some(Value::Unsigned(alignment)) if alignment.is_power_of_two() && (8..=1 << 20).contains(alignment) => {
                *alignment as usize
            }
            Some(_) => return Err(cursor.damaged("general.alignment is no power of two from 8".to_owned())),
        };
        if let Some(Value::Unsigned(2..)) = metadata.get("split.count") {
            let why = "it is one of several parts: join them with `llama-gguf-split --merge` first";
            return Err(cursor.not_read(why.to_owned()));
        }

        let mut tensors = Vec::new();
        let mut by_name = HashMap::new();
        for index in 0..tensor_count {
            let tensor = cursor.tensor_info(alignment)?;
            if by_name.insert(tensor.name.clone(), index).is_some() {
                return Err(cursor.damaged(format!("the tensor {:?} comes twice", tensor.name)));
            }
            tensors.push(tensor);
        }
        let data = cursor.at.next_multiple_of(alignment);
        for tensor in &mut tensors {
            let (start, end) = (data.checked_add(tensor.range.start), data.checked_add(tensor.range.end));
            tensor.range = match (start, end) {
                (Some(start), Some(end)) if end <= map.len() => start..end,
                _ => {
                    let why = format!("tensor {:?} ends after the end of the file: it is truncated", tensor.name);
                    return Err(cursor.damaged(why));
                }
            };
        }
        let mut order: Vec<&Tensor> = tensors.iter().collect();
        order.sort_by_key(|tensor| tensor.range.start);
        for pair in order.windows(2) {
            if pair[0].range.end > pair[1].range.start {
                return Err(cursor.damaged(format!("the tensors {:?} and {:?} overlap", pair[0].name, pair[1].name)));
            }
        }
        Ok(Self { path: path.to_owned(), map, metadata, tensors, by_name })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn metadata(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn token_id(&self, key: &str) -> Option<u32> {
        self.metadata.get(key)?.to_json().as_u64().and_then(|id| u32::try_from(id).ok())
    }

    /// The entries whose keys start with `prefix`, arrays included.
    pub(crate) fn metadata_under(&self, prefix: &str) -> Result<Map<String, Json>> {
        let entries = self.metadata.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        entries.map(|(key, value)| Ok((key.clone(), self.decoded(key, value)?))).collect()
    }

    fn decoded(&self, key: &str, value: &Value) -> Result<Json> {
        let Value::Array { element, count, bytes } = value else { return Ok(value.to_json()) };
        let mut cursor = Cursor { path: &self.path, bytes: &self.map[bytes.clone()], at: 0 };
        (0..*count)
            .map(|_| match element {
                // Exact, where a scalar is given its shortest decimal. JSON has no number for the others.
                6 => cursor.u32(key).map(|bits| {
                    let number = f32::from_bits(bits);
                    Number::from_f64(number.into()).map_or_else(|| number.to_string().into(), Json::Number)
                }),
                9 => cursor.skip_array(key, 1).map(|_| Json::Null),
                _ => cursor.value(*element, key).map(|value| value.to_json()),
            })
            .collect()
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.by_name.get(name).map(|&index| &self.tensors[index])
    }

    pub(crate) fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    pub(crate) fn bytes(&self, tensor: &Tensor) -> &[u8] {
        &self.map[tensor.range.clone()]
    }
}

/// A place in the header. Whatever is taken was first checked to be there.
struct Cursor<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn damaged(&self, why: String) -> CheckpointError {
        CheckpointError::Damaged { path: self.path.to_owned(), why }
    }

    fn not_read(&self, why: String) -> CheckpointError {
        CheckpointError::NotRead { path: self.path.to_owned(), why }
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8]> {
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

    fn u32(&mut self, what: &str) -> Result<u32> {
        self.fixed(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        self.fixed(what).map(u64::from_le_bytes)
    }

    /// A number of things that take at least `least` bytes each.
    fn count(&mut self, what: &str, least: usize) -> Result<usize> {
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
    fn name(&mut self, what: &str) -> Result<String> {
        let name = self.string(what)?;
        if name.len() > LONGEST_NAME {
            return Err(self.damaged(format!("{what:?} is {} bytes long", name.len())));
        }
        Ok(name)
    }

    fn value(&mut self, kind: u32, key: &str) -> Result<Value> {
        Ok(match kind {
            0 => Value::Unsigned(self.fixed(key).map(u8::from_le_bytes)?.into()),
            1 => Value::Signed(self.fixed(key).map(i8::from_le_bytes)?.into()),
            2 => Value::Unsigned(self.fixed(key).map(u16::from_le_bytes)?.into()),
            3 => Value::Signed(self.fixed(key).map(i16::from_le_bytes)?.into()),
            4 => Value::Unsigned(self.u32(key)?.into()),
            5 => Value::Signed(self.fixed(key).map(i32::from_le_bytes)?.into()),
            6 => Value::Float32(self.fixed(key).map(f32::from_le_bytes)?),
            7 => match self.fixed::<1>(key)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [byte] => return Err(self.damaged(format!("{key:?} is {byte}, neither true nor false"))),
            },
            8 => Value::Text(self.string(key)?),
            9 => {
                let start = self.at + 12;
                let (element, count) = self.skip_array(key, 0)?;
                Value::Array { element, count, bytes: start..self.at }
            }
            10 => Value::Unsigned(self.u64(key)?),
            11 => Value::Signed(self.fixed(key).map(i64::from_le_bytes)?),
            12 => Value::Float64(self.fixed(key).map(f64::from_le_bytes)?),
            other => return Err(self.damaged(format!("{key:?} has the unknown metadata type {other}"))),
        })
    }

    /// Walks over an array, from its element type on, and gives that type and the number of elements.
    fn skip_array(&mut self, key: &str, depth: usize) -> Result<(u32, usize)> {
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

    /// A tensor's info; its range still counts from the start of the data.
    fn tensor_info(&mut self, alignment: usize) -> Result<Tensor> {
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
                Ok(Tensor { name, shape, precision, range: start..start + bytes })
            }
            (None, _) => Err(self.damaged(format!("tensor {name:?} starts at {offset}, not aligned to {alignment}"))),
            _ => {
                Err(self
                    .damaged(format!("tensor {name:?} claims shape {shape:?} at {offset}, more than the file holds")))
            }
        }
    }
}

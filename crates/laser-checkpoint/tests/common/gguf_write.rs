//! A small GGUF writer (version 3): metadata and whole tensors in memory.
#![allow(dead_code, missing_docs)]

use std::io::{self, Write};

use laser_checkpoint::Precision;

const ALIGNMENT: usize = 32;

/// A GGUF file in the making.
#[derive(Clone, Debug, Default)]
pub struct GgufWriter {
    metadata: Vec<(String, GgufValue)>,
    tensors: Vec<(String, Vec<usize>, u32, Vec<u8>)>,
}

/// A metadata value.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum GgufValue {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    I32s(Vec<i32>),
    Bools(Vec<bool>),
    Texts(Vec<String>),
}

impl GgufWriter {
    /// An empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a metadata entry.
    pub fn metadata(&mut self, key: &str, value: GgufValue) -> &mut Self {
        self.metadata.push((key.to_owned(), value));
        self
    }

    /// Another value for a metadata entry that is there.
    pub fn replace(&mut self, key: &str, value: GgufValue) -> &mut Self {
        self.metadata.retain(|(other, _)| other != key);
        self.metadata(key, value)
    }

    /// Adds a tensor: `shape` row-major, outermost first; `data` its values or blocks as they lie in the file.
    pub fn tensor(&mut self, name: &str, shape: &[usize], precision: Precision, data: Vec<u8>) -> &mut Self {
        self.tensor_of_type(name, shape, precision.ggml_number(), data)
    }

    /// Adds a tensor of the type with this ggml number, known or not.
    pub fn tensor_of_type(&mut self, name: &str, shape: &[usize], number: u32, data: Vec<u8>) -> &mut Self {
        self.tensors.push((name.to_owned(), shape.to_vec(), number, data));
        self
    }

    /// Adds a tensor of float32 values.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> &mut Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, shape, Precision::F32, data)
    }

    /// Writes the file.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut head = b"GGUF".to_vec();
        head.extend(3_u32.to_le_bytes());
        head.extend((self.tensors.len() as u64).to_le_bytes());
        head.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            put_text(&mut head, key);
            value.put(&mut head);
        }
        let mut offset = 0;
        for (name, shape, number, data) in &self.tensors {
            put_text(&mut head, name);
            head.extend((shape.len() as u32).to_le_bytes());
            for &size in shape.iter().rev() {
                head.extend((size as u64).to_le_bytes());
            }
            head.extend(number.to_le_bytes());
            head.extend((offset as u64).to_le_bytes());
            offset += data.len().next_multiple_of(ALIGNMENT);
        }
        head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
        to.write_all(&head)?;
        for (_, _, _, data) in &self.tensors {
            to.write_all(data)?;
            to.write_all(&[0; ALIGNMENT][..data.len().next_multiple_of(ALIGNMENT) - data.len()])?;
        }
        Ok(())
    }
}

impl GgufValue {
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Self::U32(value) => {
                to.extend(4_u32.to_le_bytes());
                to.extend(value.to_le_bytes());
            }
            Self::F32(value) => {
                to.extend(6_u32.to_le_bytes());
                to.extend(value.to_le_bytes());
            }
            Self::Bool(value) => {
                to.extend(7_u32.to_le_bytes());
                to.push((*value).into());
            }
            Self::Text(value) => {
                to.extend(8_u32.to_le_bytes());
                put_text(to, value);
            }
            Self::I32s(values) => {
                put_array(to, 5, values.len());
                for value in values {
                    to.extend(value.to_le_bytes());
                }
            }
            Self::Bools(values) => {
                put_array(to, 7, values.len());
                to.extend(values.iter().map(|&value| u8::from(value)));
            }
            Self::Texts(values) => {
                put_array(to, 8, values.len());
                for value in values {
                    put_text(to, value);
                }
            }
        }
    }
}

fn put_array(to: &mut Vec<u8>, element: u32, count: usize) {
    to.extend(9_u32.to_le_bytes());
    to.extend(element.to_le_bytes());
    to.extend((count as u64).to_le_bytes());
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    to.extend((text.len() as u64).to_le_bytes());
    to.extend(text.as_bytes());
}

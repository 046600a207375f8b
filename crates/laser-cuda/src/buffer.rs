//! What lies on a device: rows, vectors, row numbers, growable tables.

use crate::gpu_device::{Buffer, Device, bytes_of, bytes_of_mut};
use crate::pinned::Pinned;
use crate::platform::{Kind, Operand};
use crate::{Error, Result};
use half::{bf16, f16};
use std::ops::Range;
use std::sync::Arc;

/// Rows of numbers `[rows, width]`. Cloning and slicing share the memory, which does not change.
#[derive(Debug, Clone)]
pub struct Rows {
    buffer: Arc<Buffer>,
    kind: Kind,
    /// Elements before the first.
    first: usize,
    rows: usize,
    width: usize,
    /// Elements from one row to the next.
    stride: usize,
}

impl Rows {
    /// Uninitialised memory that an operation writes before anybody has it.
    pub(crate) fn new(device: &Device, kind: Kind, rows: usize, width: usize) -> Result<Self> {
        let buffer = Buffer::new(device, rows * width * kind.bytes())?;
        Ok(Self { buffer: Arc::new(buffer), kind, first: 0, rows, width, stride: width })
    }

    /// Of f32 `values [rows, width]`, stored as `kind`: rounded to the nearest, ties to even.
    ///
    /// # Errors
    /// If the values are not so many, or memory does not suffice.
    pub fn of(device: &Device, kind: Kind, values: &[f32], rows: usize, width: usize) -> Result<Self> {
        if rows.checked_mul(width) != Some(values.len()) {
            return Err(Error::shape("rows", format!("{} values are not {rows} x {width}", values.len())));
        }
        let buffer = match kind {
            Kind::F32 => Buffer::of(device, bytes_of(values))?,
            Kind::Bf16 | Kind::F16 => {
                let bits: Vec<u16> = values.iter().map(|&value| to_bits(kind, value)).collect();
                Buffer::of(device, bytes_of(&bits))?
            }
        };
        Ok(Self { buffer: Arc::new(buffer), kind, first: 0, rows, width, stride: width })
    }

    /// Of elements as they are stored in a file, little endian.
    ///
    /// # Errors
    /// If the bytes are not so many, or memory does not suffice.
    pub fn of_stored(device: &Device, kind: Kind, bytes: &[u8], rows: usize, width: usize) -> Result<Self> {
        if rows.checked_mul(width).and_then(|elements| elements.checked_mul(kind.bytes())) != Some(bytes.len()) {
            return Err(Error::shape("rows", format!("{} bytes are not {rows} x {width} of {kind:?}", bytes.len())));
        }
        let buffer = Arc::new(Buffer::of(device, bytes)?);
        Ok(Self { buffer, kind, first: 0, rows, width, stride: width })
    }

    /// Of elements as they are stored, which page-locked memory holds; they travel while other work goes on here.
    ///
    /// # Errors
    /// If the bytes are not so many, or memory does not suffice.
    pub fn of_pinned(device: &Device, kind: Kind, pinned: &mut Pinned, rows: usize, width: usize) -> Result<Self> {
        if rows.checked_mul(width).and_then(|elements| elements.checked_mul(kind.bytes())) != Some(pinned.bytes()) {
            return Err(Error::shape("rows", format!("{} bytes are not {rows} x {width} of {kind:?}", pinned.bytes())));
        }
        let rows = Self::new(device, kind, rows, width)?;
        pinned.upload(&rows.buffer)?;
        Ok(rows)
    }

    /// Zeros.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn zeros(device: &Device, kind: Kind, rows: usize, width: usize) -> Result<Self> {
        let buffer = Buffer::zeros(device, rows * width * kind.bytes())?;
        Ok(Self { buffer: Arc::new(buffer), kind, first: 0, rows, width, stride: width })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Elements of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Elements from one row to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// How elements are stored.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Some of the rows.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn slice(&self, rows: Range<usize>) -> Result<Self> {
        if rows.start > rows.end || rows.end > self.rows {
            return Err(Error::shape("slice", format!("rows {rows:?} of {}", self.rows)));
        }
        Ok(Self { first: self.first + rows.start * self.stride, rows: rows.len(), ..self.clone() })
    }

    /// Some of the columns of all rows.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn columns(&self, columns: Range<usize>) -> Result<Self> {
        if columns.start > columns.end || columns.end > self.width {
            return Err(Error::shape("columns", format!("columns {columns:?} of {}", self.width)));
        }
        Ok(Self { first: self.first + columns.start, width: columns.len(), ..self.clone() })
    }

    /// The same memory as more, shorter rows.
    ///
    /// # Errors
    /// If a row is not a multiple of `width`, or rows are apart.
    pub fn pieces(&self, width: usize) -> Result<Self> {
        if width == 0 || !self.width.is_multiple_of(width) || self.stride != self.width {
            return Err(Error::shape("pieces", format!("rows of {} in pieces of {width}", self.width)));
        }
        Ok(Self { rows: self.rows * (self.width / width), width, stride: width, ..self.clone() })
    }

    /// The same memory as fewer, longer rows: [`Self::pieces`] undone.
    ///
    /// # Errors
    /// If the rows do not make whole ones of `width`, or are apart.
    pub fn joined(&self, width: usize) -> Result<Self> {
        let elements = self.rows * self.width;
        if width == 0 || !elements.is_multiple_of(width) || self.stride != self.width {
            return Err(Error::shape("joined", format!("{} rows of {} as rows of {width}", self.rows, self.width)));
        }
        Ok(Self { rows: elements / width, width, stride: width, ..self.clone() })
    }

    /// Whether the rows lie one behind the other.
    pub fn is_dense(&self) -> bool {
        self.stride == self.width || self.rows <= 1
    }

    /// Whether every row begins at a multiple of 16 bytes.
    pub(crate) fn is_aligned(&self) -> bool {
        let bytes = (self.stride * self.kind.bytes()) as u64;
        (self.address() | bytes).is_multiple_of(16)
    }

    /// The numbers, row by row, waited for.
    ///
    /// # Errors
    /// If work before this failed.
    pub fn to_host(&self) -> Result<Vec<f32>> {
        let span = if self.rows == 0 { 0 } else { (self.rows - 1) * self.stride + self.width };
        let at = self.first * self.kind.bytes();
        let values: Vec<f32> = match self.kind {
            Kind::F32 => {
                let mut values = vec![0f32; span];
                self.buffer.read(at, bytes_of_mut(&mut values))?;
                values
            }
            Kind::Bf16 | Kind::F16 => {
                let mut bits = vec![0u16; span];
                self.buffer.read(at, bytes_of_mut(&mut bits))?;
                bits.into_iter().map(|bits| from_bits(self.kind, bits)).collect()
            }
        };
        if self.is_dense() {
            return Ok(values);
        }
        Ok((0..self.rows).flat_map(|row| values[row * self.stride..][..self.width].iter().copied()).collect())
    }

    pub(crate) fn address(&self) -> u64 {
        self.buffer.address() + (self.first * self.kind.bytes()) as u64
    }

    pub(crate) fn device(&self) -> &Device {
        self.buffer.device()
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    pub(crate) fn operand(&self) -> Operand {
        let Self { kind, rows, width, stride, .. } = *self;
        Operand { address: self.address(), kind, rows, width, stride }
    }
}

/// The bits of the nearest 16-bit number, ties to even.
fn to_bits(kind: Kind, value: f32) -> u16 {
    if kind == Kind::Bf16 { bf16::from_f32(value).to_bits() } else { f16::from_f32(value).to_bits() }
}

fn from_bits(kind: Kind, bits: u16) -> f32 {
    if kind == Kind::Bf16 { bf16::from_bits(bits).to_f32() } else { f16::from_bits(bits).to_f32() }
}

/// `value` rounded as storing it would.
pub fn rounded(kind: Kind, value: f32) -> f32 {
    match kind {
        Kind::F32 => value,
        Kind::Bf16 | Kind::F16 => from_bits(kind, to_bits(kind, value)),
    }
}

/// Numbers of norms and biases, f32. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Vector {
    buffer: Arc<Buffer>,
    first: usize,
    len: usize,
}

impl Vector {
    /// Of these numbers.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn of(device: &Device, values: &[f32]) -> Result<Self> {
        Ok(Self { buffer: Arc::new(Buffer::of(device, bytes_of(values))?), first: 0, len: values.len() })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The numbers, waited for.
    ///
    /// # Errors
    /// If work before this failed.
    pub fn to_host(&self) -> Result<Vec<f32>> {
        let mut values = vec![0f32; self.len];
        self.buffer.read(4 * self.first, bytes_of_mut(&mut values))?;
        Ok(values)
    }

    /// Some of them.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn slice(&self, numbers: Range<usize>) -> Result<Self> {
        if numbers.start > numbers.end || numbers.end > self.len {
            return Err(Error::shape("slice", format!("numbers {numbers:?} of {}", self.len)));
        }
        Ok(Self { first: self.first + numbers.start, len: numbers.len(), ..self.clone() })
    }

    pub(crate) fn address(&self) -> u64 {
        self.buffer.address() + 4 * self.first as u64
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        &self.buffer
    }
}

/// Row numbers. Cloning shares them. The largest is known here, so that operations can refuse what is outside.
#[derive(Debug, Clone)]
pub struct Indices {
    buffer: Arc<Buffer>,
    len: usize,
    /// One more than the largest.
    bound: usize,
}

impl Indices {
    /// These numbers.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn of(device: &Device, numbers: &[u32]) -> Result<Self> {
        let bound = numbers.iter().max().map_or(0, |&largest| largest as usize + 1);
        Ok(Self { buffer: Arc::new(Buffer::of(device, bytes_of(numbers))?), len: numbers.len(), bound })
    }

    /// One more than the largest; 0 if there is none.
    pub fn bound(&self) -> usize {
        self.bound
    }

    /// Numbers that a kernel wrote, all below `bound`.
    pub(crate) fn on_device(buffer: Buffer, len: usize, bound: usize) -> Self {
        Self { buffer: Arc::new(buffer), len, bound }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The numbers, waited for.
    ///
    /// # Errors
    /// If work before this failed.
    pub fn to_host(&self) -> Result<Vec<u32>> {
        let mut numbers = vec![0; self.len];
        self.buffer.read(0, bytes_of_mut(&mut numbers))?;
        Ok(numbers)
    }

    pub(crate) fn address(&self) -> u64 {
        self.buffer.address()
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// That there are `len`, all below `rows`.
    pub(crate) fn check(&self, operation: &'static str, len: usize, rows: usize) -> Result<()> {
        if self.len != len {
            return Err(Error::shape(operation, format!("{} row numbers for {len} rows", self.len)));
        }
        if self.bound > rows {
            return Err(Error::shape(operation, format!("there is no row {} of {rows}", self.bound - 1)));
        }
        Ok(())
    }
}

/// A table of rows that grows: keys, values, residual streams. It keeps its rows when it grows, by doubling.
#[derive(Debug)]
pub struct RowTable {
    rows: Rows,
}

impl RowTable {
    /// Room for `capacity` rows of `width` elements, all zero.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn new(device: &Device, kind: Kind, capacity: usize, width: usize) -> Result<Self> {
        Ok(Self { rows: Rows::zeros(device, kind, capacity, width)? })
    }

    /// A table of these rows, which nobody else has.
    pub(crate) fn of(rows: Rows) -> Self {
        Self { rows }
    }

    /// Rows that there is room for.
    pub fn capacity(&self) -> usize {
        self.rows.rows
    }

    /// All rows, those not yet written zero. What is written later shows in them: work is done in order.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Room for at least `capacity` rows.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn reserve(&mut self, capacity: usize) -> Result<()> {
        if capacity <= self.capacity() {
            return Ok(());
        }
        let old = &self.rows;
        let larger = Rows::zeros(old.device(), old.kind, capacity.max(2 * old.rows), old.width)?;
        let bytes = old.buffer.bytes();
        if bytes > 0 {
            // SAFETY: the new table has at least so many bytes.
            unsafe { old.device().platform().copy(larger.address(), old.address(), bytes)? };
        }
        self.rows = larger;
        Ok(())
    }
}

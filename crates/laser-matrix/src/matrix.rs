//! A dense matrix.

use thiserror::Error;

/// A dense `rows` x `cols` matrix of f32, row after row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    data: Vec<f32>,
}

/// The number of values does not fit the shape.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a {rows} x {cols} matrix cannot be made of {got} values")]
pub struct ShapeError {
    /// Rows asked for.
    pub rows: usize,
    /// Columns asked for.
    pub cols: usize,
    /// Values given.
    pub got: usize,
}

impl Matrix {
    /// The matrix whose row i is `data[i * cols..(i + 1) * cols]`.
    pub fn new(rows: usize, cols: usize, data: Vec<f32>) -> Result<Self, ShapeError> {
        if rows.checked_mul(cols) != Some(data.len()) {
            return Err(ShapeError { rows, cols, got: data.len() });
        }
        Ok(Self { rows, cols, data })
    }

    /// The zero matrix. The shape must be one that fits into memory.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: vec![0.0; rows * cols] }
    }

    /// The matrix with entry (i, j) = `entry(i, j)`. The shape must be one that fits into memory.
    pub fn from_fn(rows: usize, cols: usize, entry: impl Fn(usize, usize) -> f32) -> Self {
        let mut data = Vec::with_capacity(rows * cols);
        for i in 0..rows {
            data.extend((0..cols).map(|j| entry(i, j)));
        }
        Self { rows, cols, data }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The values, row after row.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The values, row after row.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The values, row after row.
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    /// The `cols` x `rows` transpose.
    pub fn transpose(&self) -> Self {
        Self::from_fn(self.cols, self.rows, |i, j| self.data[j * self.cols + i])
    }

    /// sqrt(sum of squares), accumulated in f64.
    pub fn frobenius_norm(&self) -> f64 {
        let squares = self.data.iter().map(|&x| f64::from(x) * f64::from(x));
        squares.sum::<f64>().sqrt()
    }
}

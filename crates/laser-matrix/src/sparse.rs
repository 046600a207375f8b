//! A matrix of which few entries are kept.

use crate::Matrix;

/// A sparse `rows` x `cols` matrix, row after row. An entry that is kept may be zero; all others are.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseMatrix {
    rows: usize,
    cols: usize,
    /// For each row, where its entries end.
    ends: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl SparseMatrix {
    /// Those entries of `matrix` that `keep(n)` is true for, n counting row after row. None where a column number does not
    /// fit into 32 bits.
    pub fn of(matrix: &Matrix, mut keep: impl FnMut(usize) -> bool) -> Option<Self> {
        let (rows, cols) = (matrix.rows(), matrix.cols());
        u32::try_from(cols).ok()?;
        let mut sparse = Self { rows, cols, ends: Vec::with_capacity(rows), columns: Vec::new(), values: Vec::new() };
        for row in 0..rows {
            for col in 0..cols {
                let n = row * cols + col;
                if keep(n) {
                    sparse.columns.push(col as u32);
                    sparse.values.push(matrix.data()[n]);
                }
            }
            sparse.ends.push(sparse.values.len());
        }
        Some(sparse)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The kept entries of a row: their columns, rising, and their values.
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let first = if row == 0 { 0 } else { self.ends[row - 1] };
        let entries = first..self.ends[row];
        (&self.columns[entries.clone()], &self.values[entries])
    }

    /// The matrix with all its entries.
    pub fn to_dense(&self) -> Matrix {
        let mut dense = Matrix::zeros(self.rows, self.cols);
        for row in 0..self.rows {
            let (columns, values) = self.row(row);
            for (&col, &value) in columns.iter().zip(values) {
                dense.data_mut()[row * self.cols + col as usize] = value;
            }
        }
        dense
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_entries_come_back() {
        let matrix = Matrix::from_fn(3, 4, |i, j| (i * 4 + j) as f32);
        let sparse = SparseMatrix::of(&matrix, |n| n % 5 == 2).unwrap();
        assert_eq!((sparse.rows(), sparse.cols()), (3, 4));
        assert_eq!(sparse.row(1), (&[3][..], &[7.0][..]));
        assert_eq!(sparse.row(2), (&[][..], &[][..]));
        assert_eq!(
            sparse.to_dense(),
            Matrix::from_fn(3, 4, |i, j| if (i, j) == (0, 2) {
                2.0
            } else if (i, j) == (1, 3) {
                7.0
            } else {
                0.0
            })
        );
        let empty = Matrix::zeros(0, 4);
        assert_eq!(SparseMatrix::of(&empty, |_| true).unwrap().to_dense(), empty);
    }
}

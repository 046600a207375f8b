//! A matrix of low rank, as factors.

use crate::Matrix;

/// The `rows` x `cols` matrix W = 2^e U diag(s) V^T of rank at most r. U is rows x r, s has r entries, V is cols x r.
///
/// The power of two keeps the factors of a matrix of any scale far from the largest and the smallest f32. A truncated
/// singular value decomposition has orthonormal columns in U and V; other methods need not.
#[derive(Clone, Debug, PartialEq)]
pub struct LowRank {
    u: Matrix,
    s: Vec<f32>,
    v: Matrix,
    exponent: i32,
}

impl LowRank {
    /// The zero matrix, of rank 0.
    pub fn zero(rows: usize, cols: usize) -> Self {
        Self { u: Matrix::zeros(rows, 0), s: Vec::new(), v: Matrix::zeros(cols, 0), exponent: 0 }
    }

    /// The matrix with these factors: entry (i, k) of U is `u(i, k)`, entry k of s is `s(k)`, entry (j, k) of V is `v(j, k)`,
    /// k < `rank`.
    pub fn from_fn(
        [rows, cols]: [usize; 2],
        rank: usize,
        exponent: i32,
        u: impl Fn(usize, usize) -> f32,
        s: impl Fn(usize) -> f32,
        v: impl Fn(usize, usize) -> f32,
    ) -> Self {
        Self {
            u: Matrix::from_fn(rows, rank, u),
            s: (0..rank).map(s).collect(),
            v: Matrix::from_fn(cols, rank, v),
            exponent,
        }
    }

    /// Number of rows of W.
    pub fn rows(&self) -> usize {
        self.u.rows()
    }

    /// Number of columns of W.
    pub fn cols(&self) -> usize {
        self.v.rows()
    }

    /// r, the number of columns of U and of V.
    pub fn rank(&self) -> usize {
        self.s.len()
    }

    /// U, rows x r.
    pub fn u(&self) -> &Matrix {
        &self.u
    }

    /// s, r values.
    pub fn s(&self) -> &[f32] {
        &self.s
    }

    /// V, cols x r.
    pub fn v(&self) -> &Matrix {
        &self.v
    }

    /// e of the factor 2^e.
    pub fn exponent(&self) -> i32 {
        self.exponent
    }
}

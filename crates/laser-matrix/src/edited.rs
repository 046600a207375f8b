//! What an edit makes of a matrix.

use crate::{LowRank, Matrix, SparseMatrix};

/// A matrix as an edit left it, of the shape that it had.
#[derive(Clone, Debug, PartialEq)]
pub enum EditedMatrix {
    /// As factors.
    LowRank(LowRank),
    /// With all its entries.
    Dense(Matrix),
    /// With the entries that are left.
    Sparse(SparseMatrix),
}

//! Magnitude pruning, the sparse counterpart of a rank reduction.

use std::fmt;
use std::sync::Arc;

use laser_matrix::{Decompose, EditedMatrix, Matrix, Rho, SparseMatrix, SvdError};

use crate::fields::{Kind, Value};
use crate::method::{EditMethod, Form, Text, fraction};

/// Zeroes this fraction of the entries, those smallest in magnitude.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Prune(Rho);

pub(crate) const FORMS: &[Form] = &[Form {
    text: Text::Key("prune"),
    example: "prune=0.9",
    fields: &[("prune", Kind::Fractions(1))],
    from_text: |text| Ok(Arc::new(Prune(fraction(text)?))),
    from_json: |fields| Ok(Arc::new(Prune(fields.fraction("prune")?))),
}];

impl EditMethod for Prune {
    fn json(&self) -> Vec<(&'static str, Value)> {
        vec![("prune", Value::Fractions(vec![self.0.get()]))]
    }

    fn kept_rank(&self, _rows: usize, _cols: usize) -> Option<usize> {
        None
    }

    fn apply(&self, matrix: &dyn Decompose) -> Result<EditedMatrix, SvdError> {
        Ok(pruned(matrix.matrix(), self.0))
    }
}

impl fmt::Display for Prune {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prune={}", self.0.get())
    }
}

/// `matrix` without its floor(fraction * rows * cols) entries of smallest magnitude: sparse where that takes less memory.
/// Among entries of equal magnitude the one that comes first (row after row) is zeroed first.
fn pruned(matrix: &Matrix, fraction: Rho) -> EditedMatrix {
    let all = matrix.data().len();
    let count = fraction.floor_of(all);
    if count == 0 {
        return EditedMatrix::Dense(matrix.clone());
    }
    // The bits of non-negative floats are ordered as the floats are, with NaN above infinity.
    let magnitude = |x: f32| x.abs().to_bits();
    let mut magnitudes: Vec<u32> = matrix.data().iter().map(|&x| magnitude(x)).collect();
    let (below, &mut largest_pruned, _) = magnitudes.select_nth_unstable(count - 1);
    let mut ties = 1 + below.iter().filter(|&&m| m == largest_pruned).count();
    let mut keep = |n: usize| {
        let m = magnitude(matrix.data()[n]);
        let is_tie = m == largest_pruned && ties > 0;
        ties -= usize::from(is_tie);
        m >= largest_pruned && !is_tie
    };
    // An entry of a sparse matrix takes twice the memory of one of a dense matrix.
    if 2 * (all - count) <= all
        && let Some(sparse) = SparseMatrix::of(matrix, &mut keep)
    {
        return EditedMatrix::Sparse(sparse);
    }
    let mut dense = matrix.clone();
    for (n, x) in dense.data_mut().iter_mut().enumerate() {
        if !keep(n) {
            *x = 0.0;
        }
    }
    EditedMatrix::Dense(dense)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prune(rows: usize, cols: usize, data: &[f32], fraction: f64) -> Vec<f32> {
        let matrix = Matrix::new(rows, cols, data.to_vec()).unwrap();
        match pruned(&matrix, Rho::new(fraction).unwrap()) {
            EditedMatrix::Dense(dense) => dense.into_data(),
            EditedMatrix::Sparse(sparse) => sparse.to_dense().into_data(),
            EditedMatrix::LowRank(_) => unreachable!(),
        }
    }

    proptest! {
        #![proptest_config(laser_testing::cases())]

        #[test]
        fn pruning_zeroes_the_smallest(
            data in prop::collection::vec((-8..8i32).prop_map(|x| x as f32), 1..60),
            fraction in 0.0..=1.0f64,
        ) {
            let n = data.len();
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|&a, &b| data[a].abs().total_cmp(&data[b].abs()));
            let mut expected = data.clone();
            for &i in &order[..Rho::new(fraction).unwrap().floor_of(n)] {
                expected[i] = 0.0;
            }
            prop_assert_eq!(prune(1, n, &data, fraction), expected);
        }
    }

    #[test]
    fn pruning_ties_go_to_the_first() {
        let data = [-1.0, 1.0, 1.0, 0.5];
        assert_eq!(prune(2, 2, &data, 0.5), [0.0, 1.0, 1.0, 0.0]);
        assert_eq!(prune(2, 2, &data, 1.0), [0.0; 4]);
        assert_eq!(prune(2, 2, &data, 0.0), data);
        assert!(prune(0, 3, &[], 1.0).is_empty());
        assert_eq!(prune(1, 3, &[f32::NAN, 2.0, f32::INFINITY], 0.4)[1], 0.0);
    }

    #[test]
    fn the_smaller_form_is_taken() {
        let matrix = Matrix::from_fn(4, 4, |i, j| (i * 4 + j) as f32);
        let is_sparse = |fraction: f64| matches!(pruned(&matrix, Rho::new(fraction).unwrap()), EditedMatrix::Sparse(_));
        assert!(is_sparse(0.5) && is_sparse(1.0) && !is_sparse(0.4) && !is_sparse(0.0));
    }
}

//! Magnitude pruning, the sparse counterpart of a rank reduction.

use crate::{Matrix, Rho};

/// `matrix` with its floor(fraction * rows * cols) entries of smallest magnitude set to zero.
/// Among entries of equal magnitude the one that comes first (row after row) is zeroed first.
pub fn magnitude_prune(matrix: &Matrix, fraction: Rho) -> Matrix {
    let mut pruned = matrix.clone();
    let count = fraction.floor_of(matrix.data().len());
    if count == 0 {
        return pruned;
    }
    // The bits of non-negative floats are ordered as the floats are, with NaN above infinity.
    let magnitude = |x: &f32| x.abs().to_bits();
    let mut magnitudes: Vec<u32> = matrix.data().iter().map(magnitude).collect();
    let (below, &mut largest_pruned, _) = magnitudes.select_nth_unstable(count - 1);
    let mut ties = 1 + below.iter().filter(|&&m| m == largest_pruned).count();
    for x in pruned.data_mut() {
        let m = magnitude(x);
        if m < largest_pruned {
            *x = 0.0;
        } else if m == largest_pruned && ties > 0 {
            *x = 0.0;
            ties -= 1;
        }
    }
    pruned
}

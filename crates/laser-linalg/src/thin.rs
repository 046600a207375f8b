//! U, S and V of a thin singular value decomposition, and how far they may be from the matrix.

use faer::Mat;
use faer::traits::RealField;

/// W = U diag(sigma) V^T in the precision T: U is rows x k, V is cols x k.
#[derive(Clone, Debug)]
pub(crate) struct Thin<T> {
    pub(crate) u: Mat<T>,
    pub(crate) sigma: Vec<T>,
    pub(crate) v: Mat<T>,
}

impl<T: RealField + Copy + Into<f64>> Thin<T> {
    /// The same decomposition with the singular values in falling order.
    pub(crate) fn falling(self) -> Self {
        match falling_order(&self.sigma) {
            Some(order) => self.in_order(&order),
            None => self,
        }
    }

    /// The same decomposition with its components in this order.
    pub(crate) fn in_order(self, order: &[usize]) -> Self {
        let columns = |m: Mat<T>| Mat::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, order[j])]);
        Self { u: columns(self.u), sigma: order.iter().map(|&i| self.sigma[i]).collect(), v: columns(self.v) }
    }

    /// That of the transpose.
    pub(crate) fn transpose(self) -> Self {
        Self { u: self.v, sigma: self.sigma, v: self.u }
    }
}

/// The places of these values in falling order; None if that is the order in which they are.
pub(crate) fn falling_order<T: Copy + Into<f64>>(sigma: &[T]) -> Option<Vec<usize>> {
    let compare = |a: T, b: T| b.into().total_cmp(&a.into());
    if sigma.is_sorted_by(|&a, &b| compare(a, b).is_le()) {
        return None;
    }
    let mut order: Vec<usize> = (0..sigma.len()).collect();
    order.sort_by(|&a, &b| compare(sigma[a], sigma[b]));
    Some(order)
}

impl Thin<f64> {
    pub(crate) fn narrow(self) -> Thin<f32> {
        let sigma = self.sigma.into_iter().map(|sigma| sigma as f32).collect();
        Thin { u: to_f32(self.u), sigma, v: to_f32(self.v) }
    }
}

impl<T: RealField + Copy + Into<f64>> Thin<T> {
    /// Whether U S V^T acts on a vector of signs, and weighs in the Frobenius norm, as the matrix of this shape with the entries
    /// `at` does up to the rounding of f32: a check in O(rows * cols) that finds an answer which an algorithm took for converged
    /// and is not.
    pub(crate) fn reproduces(&self, (rows, cols): (usize, usize), at: impl Fn(usize, usize) -> f64) -> bool {
        let mut residual = vec![0.0_f64; rows];
        let mut squares = 0.0_f64;
        for j in 0..cols {
            for (i, r) in residual.iter_mut().enumerate() {
                let x = at(i, j);
                *r += probe_sign(j) * x;
                squares += x * x;
            }
        }
        for (k, &sigma) in self.sigma.iter().enumerate() {
            let projection: f64 = (0..cols).map(|j| probe_sign(j) * self.v[(j, k)].into()).sum();
            let weight = sigma.into() * projection;
            for (i, r) in residual.iter_mut().enumerate() {
                *r -= weight * self.u[(i, k)].into();
            }
        }
        let norm = squares.sqrt();
        let error = residual.iter().map(|r| r * r).sum::<f64>().sqrt();
        let sigmas = self.sigma.iter().map(|&s| s.into().powi(2));
        let tolerance = tolerance(rows, cols, norm);
        // NaN fails each comparison.
        self.sigma.windows(2).all(|pair| pair[0] >= pair[1])
            && error <= tolerance
            && (sigmas.sum::<f64>().sqrt() - norm).abs() <= tolerance
    }
}

/// Entry `j` of the vector x on which an answer is checked. For signs drawn at random the mean of ||E x||^2 is ||E||_F^2.
pub(crate) fn probe_sign(j: usize) -> f64 {
    let hash = (j as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    if hash.count_ones().is_multiple_of(2) { 1.0 } else { -1.0 }
}

/// How far an answer in f32 may be from a matrix of this Frobenius norm.
pub(crate) fn tolerance(rows: usize, cols: usize, norm: f64) -> f64 {
    16.0 * f64::from(f32::EPSILON) * (rows.max(cols) as f64).sqrt() * norm
}

pub(crate) fn to_f32(matrix: Mat<f64>) -> Mat<f32> {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)] as f32)
}

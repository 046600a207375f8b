//! A matrix of low rank as two thin ones, as files hold it.

use laser_matrix::LowRank;

/// W = outer inner: `inner` is rank x inputs, `outer` is outputs x rank, each row-major.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ThinFactors {
    pub inner: Vec<f32>,
    pub outer: Vec<f32>,
}

impl ThinFactors {
    /// The factors, each with the square root of the singular values, which keeps both within the range of
    /// 16-bit floats. Beyond the matrix's own rank, up to `rank`, they are zeros.
    pub(crate) fn of(factors: &LowRank, rank: usize) -> Self {
        let (rows, cols, own) = (factors.rows(), factors.cols(), factors.rank().min(rank));
        let scale = 2.0_f64.powi(factors.exponent());
        let root: Vec<f64> = factors.s().iter().map(|&s| (f64::from(s).abs() * scale).sqrt()).collect();
        let sign = |k: usize| if factors.s()[k] < 0.0 { -1.0 } else { 1.0 };
        let (u, v) = (factors.u(), factors.v());
        let mut inner = vec![0.0; rank * cols];
        let mut outer = vec![0.0; rows * rank];
        for k in 0..own {
            for col in 0..cols {
                inner[k * cols + col] = (f64::from(v.data()[col * v.cols() + k]) * root[k]) as f32;
            }
            for row in 0..rows {
                outer[row * rank + k] = (f64::from(u.data()[row * u.cols() + k]) * root[k] * sign(k)) as f32;
            }
        }
        Self { inner, outer }
    }

    /// The matrix that these are the factors of.
    pub(crate) fn matrix(&self, [rows, cols]: [usize; 2], rank: usize) -> LowRank {
        let (inner, outer) = (&self.inner, &self.outer);
        LowRank::from_fn([rows, cols], rank, 0, |i, k| outer[i * rank + k], |_| 1.0, |j, k| inner[k * cols + j])
    }
}

/// Whether two thin matrices have fewer values than the matrix: r < m n / (m + n).
pub(crate) fn is_smaller(rank: usize, [rows, cols]: [usize; 2]) -> bool {
    rank.saturating_mul(rows + cols) < rows * cols
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_multiply_to_the_matrix() {
        let u = |i: usize, k: usize| (i as f32 + 1.0) * if k == 0 { 0.5 } else { -0.25 };
        let v = |j: usize, k: usize| j as f32 - k as f32;
        let low = LowRank::from_fn([3, 4], 2, 2, u, |k| [4.0, -1.0][k], v);
        let whole = laser_linalg::product(&low);
        for rank in [2, 8] {
            let thin = ThinFactors::of(&low, rank);
            assert_eq!((thin.inner.len(), thin.outer.len()), (rank * 4, 3 * rank));
            let again = laser_linalg::product(&thin.matrix([3, 4], rank));
            for (a, b) in again.data().iter().zip(whole.data()) {
                assert!((a - b).abs() < 1e-5, "{a} and {b}");
            }
        }
        assert!(is_smaller(1, [3, 4]) && !is_smaller(2, [3, 4]));
    }
}

//! What the singular values of a matrix say about it: ranks, energy, size of the factors, and where noise ends.

use thiserror::Error;

use crate::marchenko_pastur::MarchenkoPastur;
use crate::power_law::power_law_alpha;
use crate::singular_values::singular_values;
use laser_matrix::{Matrix, Rho, SvdError, rank_for};

/// All singular values of a `rows` x `cols` matrix W, sigma_1 >= ... >= sigma_k >= 0, k = min(rows, cols).
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    rows: usize,
    cols: usize,
    sigma: Vec<f32>,
}

/// Why a list of numbers is not the singular values of a matrix of the given shape.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SpectrumError {
    /// There are not min(rows, cols) of them.
    #[error("a {rows} x {cols} matrix has {expected} singular values, not {got}", expected = rows.min(cols))]
    Count {
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        cols: usize,
        /// Values given.
        got: usize,
    },
    /// One of them is negative, not finite, or above the one before it.
    #[error("singular value {index} is {value}: they must be finite, not negative, and in falling order")]
    Value {
        /// Its place, from 0.
        index: usize,
        /// The value.
        value: f32,
    },
}

/// What it takes to store W_r as factors (rows x r) and (r x cols) instead of rows x cols entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactoredSize {
    /// r.
    pub rank: usize,
    /// r (rows + cols), in parameters.
    pub factored: usize,
    /// rows * cols, in parameters.
    pub dense: usize,
}

impl FactoredSize {
    /// 1 - factored / dense, the share of the parameters that factors save: negative where r > rows cols / (rows + cols),
    /// and 0 for an empty matrix.
    pub fn saved(&self) -> f64 {
        if self.dense == 0 { 0.0 } else { 1.0 - self.factored as f64 / self.dense as f64 }
    }
}

/// Where the noise in a matrix ends, in the model W = signal of low rank + independent entries of mean 0 and variance s^2.
///
/// Of pure noise the squared singular values follow the Marchenko-Pastur law, and the largest
/// singular value tends to the edge
///
/// s sqrt(n_max) (1 + sqrt(beta)) = s (sqrt(rows) + sqrt(cols)), beta = n_min / n_max.
///
/// A trained matrix need not follow the model: its bulk often has a heavier tail, which then counts as above the noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseEdge {
    /// s, the standard deviation of the noise in one entry.
    pub sigma: f64,
    /// s (sqrt(rows) + sqrt(cols)), on the scale of the singular values.
    pub edge: f64,
    /// The edge with room for the fluctuation of the largest singular value of noise, a relative O(n^(-2/3)): the least
    /// that a singular value must exceed to be told from noise. sigma_1 of pure Gaussian noise stays below in 99 of 100
    /// matrices.
    pub threshold: f64,
    /// The number of singular values above the threshold: the rank above the noise.
    pub rank: usize,
}

impl Spectrum {
    /// The spectrum of `matrix`, exact up to f32 rounding. The singular vectors are not computed; the answer is checked
    /// against the matrix as that of [`Svd::of`](crate::Svd::of) is.
    ///
    /// # Errors
    /// Those of [`Svd::of`](crate::Svd::of).
    pub fn of(matrix: &Matrix) -> Result<Self, SvdError> {
        Ok(Self { rows: matrix.rows(), cols: matrix.cols(), sigma: singular_values(matrix)? })
    }

    /// The spectrum of a `rows` x `cols` matrix with these singular values, all min(rows, cols) of them, falling.
    ///
    /// # Errors
    /// If they are not.
    pub fn new(rows: usize, cols: usize, singular_values: Vec<f32>) -> Result<Self, SpectrumError> {
        let got = singular_values.len();
        if got != rows.min(cols) {
            return Err(SpectrumError::Count { rows, cols, got });
        }
        let mut largest = f32::MAX;
        for (index, &value) in singular_values.iter().enumerate() {
            // NaN is in no range.
            if !(0.0..=largest).contains(&value) {
                return Err(SpectrumError::Value { index, value });
            }
            largest = value;
        }
        Ok(Self { rows, cols, sigma: singular_values })
    }

    /// Rows of the matrix.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the matrix.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// sigma_1 >= ... >= sigma_k >= 0, k = min(rows, cols).
    pub fn singular_values(&self) -> &[f32] {
        &self.sigma
    }

    /// The exponent alpha of the power law that the largest sigma_i^2 follow, from 2 to 6 in most trained matrices: the smaller,
    /// the heavier the tail (Martin, Mahoney, arXiv 1901.08276). None of fewer than three different values.
    pub fn power_law_alpha(&self) -> Option<f64> {
        let squares: Vec<f64> = self.squares().take_while(|&square| square > 0.0).collect();
        power_law_alpha(&squares)
    }

    /// ||W||_F^2, the sum of sigma_i^2.
    pub fn energy(&self) -> f64 {
        self.squares().sum()
    }

    /// exp(-sum of p_i ln p_i), p_i = sigma_i / (sum of sigma_j): from 1 for rank one to the rank for equal singular values
    /// (Roy and Vetterli 2007, The effective rank: a measure of effective dimensionality). 0 for a zero matrix.
    pub fn effective_rank(&self) -> f64 {
        let sum: f64 = self.sigma.iter().map(|&s| f64::from(s)).sum();
        let shares = self.sigma.iter().map(|&s| f64::from(s) / sum).filter(|&p| p > 0.0);
        let (mut entropy, mut rank) = (0.0, 0);
        for p in shares {
            entropy -= p * p.ln();
            rank += 1;
        }
        // Only rounding leads out of these bounds.
        entropy.exp().max(1.0).min(f64::from(rank))
    }

    /// ||W||_F^2 / sigma_1^2, at least 1 and at most the [effective rank](Self::effective_rank) (Rudelson and Vershynin
    /// 2007, Sampling from large matrices, where it is called the numerical rank). 0 for a zero matrix.
    pub fn stable_rank(&self) -> f64 {
        match self.squares().next() {
            Some(largest) if largest > 0.0 => self.energy() / largest,
            _ => 0.0,
        }
    }

    /// The share of ||W||_F^2 that the reduction to `rho` keeps: (sum of sigma_i^2 over the r largest) / (sum of all),
    /// r = [`rank_for`]`(rho)`. In [0, 1]; 1 for a zero matrix, of which nothing is lost.
    pub fn energy_kept(&self, rho: Rho) -> f64 {
        let total = self.energy();
        if total == 0.0 {
            return 1.0;
        }
        // From 0.0: an empty sum is -0.0.
        self.squares().take(rank_for(rho, self.rows, self.cols)).fold(0.0, |sum, square| sum + square) / total
    }

    /// What storing the reduction to `rho` as factors would take.
    pub fn factored_size(&self, rho: Rho) -> FactoredSize {
        let (rows, cols) = (self.rows, self.cols);
        let rank = rank_for(rho, rows, cols);
        FactoredSize {
            rank,
            factored: rank.saturating_mul(rows.saturating_add(cols)),
            dense: rows.saturating_mul(cols),
        }
    }

    /// The noise level and edge, fitted to the bulk of the singular values.
    ///
    /// With the r largest singular values taken for signal, the others are those of noise on what is left of the two spaces,
    /// (rows - r) x (cols - r), and s^2 is their median square over n_max - r times the Marchenko-Pastur median of that shape
    /// (Gavish and Donoho 2014, The optimal hard threshold for singular values is 4/sqrt(3), where r = 0). As
    /// the law has no mass above its edge, what is left is the whole of the noise, so that its median is the law's. From r = 0,
    /// r is raised to the number above the threshold until no more are.
    ///
    /// The threshold squared is s^2 ((sqrt(rows) + sqrt(cols))^2 + 2.0234 (sqrt(rows) + sqrt(cols)) (1 / sqrt(rows) +
    /// 1 / sqrt(cols))^(1/3)), the 99 % point of the Tracy-Widom law of order 1 (Johnstone 2001, On the distribution of the
    /// largest eigenvalue in principal components analysis, theorem 1.1); but it is never so low that rounding to f32 passes
    /// for signal.
    ///
    /// The signal must be in less than half of the singular values. All are 0 for an empty or zero matrix, and for a single row
    /// or column, in which no signal can be told from noise, the rank is 0.
    pub fn noise_edge(&self) -> NoiseEdge {
        /// The 99 % point of the Tracy-Widom law of order 1.
        const TRACY_WIDOM_99: f64 = 2.0234;
        let Some(&largest) = self.sigma.first() else {
            return NoiseEdge { sigma: 0.0, edge: 0.0, threshold: 0.0, rank: 0 };
        };
        let (m, n) = ((self.rows as f64).sqrt(), (self.cols as f64).sqrt());
        let unit_edge = m + n;
        let unit_threshold = (unit_edge.powi(2) + TRACY_WIDOM_99 * unit_edge * (1.0 / m + 1.0 / n).cbrt()).sqrt();
        let rounding = 4.0 * f64::from(f32::EPSILON) * m.max(n) * f64::from(largest);
        let mut rank = 0;
        loop {
            let sigma = self.noise_level(rank);
            let threshold = (sigma * unit_threshold).max(rounding);
            let above = self.sigma.partition_point(|&s| f64::from(s) > threshold);
            if above <= rank {
                return NoiseEdge { sigma, edge: sigma * unit_edge, threshold, rank: above };
            }
            rank = above;
        }
    }

    /// The standard deviation of the entries of a (rows - rank) x (cols - rank) matrix of noise that has the squared singular
    /// values from `rank` on, by their median.
    fn noise_level(&self, rank: usize) -> f64 {
        let bulk = &self.sigma[rank..];
        let square = |i: usize| f64::from(bulk[i]).powi(2);
        let median = 0.5 * (square((bulk.len() - 1) / 2) + square(bulk.len() / 2));
        let (rows, cols) = (self.rows - rank, self.cols - rank);
        let law = MarchenkoPastur::of_shape(rows, cols);
        (median / (rows.max(cols) as f64 * law.median())).sqrt()
    }

    fn squares(&self) -> impl Iterator<Item = f64> {
        self.sigma.iter().map(|&s| f64::from(s).powi(2))
    }
}

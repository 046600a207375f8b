//! What each part of a composition adds, told from the results of many compositions (Bayesian linear regression).
//!
//! The gain of a composition with features x is modelled as w'x, w being normal beforehand. An observed mean over n examples has the
//! variance noise / n + misfit^2: the second part stands for what edits do to one another.

use laser_example::SplitMix64;

/// A feature's number, and how much of it there is.
pub type Features = Vec<(usize, f64)>;

/// What is assumed of a weight before anything has been observed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// The mean.
    pub mean: f64,
    /// The standard deviation, above 0.
    pub deviation: f64,
}

/// A composition's gain.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What the composition consists of.
    pub features: Features,
    /// The mean gain over the examples.
    pub gain: f64,
    /// How many examples.
    pub examples: usize,
}

/// The weights after observations: normal, with the precision L L'.
#[derive(Debug, Clone, PartialEq)]
pub struct AdditiveModel {
    mean: Vec<f64>,
    /// L, row by row; what is above the diagonal is 0.
    factor: Vec<Vec<f64>>,
}

impl AdditiveModel {
    /// The weights that `observations` leave likely. `noise` is the variance of one example's gain, `misfit` the standard deviation
    /// of what the model leaves out.
    pub fn new(prior: &[Prior], observations: &[Observation], noise: f64, misfit: f64) -> Self {
        let n = prior.len();
        let mut precision = vec![vec![0.0; n]; n];
        let mut right = vec![0.0; n];
        for (i, it) in prior.iter().enumerate() {
            precision[i][i] = it.deviation.powi(-2);
            right[i] = it.mean * it.deviation.powi(-2);
        }
        for it in observations.iter().filter(|it| it.examples > 0) {
            let weight = 1.0 / (noise / it.examples as f64 + misfit * misfit);
            for &(i, x) in &it.features {
                right[i] += weight * x * it.gain;
                for &(j, y) in &it.features {
                    precision[i][j] += weight * x * y;
                }
            }
        }
        let factor = cholesky(precision);
        let mean = backward(&factor, forward(&factor, right));
        Self { mean, factor }
    }

    /// The expected gain.
    pub fn expected(&self, features: &Features) -> f64 {
        gain(&self.mean, features)
    }

    /// Weights drawn from their distribution (Thompson, 1933): w = mean + L'^-1 z.
    pub fn draw(&self, random: &mut SplitMix64) -> Vec<f64> {
        let normal = (0..self.mean.len()).map(|_| normal(random)).collect();
        backward(&self.factor, normal).iter().zip(&self.mean).map(|(step, mean)| mean + step).collect()
    }
}

/// w'x.
pub fn gain(weights: &[f64], features: &Features) -> f64 {
    features.iter().map(|&(i, x)| weights[i] * x).sum()
}

/// A nearly standard normal number: the sum of twelve uniform ones less 6, which every machine rounds alike.
fn normal(random: &mut SplitMix64) -> f64 {
    const STEPS: u64 = 1 << 53;
    (0..12).map(|_| random.below(STEPS) as f64 / STEPS as f64).sum::<f64>() - 6.0
}

/// L of A = L L', for a symmetric positive definite A.
fn cholesky(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for j in 0..a.len() {
        let (above, below) = a.split_at_mut(j + 1);
        let row = &mut above[j];
        row[j] = (row[j] - row[..j].iter().map(|x| x * x).sum::<f64>()).max(f64::MIN_POSITIVE).sqrt();
        row[j + 1..].fill(0.0);
        for other in below {
            let known: f64 = other[..j].iter().zip(&row[..j]).map(|(x, y)| x * y).sum();
            other[j] = (other[j] - known) / row[j];
        }
    }
    a
}

/// x of L x = b.
fn forward(factor: &[Vec<f64>], mut b: Vec<f64>) -> Vec<f64> {
    for i in 0..b.len() {
        let known: f64 = factor[i][..i].iter().zip(&b).map(|(l, x)| l * x).sum();
        b[i] = (b[i] - known) / factor[i][i];
    }
    b
}

/// x of L' x = b.
fn backward(factor: &[Vec<f64>], mut b: Vec<f64>) -> Vec<f64> {
    for i in (0..b.len()).rev() {
        let known: f64 = (i + 1..b.len()).map(|k| factor[k][i] * b[k]).sum();
        b[i] = (b[i] - known) / factor[i][i];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIOR: Prior = Prior { mean: 0.0, deviation: 1.0 };

    /// numpy: `A = X.T @ np.diag(w) @ X + np.eye(2); np.linalg.solve(A, X.T @ (w * y))` with X = [[1, 0], [1, 1], [0, 2]],
    /// y = [1, 3, 5] and w = 1 / (4 / [4, 8, 4] + 0.25).
    #[test]
    fn it_is_the_ridge_regression() {
        let row =
            |features: &[(usize, f64)], gain, examples| Observation { features: features.to_vec(), gain, examples };
        let rows = [row(&[(0, 1.0)], 1.0, 4), row(&[(0, 1.0), (1, 1.0)], 3.0, 8), row(&[(1, 2.0)], 5.0, 4)];
        let model = AdditiveModel::new(&[PRIOR; 2], &rows, 4.0, 0.5);
        let expected = [0.678_663_239_074_550_1, 2.005_141_388_174_807_5];
        for (i, expected) in expected.into_iter().enumerate() {
            assert!((model.expected(&vec![(i, 1.0)]) - expected).abs() < 1e-12, "{:?}", model.mean);
        }
    }

    #[test]
    fn draws_have_the_mean_and_the_spread_of_the_weights() {
        let seen = |examples| vec![Observation { features: vec![(0, 1.0), (1, 1.0)], gain: 1.0, examples }];
        let model = AdditiveModel::new(&[PRIOR; 2], &seen(1_000_000), 1.0, 1e-3);
        let mut random = SplitMix64::new(1);
        let draws: Vec<Vec<f64>> = (0..4_000).map(|_| model.draw(&mut random)).collect();
        let mean = |of: &dyn Fn(&[f64]) -> f64| draws.iter().map(|draw| of(draw)).sum::<f64>() / draws.len() as f64;
        // The sum is known, the difference as little as before: its variance is 2.
        assert!((mean(&|w| w[0] + w[1]) - 1.0).abs() < 1e-2);
        assert!(mean(&|w| (w[0] + w[1] - 1.0).powi(2)) < 1e-4);
        assert!((mean(&|w| (w[0] - w[1]).powi(2)) - 2.0).abs() < 0.2);
    }

    #[test]
    fn without_observations_it_is_what_was_assumed() {
        let model = AdditiveModel::new(&[Prior { mean: 0.3, deviation: 0.1 }], &[], 1.0, 0.0);
        assert!((model.expected(&vec![(0, 2.0)]) - 0.6).abs() < 1e-12);
    }
}

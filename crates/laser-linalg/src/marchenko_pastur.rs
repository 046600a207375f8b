//! The Marchenko-Pastur law: how the squared singular values of noise are distributed.

use std::f64::consts::PI;

/// The limit distribution of sigma_i^2 / n_max for a matrix of independent entries with mean 0 and variance 1, as its sides
/// grow with beta = n_min / n_max held fixed (Marchenko and Pastur 1967). On [(1 - sqrt(beta))^2, (1 + sqrt(beta))^2] its
/// density is
///
/// f(x) = sqrt((upper - x) (x - lower)) / (2 pi beta x).
///
/// For entries of variance s^2, x = sigma_i^2 / (n_max s^2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MarchenkoPastur {
    beta: f64,
}

impl MarchenkoPastur {
    /// The law for a `rows` x `cols` matrix. An empty side counts as one entry long.
    pub(crate) fn of_shape(rows: usize, cols: usize) -> Self {
        Self { beta: rows.min(cols).max(1) as f64 / rows.max(cols).max(1) as f64 }
    }

    /// (1 - sqrt(beta))^2, where the support begins.
    fn lower(&self) -> f64 {
        (1.0 - self.beta.sqrt()).powi(2)
    }

    /// The x with half of the distribution below it: by numerical integration and bisection, as it has no closed form.
    pub(crate) fn median(&self) -> f64 {
        let (mut low, mut high) = (0.0, PI);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.share_above(middle) > 0.5 { low = middle } else { high = middle }
        }
        self.at(low)
    }

    /// x = 1 + beta - 2 sqrt(beta) cos(angle), written so that nothing cancels: from lower at 0 to upper at pi.
    fn at(&self, angle: f64) -> f64 {
        self.lower() + 4.0 * self.beta.sqrt() * (0.5 * angle).sin().powi(2)
    }

    /// The integral of the density from x(angle) to the upper end by Simpson's rule. In the angle the integrand is
    /// f(x) dx = 2 / pi sin(angle)^2 / x d(angle), without the square roots of the ends; only next to the lower end can it
    /// still be steep.
    fn share_above(&self, angle: f64) -> f64 {
        const HALVES: usize = 256;
        let integrand = |angle: f64| {
            let x = self.at(angle);
            // At the lower end for beta = 1 the limit is 1.
            let value = if x > 0.0 { angle.sin().powi(2) / x } else { 1.0 };
            2.0 / PI * value
        };
        let step = (PI - angle) / (2 * HALVES) as f64;
        let mut sum = integrand(angle) + integrand(PI);
        for i in 1..2 * HALVES {
            let weight = if i % 2 == 1 { 4.0 } else { 2.0 };
            sum += weight * integrand(angle + i as f64 * step);
        }
        sum * step / 3.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The antiderivative of the density f(x) = sqrt((upper - x) (x - lower)) / (2 pi beta x) in the angle of x = 1 + beta - 2 sqrt(beta) cos(angle).
    fn marchenko_pastur_cdf(beta: f64, x: f64) -> f64 {
        let angle = ((1.0 + beta - x) / (2.0 * beta.sqrt())).acos();
        let steep = ((1.0 + beta.sqrt()) * (0.5 * angle).sin()).atan2((1.0 - beta.sqrt()) * (0.5 * angle).cos());
        let sum = (1.0 + beta) * angle / (4.0 * beta) + angle.sin() / (2.0 * beta.sqrt())
            - (1.0 - beta) / (2.0 * beta) * steep;
        2.0 / PI * sum
    }

    #[test]
    fn marchenko_pastur_median() {
        for (rows, cols) in
            [(1000, 1), (1000, 10), (10, 100), (1024, 4096), (4096, 11008), (999, 1000), (99_999, 100_000), (7, 7)]
        {
            let law = MarchenkoPastur::of_shape(rows, cols);
            let below = marchenko_pastur_cdf(law.beta, law.median());
            assert!((below - 0.5).abs() < 1e-9, "{rows} x {cols}: {below}");
            assert!(law.lower() < law.median() && law.median() < (1.0 + law.beta.sqrt()).powi(2));
        }
        // Gavish and Donoho 2014: for a square matrix their threshold is 2.858 medians, which is 4 / sqrt(3) / sqrt(median).
        assert!((4.0 / 3f64.sqrt() / MarchenkoPastur::of_shape(5, 5).median().sqrt() - 2.858).abs() < 5e-4);
    }
}

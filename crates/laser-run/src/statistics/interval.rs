//! Intervals, and the one of a proportion.

use super::clusters::Clusters;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF};

/// An interval on the real line, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The 0.975 quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % score interval of a proportion (Wilson 1927), without continuity correction; [0, 1] for no examples.
///
/// With p = successes / n: (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).
pub fn wilson(successes: usize, n: usize) -> Interval {
    score_interval(successes.min(n), n, n as f64)
}

/// [`wilson`] where examples come in clusters: `hits[i]` says whether example i was right, `clusters[i]` is its cluster.
///
/// n is divided by the design effect, the variance of the mean by whole clusters over that of independent examples
/// (Kish 1965), at least 1. Where all are right or all wrong, or there is one cluster alone, each
/// cluster counts as one example. Where each example is a cluster of its own, this is [`wilson`].
pub fn wilson_of_groups(hits: &[bool], clusters: &[usize]) -> Interval {
    let n = hits.len().min(clusters.len());
    let clusters = Clusters::new(&clusters[..n]);
    let successes = hits.iter().take(n).filter(|&&hit| hit).count();
    // One cluster says nothing of how clusters differ.
    if successes == 0 || successes == n || clusters.count == 1 {
        return score_interval(successes, n, clusters.count as f64);
    }
    if clusters.count == n {
        return wilson(successes, n);
    }
    let (count, groups) = (n as f64, clusters.count as f64);
    let p = successes as f64 / count;
    let mut residuals = vec![0.0; clusters.count];
    for (&hit, &cluster) in hits.iter().zip(&clusters.of) {
        residuals[cluster] += f64::from(hit) - p;
    }
    let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
    let by_clusters = squares * groups / (groups - 1.0) / (count * count);
    let effect = (by_clusters / (p * (1.0 - p) / count)).max(1.0);
    score_interval(successes, n, count / effect)
}

/// The score interval of successes / n as if it were seen on `count` examples.
fn score_interval(successes: usize, n: usize, count: f64) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let p = successes as f64 / n as f64;
    let shrink = 1.0 + Z * Z / count;
    let centre = (p + Z * Z / (2.0 * count)) / shrink;
    let half = Z * (p * (1.0 - p) / count + Z * Z / (4.0 * count * count)).sqrt() / shrink;
    Interval {
        // At the ends the formula gives 0 and 1 up to rounding.
        low: if successes == 0 { 0.0 } else { (centre - half).max(0.0) },
        high: if successes == n { 1.0 } else { (centre + half).min(1.0) },
    }
}

/// An interval of a proportion each end of which fails with probability at most `level` (Clopper and Pearson 1934, both
/// one-sided); [0, 1] for no examples.
pub fn clopper_pearson(successes: usize, n: usize, level: f64) -> Interval {
    let successes = successes.min(n);
    let failures = n - successes;
    let quantile = |a: usize, b: usize, q: f64| Beta::new(a as f64, b as f64).ok().map(|beta| beta.inverse_cdf(q));
    // One of the parameters is 0 exactly where the end is the end of [0, 1], which is not a distribution.
    Interval {
        low: quantile(successes, failures + 1, level).unwrap_or(0.0),
        high: quantile(successes + 1, failures, 1.0 - level).unwrap_or(1.0),
    }
}

/// The `q` quantile of sorted, non-empty `values`: linear between the neighbours of place q (n - 1).
pub(super) fn quantile(values: &[f64], q: f64) -> f64 {
    let place = q * (values.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(values.len() - 1);
    values[below] + (place - below as f64) * (values[above] - values[below])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::close;
    use laser_example::SplitMix64;

    /// scipy 1.x: `binomtest(k, n).proportion_ci(method="wilson")`.
    #[test]
    fn wilson_is_scipys() {
        for (successes, n, low, high) in [
            (0, 10, 0.0, 0.27753279986288926),
            (10, 10, 0.7224672001371109, 1.0),
            (27, 400, 0.04680146916375965, 0.09642666543540682),
            (68, 400, 0.13636898220196564, 0.20990913205867007),
            (1, 1, 0.20654931437723745, 1.0),
            (500, 1000, 0.4690696003681042, 0.5309303996318958),
            (123_456, 1_000_000, 0.12281269653142284, 0.12410219641400437),
        ] {
            let interval = wilson(successes, n);
            close(interval.low, low, 1e-12);
            close(interval.high, high, 1e-12);
        }
    }

    /// scipy 1.x: `binomtest(k, n).proportion_ci(0.95, method="exact")`, whose ends fail with probability 0.025.
    #[test]
    fn clopper_pearson_is_scipys() {
        for (successes, n, low, high) in [
            (0, 8, 0.0, 0.3694166475528192),
            (8, 8, 0.6305833524471808, 1.0),
            (1, 8, 0.003159723531252275, 0.5265096708751638),
            (27, 400, 0.044950801192366885, 0.09669190685305225),
            (68, 400, 0.13449719089489046, 0.21047106155562914),
            (1, 1, 0.025000000000000022, 1.0),
            (500, 1000, 0.46854917297179194, 0.531450827028208),
        ] {
            let interval = clopper_pearson(successes, n, 0.025);
            close(interval.low, low, 1e-9);
            close(interval.high, high, 1e-9);
        }
        assert_eq!(clopper_pearson(0, 0, 0.025), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn copies_of_an_example_say_as_much_as_one() {
        let once: Vec<bool> = (0..60).map(|i| i % 3 == 0).collect();
        let thrice: Vec<bool> = once.iter().flat_map(|&hit| [hit; 3]).collect();
        let together: Vec<usize> = (0..180).map(|i| i / 3).collect();
        let (few, copied) = (wilson(20, 60), wilson_of_groups(&thrice, &together));
        // The variance between clusters divides by their number less one.
        assert!((few.low - copied.low).abs() < 0.002 && (few.high - copied.high).abs() < 0.002, "{copied:?}");
        assert_eq!(wilson_of_groups(&[true; 180], &together), wilson(60, 60));
        assert_eq!(wilson_of_groups(&[], &[]), wilson(0, 0));
        let alone: Vec<usize> = (0..60).collect();
        assert_eq!(wilson_of_groups(&once, &alone), few);
        // Forty paraphrases of one fact are one example that is half right.
        let one = wilson_of_groups(&[[true; 20], [false; 20]].concat(), &[7; 40]);
        assert!(one.low < 0.1 && one.high > 0.9, "{one:?}");
        // Examples that are independent within clusters lose next to nothing.
        let mut random = SplitMix64::new(8);
        let mixed: Vec<bool> = (0..1_800).map(|_| random.below(3) == 0).collect();
        let together: Vec<usize> = (0..1_800).map(|i| i / 3).collect();
        let (alone, grouped) =
            (wilson(mixed.iter().filter(|&&hit| hit).count(), 1_800), wilson_of_groups(&mixed, &together));
        assert!((alone.low - grouped.low).abs() < 0.002, "{alone:?} {grouped:?}");
    }

    #[test]
    fn wilson_of_impossible_counts() {
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
        assert_eq!(wilson(5, 3), wilson(3, 3));
    }
}

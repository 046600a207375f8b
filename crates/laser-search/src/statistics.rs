//! What a difference between two runs over the same examples is worth.

use std::collections::BTreeMap;

use laser_tasks::SplitMix64;
use serde::{Deserialize, Serialize};
use statrs::function::factorial::ln_binomial;

/// An interval on the real line, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let successes = successes.min(n);
    let count = n as f64;
    let p = successes as f64 / count;
    let shrink = 1.0 + Z * Z / count;
    let centre = (p + Z * Z / (2.0 * count)) / shrink;
    let half = Z * (p * (1.0 - p) / count + Z * Z / (4.0 * count * count)).sqrt() / shrink;
    Interval {
        // At the ends the formula gives 0 and 1 but for rounding.
        low: if successes == 0 { 0.0 } else { (centre - half).max(0.0) },
        high: if successes == n { 1.0 } else { (centre + half).min(1.0) },
    }
}

/// The two-sided p-value of McNemar's exact test: of `gained + lost` examples whose outcome changed, how unlikely is a split
/// at least this uneven when either direction has probability 1/2. Twice the smaller tail, at most 1.
pub fn mcnemar_exact(gained: usize, lost: usize) -> f64 {
    let n = gained.saturating_add(lost);
    let k = gained.min(lost);
    if n == k.saturating_mul(2) {
        return 1.0;
    }
    // P(X <= k) = P(X = k) (1 + k / (n - k + 1) + k (k - 1) / ((n - k + 1) (n - k + 2)) + ...): falling, positive terms.
    let mut term = 1.0;
    let mut sum = 1.0;
    for below in 0..k {
        term *= (k - below) as f64 / (n - k + 1 + below) as f64;
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    let ln_tail = ln_binomial(n as u64, k as u64) - n as f64 * std::f64::consts::LN_2 + f64::ln(sum);
    (2.0 * ln_tail.exp()).min(1.0)
}

/// The 95 % percentile interval of the mean of `differences` (Efron 1979), one number an example, in their own unit.
///
/// Whole clusters are drawn: `clusters[i]` is the cluster of example i, and examples that are no independent evidence
/// (paraphrases of one fact) share one. The same seed gives the same interval. Ends are quantiles 0.025 and 0.975 of the
/// resampled means, interpolated linearly. One cluster alone gives an interval without width: it says nothing about spread.
///
/// None where there is nothing to resample (no examples, no resamples) or the input is no list of numbers with their clusters
/// (lengths differ, a difference is infinite or not a number).
pub fn paired_bootstrap(differences: &[f64], clusters: &[usize], resamples: usize, seed: u64) -> Option<Interval> {
    if differences.is_empty() || resamples == 0 || differences.len() != clusters.len() {
        return None;
    }
    if !differences.iter().all(|difference| difference.is_finite()) {
        return None;
    }
    // Ordered by the clusters' first example, so that the ids' values do not matter.
    let mut index_of = BTreeMap::new();
    let mut totals: Vec<(f64, f64)> = Vec::new();
    for (&difference, &cluster) in differences.iter().zip(clusters) {
        let index = *index_of.entry(cluster).or_insert(totals.len());
        if index == totals.len() {
            totals.push((0.0, 0.0));
        }
        totals[index].0 += difference;
        totals[index].1 += 1.0;
    }
    let mut random = SplitMix64::new(seed);
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| {
            let (mut sum, mut count) = (0.0, 0.0);
            for _ in 0..totals.len() {
                let (cluster_sum, cluster_count) = totals[random.below(totals.len() as u64) as usize];
                sum += cluster_sum;
                count += cluster_count;
            }
            sum / count
        })
        .collect();
    means.sort_by(f64::total_cmp);
    Some(Interval { low: quantile(&means, 0.025), high: quantile(&means, 0.975) })
}

/// The `q` quantile of sorted, non-empty `values`: linear between the neighbours of place q (n - 1).
fn quantile(values: &[f64], q: f64) -> f64 {
    let place = q * (values.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(values.len() - 1);
    values[below] + (place - below as f64) * (values[above] - values[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expected: f64, relative: f64) {
        let error = (got - expected).abs();
        assert!(error <= relative * expected.abs(), "{got:e} is not {expected:e}");
    }

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
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
        assert_eq!(wilson(5, 3), wilson(3, 3));
    }

    /// scipy 1.x: `binomtest(gained, gained + lost).pvalue`.
    #[test]
    fn mcnemar_is_scipys() {
        for (gained, lost, p) in [
            (44, 6, 3.243740565039843e-08),
            (1, 0, 1.0),
            (5, 5, 1.0),
            (6, 5, 1.0),
            (10, 0, 0.001953125),
            (3, 12, 0.03515625),
            (1000, 900, 0.023108845108901193),
            (100_200, 99_800, 0.3722905400576759),
            (60, 600, 5.222844717353587e-113),
            (2000, 500, 2.855087369006384e-211),
            (1_000_001, 1_000_000, 1.0),
        ] {
            close(mcnemar_exact(gained, lost), p, 1e-8);
            assert_eq!(mcnemar_exact(gained, lost), mcnemar_exact(lost, gained));
        }
        assert_eq!(mcnemar_exact(0, 0), 1.0);
        assert_eq!(mcnemar_exact(3000, 0), 0.0);
        assert!((0.0..=1.0).contains(&mcnemar_exact(usize::MAX, usize::MAX / 3)));
    }

    /// The definition, summed in exact integers.
    #[test]
    fn mcnemar_is_its_definition() {
        for n in 1..=60usize {
            for k in 0..=n / 2 {
                let mut binomial = 1u128;
                let mut tail = 0u128;
                for i in 0..=k {
                    tail += binomial;
                    binomial = binomial * (n - i) as u128 / (i + 1) as u128;
                }
                let p = 2.0 * tail as f64 / 2f64.powi(n as i32);
                close(mcnemar_exact(k, n - k), p.min(1.0), 1e-12);
            }
        }
    }

    /// scipy 1.x: `bootstrap((d,), np.mean, method="percentile", n_resamples=200000, batch=1000, random_state=1)`.
    #[test]
    fn bootstrap_is_near_scipys() {
        let mut outcomes = vec![1.0; 44];
        outcomes.extend([-1.0; 6]);
        outcomes.extend([0.0; 350]);
        let spread: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 101) / 100.0 - 0.4).collect();
        for (differences, low, high, tolerance) in
            [(outcomes, 0.0625, 0.13, 0.0026), (spread, 0.021166666666666643, 0.1688333333333333, 0.004)]
        {
            let alone: Vec<usize> = (0..differences.len()).collect();
            let interval = paired_bootstrap(&differences, &alone, 20_000, 7).unwrap();
            assert!((interval.low - low).abs() < tolerance, "{interval:?}");
            assert!((interval.high - high).abs() < tolerance, "{interval:?}");
        }
    }

    #[test]
    fn copies_in_one_cluster_are_no_evidence() {
        let once: Vec<f64> = (0..50).map(|i| f64::from(i % 7) - 2.0).collect();
        let alone: Vec<usize> = (0..50).collect();
        let expected = paired_bootstrap(&once, &alone, 500, 3).unwrap();

        let thrice: Vec<f64> = once.iter().flat_map(|&x| [x; 3]).collect();
        let together: Vec<usize> = (0..150).map(|i| 1_000_000 - i / 3).collect();
        let clustered = paired_bootstrap(&thrice, &together, 500, 3).unwrap();
        close(clustered.low, expected.low, 1e-12);
        close(clustered.high, expected.high, 1e-12);

        let apart: Vec<usize> = (0..150).collect();
        let too_narrow = paired_bootstrap(&thrice, &apart, 500, 3).unwrap();
        assert!(too_narrow.high - too_narrow.low < 0.7 * (expected.high - expected.low));
    }

    #[test]
    fn bootstrap_is_seeded() {
        let differences: Vec<f64> = (0..40).map(|i| f64::from(i).sin()).collect();
        let clusters: Vec<usize> = (0..40).map(|i| i / 2).collect();
        let run = |seed| paired_bootstrap(&differences, &clusters, 300, seed).unwrap();
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        assert!(run(1).low < run(1).high);
    }

    #[test]
    fn bootstrap_of_too_little() {
        assert_eq!(paired_bootstrap(&[], &[], 100, 1), None);
        assert_eq!(paired_bootstrap(&[1.0], &[0], 0, 1), None);
        assert_eq!(paired_bootstrap(&[1.0, 2.0], &[0], 100, 1), None);
        assert_eq!(paired_bootstrap(&[1.0, f64::NAN], &[0, 1], 100, 1), None);
        let point = Some(Interval { low: 2.0, high: 2.0 });
        assert_eq!(paired_bootstrap(&[1.0, 3.0], &[5, 5], 100, 1), point);
        assert_eq!(paired_bootstrap(&[2.0], &[0], 1, 1), point);
    }
}

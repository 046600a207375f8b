//! Intervals by drawing the examples again.

use super::clusters::{Clusters, repeat};
use super::interval::{Interval, quantile};
use laser_example::SplitMix64;

/// The 95 % percentile interval of the mean of `differences` (Efron 1979), one number an example, in their own unit.
///
/// Whole clusters are drawn: `clusters[i]` is the cluster of example i, and examples that are not independent evidence
/// (paraphrases of one fact) share one. The same seed gives the same interval. Ends are quantiles 0.025 and 0.975 of the
/// resampled means, interpolated linearly. One cluster alone gives an interval without width: it says nothing about spread.
///
/// None where there is nothing to resample (no examples, no resamples) or the input is not a list of numbers with their clusters
/// (lengths differ, a difference is infinite or not a number).
pub fn paired_bootstrap(differences: &[f64], clusters: &[usize], resamples: usize, seed: u64) -> Option<Interval> {
    if differences.is_empty() || resamples == 0 || differences.len() != clusters.len() {
        return None;
    }
    if !differences.iter().all(|difference| difference.is_finite()) {
        return None;
    }
    let clusters = Clusters::new(clusters);
    let mut totals = vec![(0.0, 0.0); clusters.count];
    for (&difference, &cluster) in differences.iter().zip(&clusters.of) {
        totals[cluster].0 += difference;
        totals[cluster].1 += 1.0;
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
    Some(percentile(&means))
}

/// The 95 % percentile interval (Efron 1979) of any statistic of some examples, in its own unit.
///
/// Whole clusters are drawn: `clusters[i]` is the cluster of example i. `statistic` gets how many times each example was drawn
/// and returns its value on them; for a difference between two models it takes both on the same draw. Draws on which it is not
/// finite (balanced accuracy where no class was drawn) are left out. The same seed gives the same interval with any number of
/// threads. Ends are quantiles 0.025 and 0.975, interpolated linearly.
///
/// None where there is nothing to resample (no examples, no resamples), and where the statistic is not finite on more than
/// half of the draws.
pub fn bootstrap_of(
    clusters: &[usize],
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&[u32]) -> f64 + Sync,
) -> Option<Interval> {
    if clusters.is_empty() || resamples == 0 {
        return None;
    }
    let clusters = Clusters::new(clusters);
    let mut values = repeat(resamples, seed, |mut random| {
        let mut drawn = vec![0; clusters.count];
        for _ in 0..clusters.count {
            drawn[random.below(clusters.count as u64) as usize] += 1;
        }
        let weights: Vec<u32> = clusters.of.iter().map(|&cluster| drawn[cluster]).collect();
        statistic(&weights)
    });
    values.retain(|value| value.is_finite());
    if values.len() < resamples.div_ceil(2) {
        return None;
    }
    values.sort_by(f64::total_cmp);
    Some(percentile(&values))
}

/// The middle 95 % of sorted, non-empty `values`.
fn percentile(values: &[f64]) -> Interval {
    Interval { low: quantile(values, 0.025), high: quantile(values, 0.975) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::close;

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

    /// The mean of `values` where value i counts `weights[i]` times.
    fn weighted_mean(values: &[f64], weights: &[u32]) -> f64 {
        let sum: f64 = values.iter().zip(weights).map(|(value, &weight)| value * f64::from(weight)).sum();
        sum / f64::from(weights.iter().sum::<u32>())
    }

    #[test]
    fn of_the_mean_it_is_the_paired_bootstrap() {
        let values: Vec<f64> = (0..300).map(|i| f64::from(i * 37 % 101) / 100.0 - 0.4).collect();
        let clusters: Vec<usize> = (0..300).map(|i| i / 3).collect();
        let of = bootstrap_of(&clusters, 10_000, 5, |weights| weighted_mean(&values, weights)).unwrap();
        let paired = paired_bootstrap(&values, &clusters, 10_000, 6).unwrap();
        assert!((of.low - paired.low).abs() < 0.003 && (of.high - paired.high).abs() < 0.003, "{of:?} {paired:?}");
    }

    #[test]
    fn clusters_are_drawn_whole_and_as_many_as_there_are() {
        let clusters = [4, 4, 9, 2, 9];
        let seen = bootstrap_of(&clusters, 200, 1, |weights| {
            assert_eq!((weights[0], weights[2]), (weights[1], weights[4]));
            assert_eq!(weights[0] + weights[2] + weights[3], 3);
            f64::from(weights[0])
        });
        assert_eq!(seen.unwrap().low, 0.0);
    }

    #[test]
    fn draws_without_a_value_are_left_out() {
        // Of two clusters the first is drawn 0, 1 and 2 times in 1/4, 1/2 and 1/4 of the draws.
        let there = |weights: &[u32]| if weights[0] == 0 { f64::NAN } else { f64::from(weights[0]) };
        assert_eq!(bootstrap_of(&[0, 1], 1000, 1, there), Some(Interval { low: 1.0, high: 2.0 }));
        let twice = |weights: &[u32]| if weights[0] == 2 { 1.0 } else { f64::INFINITY };
        assert_eq!(bootstrap_of(&[0, 1], 1000, 1, twice), None);
        assert_eq!(bootstrap_of(&[], 100, 1, |_| 1.0), None);
        assert_eq!(bootstrap_of(&[0], 0, 1, |_| 1.0), None);
    }
}

//! The price of choosing the best of many by a result that is a number.

use super::clusters::{Clusters, repeat};
use super::hopeless::is_hopeless;
use super::interval::quantile;
use super::sign_flip::ChanceGain;

/// Sums closer to each other than this part of the sum of all magnitudes are equal up to rounding.
const TIE: f64 = 1e-10;

/// What [`best_by_chance`](super::best_by_chance) says of hits, of results in any unit: `base` and each of `candidates` give one
/// number an example, `clusters[i]` is the cluster of example i. The gains are differences of means.
///
/// None where there is nothing to compare (no examples, no candidates, no flips), lengths differ, or a number is not finite.
pub fn best_value_by_chance(
    base: &[f64],
    candidates: &[&[f64]],
    clusters: &[usize],
    flips: usize,
    seed: u64,
) -> Option<ChanceGain> {
    if base.is_empty() || candidates.is_empty() || flips == 0 || clusters.len() != base.len() {
        return None;
    }
    let fits = |values: &[f64]| values.len() == base.len() && values.iter().all(|value| value.is_finite());
    if !fits(base) || !candidates.iter().all(|candidate| fits(candidate)) {
        return None;
    }
    let clusters = Clusters::new(clusters);
    let mut sums: Vec<Vec<f64>> = candidates
        .iter()
        .map(|candidate| {
            let mut sums = vec![0.0; clusters.count];
            for ((before, after), &cluster) in base.iter().zip(*candidate).zip(&clusters.of) {
                sums[cluster] += after - before;
            }
            sums
        })
        .collect();
    let best = |sum_of: &dyn Fn(&[f64]) -> f64| sums.iter().map(|sums| sum_of(sums)).fold(f64::NEG_INFINITY, f64::max);
    let observed = best(&|sums| sums.iter().sum());
    let tie = TIE * best(&|sums| sums.iter().map(|sum| sum.abs()).sum());
    sums.retain(|sums| {
        let (sum, squares) = (sums.iter().sum::<f64>(), sums.iter().map(|sum| sum * sum).sum::<f64>());
        sum >= observed - tie || !is_hopeless(sum, squares, clusters.count)
    });
    let mut by_chance: Vec<f64> = repeat(flips, seed, |mut random| {
        let signs: Vec<u64> = (0..clusters.count.div_ceil(64)).map(|_| random.next_u64()).collect();
        let sign = |cluster: usize| if signs[cluster / 64] >> (cluster % 64) & 1 == 1 { -1.0 } else { 1.0 };
        let flipped = |sums: &Vec<f64>| sums.iter().enumerate().map(|(cluster, sum)| sign(cluster) * sum).sum();
        sums.iter().map(flipped).fold(f64::NEG_INFINITY, f64::max)
    });
    by_chance.sort_by(f64::total_cmp);
    let extreme = flips - by_chance.partition_point(|&gain| gain < observed - tie);
    let hopeless = candidates.len() - sums.len();
    let examples = base.len() as f64;
    Some(ChanceGain {
        observed: observed / examples,
        median: quantile(&by_chance, 0.5) / examples,
        upper: quantile(&by_chance, 0.95) / examples,
        p: (1 + extreme) as f64 / (flips + 1) as f64,
        candidates: candidates.len(),
        hopeless,
        examples: base.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::best_by_chance;
    use laser_example::SplitMix64;

    #[test]
    fn of_hits_it_is_what_hits_give() {
        let mut random = SplitMix64::new(4);
        let mut hits = |percent: u64| -> Vec<bool> { (0..200).map(|_| random.below(100) < percent).collect() };
        let (base, candidates) = (hits(50), [hits(50), hits(55), hits(62)]);
        let clusters: Vec<usize> = (0..200).map(|i| i / 2).collect();
        let of_hits =
            best_by_chance(&base, &candidates.iter().map(Vec::as_slice).collect::<Vec<_>>(), &clusters, 4_000, 1)
                .unwrap();
        let values = |hits: &Vec<bool>| -> Vec<f64> { hits.iter().map(|&hit| f64::from(hit)).collect() };
        let all: Vec<Vec<f64>> = candidates.iter().map(values).collect();
        let all: Vec<&[f64]> = all.iter().map(Vec::as_slice).collect();
        let found = best_value_by_chance(&values(&base), &all, &clusters, 4_000, 2).unwrap();
        assert!((found.observed - of_hits.observed).abs() < 1e-12);
        assert!((found.median - of_hits.median).abs() < 0.011 && (found.upper - of_hits.upper).abs() < 0.011);
        assert!((found.p - of_hits.p).abs() < 0.03, "{} and {}", found.p, of_hits.p);
    }

    #[test]
    fn of_nothing_and_of_nothing_finite() {
        assert_eq!(best_value_by_chance(&[], &[&[]], &[], 10, 0), None);
        assert_eq!(best_value_by_chance(&[1.0], &[], &[0], 10, 0), None);
        assert_eq!(best_value_by_chance(&[1.0], &[&[f64::NAN]], &[0], 10, 0), None);
        assert_eq!(best_value_by_chance(&[1.0], &[&[1.0, 2.0]], &[0], 10, 0), None);
        let same = best_value_by_chance(&[1.5, 2.5], &[&[1.5, 2.5]], &[0, 1], 10, 0).unwrap();
        assert_eq!((same.observed, same.p), (0.0, 1.0));
    }
}

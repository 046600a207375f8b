//! Examples that are not independent evidence, and chance that respects them.

use laser_example::SplitMix64;
use rayon::prelude::*;
use std::collections::HashMap;

/// The clusters of some examples, numbered from 0 in the order of their first example, so that the ids' values do not matter.
pub(super) struct Clusters {
    /// The number of each example's cluster.
    pub of: Vec<usize>,
    /// How many there are.
    pub count: usize,
}

impl Clusters {
    /// `ids[i]` is the cluster of example i, by any number.
    pub fn new(ids: &[usize]) -> Self {
        let mut numbers = HashMap::new();
        let mut of = Vec::with_capacity(ids.len());
        for &id in ids {
            let next = numbers.len();
            of.push(*numbers.entry(id).or_insert(next));
        }
        Self { of, count: numbers.len() }
    }
}

/// The results of `n` repetitions of `run`, in order. Each has a generator of its own, whose seed follows from `seed` and the
/// repetition's number: the number of threads does not matter.
pub(super) fn repeat<T: Send>(n: usize, seed: u64, run: impl Fn(SplitMix64) -> T + Sync) -> Vec<T> {
    let mut random = SplitMix64::new(seed);
    let seeds: Vec<u64> = (0..n).map(|_| random.next_u64()).collect();
    seeds.into_par_iter().map(|seed| run(SplitMix64::new(seed))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_numbered_as_they_appear() {
        let clusters = Clusters::new(&[70, 3, 70, usize::MAX, 3]);
        assert_eq!((clusters.of, clusters.count), (vec![0, 1, 0, 2, 1], 3));
        assert_eq!(Clusters::new(&[]).count, 0);
    }

    #[test]
    fn repetitions_are_the_same_with_any_number_of_threads() {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| repeat(100, 9, |mut random| random.next_u64()))
        };
        assert_eq!(with(1), with(3));
        assert_eq!(with(1)[..40], repeat(40, 9, |mut random| random.next_u64()));
    }
}

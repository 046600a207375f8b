//! Randomisation tests: if nothing differs, a difference might as well have had the other sign.

use super::clusters::{Clusters, repeat};
use super::hopeless::is_hopeless;
use super::interval::quantile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Up to this many clusters that differ, all choices of signs are gone through: 2^15 up to a common sign.
const EXACT: usize = 16;

/// Sums closer to each other than this part of the sum of all magnitudes are equal up to rounding.
const TIE: f64 = 1e-10;

/// The two-sided p-value of "the mean difference is 0" by random signs (Fisher 1935), for `differences` in any unit, one number
/// an example.
///
/// Whole clusters change their sign together: `clusters[i]` is the cluster of example i. p = (1 + #{|sum*| >= |sum|}) /
/// (`flips` + 1), which is never 0 (Phipson & Smyth 2010). With at most 16 clusters whose sum is not 0 every choice of signs
/// is counted once instead, and p is exact. The same seed gives the same p with any number of threads.
///
/// None where there is nothing to flip (no examples, no flips) or the input is not a list of numbers with their clusters (lengths
/// differ, a difference is infinite or not a number).
pub fn sign_flip_p(differences: &[f64], clusters: &[usize], flips: usize, seed: u64) -> Option<f64> {
    if differences.is_empty() || flips == 0 || differences.len() != clusters.len() {
        return None;
    }
    if !differences.iter().all(|difference| difference.is_finite()) {
        return None;
    }
    let clusters = Clusters::new(clusters);
    let mut sums = vec![0.0; clusters.count];
    for (&difference, &cluster) in differences.iter().zip(&clusters.of) {
        sums[cluster] += difference;
    }
    let tie = TIE * differences.iter().map(|difference| difference.abs()).sum::<f64>();
    sums.retain(|sum| sum.abs() > tie);
    let least = sums.iter().sum::<f64>().abs() - tie;
    if sums.len() <= EXACT {
        let Some((&first, others)) = sums.split_first() else { return Some(1.0) };
        // Signs and their opposites have the same |sum*|: the first sign stays.
        let choices = 1u32 << others.len();
        let sum = |choice: u32| first + signed_sum(others, u64::from(choice));
        let extreme = (0..choices).filter(|&choice| sum(choice).abs() >= least).count();
        return Some(extreme as f64 / f64::from(choices));
    }
    let extreme = repeat(flips, seed, |mut random| {
        let sum: f64 = sums.chunks(64).map(|sums| signed_sum(sums, random.next_u64())).sum();
        sum.abs() >= least
    });
    Some((1 + extreme.into_iter().filter(|&extreme| extreme).count()) as f64 / (flips + 1) as f64)
}

/// The sum of at most 64 `values`, value i with a minus where bit i of `signs` is set.
fn signed_sum(values: &[f64], signs: u64) -> f64 {
    values.iter().enumerate().map(|(i, &value)| if signs >> i & 1 == 1 { -value } else { value }).sum()
}

/// The gain that the best of some candidates shows, beside what chance alone would show; see [`best_by_chance`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChanceGain {
    /// The gain in accuracy of the best candidate, 1 being 100 points.
    pub observed: f64,
    /// The median gain of the best candidate if none differed from the base but by chance.
    pub median: f64,
    /// The 0.95 quantile of that gain.
    pub upper: f64,
    /// How likely chance alone shows at least the observed gain.
    pub p: f64,
    /// How many candidates the best was chosen from.
    pub candidates: usize,
    /// How many of them are too bad to be the best by chance, and are left out of `median`, `upper` and `p`.
    #[serde(default)]
    pub hopeless: usize,
    /// On how many examples.
    #[serde(default)]
    pub examples: usize,
}

/// How large a gain in accuracy the best of some candidates shows where no candidate differs from the base: the price of
/// choosing the best of many on the examples that it was scored on.
///
/// `base` and each of `candidates` say which examples were right, `clusters[i]` is the cluster of example i. A flip draws one
/// sign for each cluster, the same for all candidates, which keeps how candidates go together (max-T of Westfall & Young 1993);
/// max* is then the largest mean over the candidates of sign x (candidate right - base right). `observed` is the maximum
/// without signs and p = (1 + #{max* >= observed}) / (`flips` + 1). Candidates that are so bad that chance cannot make them the
/// best are left out (Hansen 2005); the best one always stays. The same seed gives the same result with any number of threads.
///
/// None where there is nothing to compare (no examples, no candidates, no flips) or lengths differ.
pub fn best_by_chance(
    base: &[bool],
    candidates: &[&[bool]],
    clusters: &[usize],
    flips: usize,
    seed: u64,
) -> Option<ChanceGain> {
    if base.is_empty() || candidates.is_empty() || flips == 0 || clusters.len() != base.len() {
        return None;
    }
    if candidates.iter().any(|candidate| candidate.len() != base.len()) {
        return None;
    }
    let clusters = Clusters::new(clusters);
    let mut changes: Vec<Vec<Change>> =
        candidates.iter().map(|candidate| changes(base, candidate, &clusters)).collect();
    let sum = |changes: &[Change]| changes.iter().map(|change| change.gain).sum::<i32>();
    let observed = changes.iter().map(|changes| sum(changes)).max()?;
    changes.retain(|changes| {
        let squares: f64 = changes.iter().map(|change| f64::from(change.gain).powi(2)).sum();
        sum(changes) == observed || !is_hopeless(f64::from(sum(changes)), squares, clusters.count)
    });
    let blocks = repeat(flips.div_ceil(LANES), seed, |mut random| {
        let signs: Vec<Lanes> = (0..clusters.count).map(|_| lanes(random.next_u64())).collect();
        changes.iter().fold([i32::MIN; LANES], |mut best, changes| {
            let gains = flipped(changes, &signs);
            best.iter_mut().zip(gains).for_each(|(best, gain)| *best = gain.max(*best));
            best
        })
    });
    let mut by_chance: Vec<i32> = blocks.into_iter().flatten().take(flips).collect();
    by_chance.sort_unstable();
    let extreme = flips - by_chance.partition_point(|&gain| gain < observed);
    let rate = |gain: i32| f64::from(gain) / base.len() as f64;
    let gains: Vec<f64> = by_chance.into_iter().map(rate).collect();
    Some(ChanceGain {
        observed: rate(observed),
        median: quantile(&gains, 0.5),
        upper: quantile(&gains, 0.95),
        p: (1 + extreme) as f64 / (flips + 1) as f64,
        candidates: candidates.len(),
        hopeless: candidates.len() - changes.len(),
        examples: base.len(),
    })
}

/// How many flips are computed side by side.
const LANES: usize = 32;

/// A number for each of [`LANES`] flips.
type Lanes = [i32; LANES];

/// A cluster in which a candidate has other right answers than the base: how many more, less than 0 for fewer.
struct Change {
    cluster: usize,
    gain: i32,
}

/// Where the numbers of right answers differ: few clusters, as most examples keep their outcome.
fn changes(base: &[bool], candidate: &[bool], clusters: &Clusters) -> Vec<Change> {
    let mut gains = vec![0; clusters.count];
    for ((&before, &after), &cluster) in base.iter().zip(candidate).zip(&clusters.of) {
        gains[cluster] += i32::from(after) - i32::from(before);
    }
    let changes = gains.into_iter().enumerate().map(|(cluster, gain)| Change { cluster, gain });
    changes.filter(|change| change.gain != 0).collect()
}

/// 0 for a plus and -1 for a minus, by the bits of `random`.
fn lanes(random: u64) -> Lanes {
    std::array::from_fn(|lane| -((random >> lane & 1) as i32))
}

/// The sum of the gains with the signs of each flip.
fn flipped(changes: &[Change], signs: &[Lanes]) -> Lanes {
    let mut sums = [0; LANES];
    for change in changes {
        for (sum, sign) in sums.iter_mut().zip(&signs[change.cluster]) {
            // x ^ -1 - -1 is -x.
            *sum += (change.gain ^ sign) - sign;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{close, mcnemar_exact};
    use laser_example::SplitMix64;
    use proptest::prelude::*;

    fn alone(n: usize) -> Vec<usize> {
        (0..n).collect()
    }

    /// Outcomes of which about `percent` of 100 are right.
    fn outcomes(n: usize, percent: u64, random: &mut SplitMix64) -> Vec<bool> {
        (0..n).map(|_| random.below(100) < percent).collect()
    }

    #[test]
    fn of_right_and_wrong_it_is_mcnemars_test() {
        for (gained, lost) in [(3, 1), (5, 5), (0, 9), (7, 9), (1, 0)] {
            let differences = [vec![1.0; gained], vec![-1.0; lost], vec![0.0; 30]].concat();
            let p = sign_flip_p(&differences, &alone(differences.len()), 1, 0).unwrap();
            close(p, mcnemar_exact(gained, lost), 1e-9);
        }
        for (gained, lost) in [(20, 10), (40, 44), (30, 14)] {
            let differences = [vec![0.1; gained], vec![-0.1; lost]].concat();
            let p = sign_flip_p(&differences, &alone(differences.len()), 20_000, 3).unwrap();
            let exact = mcnemar_exact(gained, lost);
            assert!((p - exact).abs() < 4.0 * (exact * (1.0 - exact) / 20_000.0).sqrt() + 1e-4, "{p} {exact}");
        }
    }

    #[test]
    fn clusters_flip_as_one() {
        // Four clusters of ten examples that all gain: two of the 16 choices of signs are as extreme.
        let clusters: Vec<usize> = (0..40).map(|i| i % 4).collect();
        assert_eq!(sign_flip_p(&[0.1; 40], &clusters, 100, 0), Some(0.125));
        assert!(sign_flip_p(&[0.1; 40], &alone(40), 999, 0).unwrap() <= 0.002);
        // Within a cluster they cancel.
        assert_eq!(sign_flip_p(&[0.1, 0.2, -0.3, 1.0], &[5, 5, 5, 6], 100, 0), Some(1.0));
    }

    #[test]
    fn the_least_p_is_one_in_flips_and_one() {
        let p = sign_flip_p(&[1.0; 200], &alone(200), 999, 0).unwrap();
        assert_eq!(p, 1.0 / 1000.0);
    }

    #[test]
    fn what_cannot_be_flipped() {
        assert_eq!(sign_flip_p(&[], &[], 10, 0), None);
        assert_eq!(sign_flip_p(&[1.0], &[0], 0, 0), None);
        assert_eq!(sign_flip_p(&[1.0], &[0, 1], 10, 0), None);
        assert_eq!(sign_flip_p(&[f64::NAN], &[0], 10, 0), None);
        assert_eq!(sign_flip_p(&[0.0, 0.0], &[0, 1], 10, 0), Some(1.0));
        let right: &[bool] = &[true, false];
        assert_eq!(best_by_chance(&[], &[&[]], &[], 10, 0), None);
        assert_eq!(best_by_chance(right, &[], &[0, 1], 10, 0), None);
        assert_eq!(best_by_chance(right, &[right], &[0, 1], 0, 0), None);
        assert_eq!(best_by_chance(right, &[right], &[0], 10, 0), None);
        assert_eq!(best_by_chance(right, &[right, &[true]], &[0, 1], 10, 0), None);
    }

    #[test]
    fn the_same_candidate_has_no_gain_by_chance() {
        let base = outcomes(50, 40, &mut SplitMix64::new(1));
        let same = best_by_chance(&base, &[&base, &base], &alone(50), 100, 0).unwrap();
        let none =
            ChanceGain { observed: 0.0, median: 0.0, upper: 0.0, p: 1.0, candidates: 2, hopeless: 0, examples: 50 };
        assert_eq!(same, none);
    }

    /// One candidate that differs in m examples: its sum of signs is 2 B - m, B binomial (m, 1/2).
    #[test]
    fn of_one_candidate_it_is_the_binomial_distribution() {
        let base = [false; 100];
        let mut candidate = [false; 100];
        candidate[..25].fill(true);
        let chance = best_by_chance(&base, &[&candidate], &alone(100), 20_000, 4).unwrap();
        assert_eq!((chance.observed, chance.p), (0.25, 1.0 / 20_001.0));
        // The median of B is 12 or 13; P(B <= 16) = 0.946 and P(B <= 17) = 0.978.
        assert!((chance.median - 0.01).abs() < 1e-9 || (chance.median + 0.01).abs() < 1e-9, "{chance:?}");
        assert!((chance.upper - 0.09).abs() < 1e-9, "{chance:?}");
    }

    #[test]
    fn candidates_flip_together() {
        // Copies of one candidate are one candidate; candidates that differ elsewhere are not.
        let base = vec![false; 300];
        let gains = |places: std::ops::Range<usize>| -> Vec<bool> { (0..300).map(|i| places.contains(&i)).collect() };
        let copies = vec![gains(0..30); 10];
        let apart: Vec<Vec<bool>> = (0..10).map(|i| gains(30 * i..30 * i + 30)).collect();
        let upper = |candidates: &[Vec<bool>]| {
            let candidates: Vec<&[bool]> = candidates.iter().map(Vec::as_slice).collect();
            best_by_chance(&base, &candidates, &alone(300), 5_000, 2).unwrap()
        };
        let (one, copies, apart) = (upper(&copies[..1]), upper(&copies), upper(&apart));
        assert_eq!((one.median, one.upper, one.p), (copies.median, copies.upper, copies.p));
        assert!(apart.median > copies.median + 0.02, "{apart:?} {copies:?}");
        // P(max of 10 >= s) = 1 - (1 - P(2 B - 30 >= s))^10: its median is 8 of 300.
        close(apart.median, 8.0 / 300.0, 1e-9);
    }

    /// The definition, flip by flip, with the same signs.
    #[test]
    fn it_is_its_definition() {
        let mut random = SplitMix64::new(8);
        let base = outcomes(90, 50, &mut random);
        let candidates: Vec<Vec<bool>> = (0..12).map(|_| outcomes(90, 55, &mut random)).collect();
        let candidates: Vec<&[bool]> = candidates.iter().map(Vec::as_slice).collect();
        let clusters: Vec<usize> = (0..90).map(|i| i / 2).collect();
        let (flips, seed) = (70usize, 5);
        let mut best: Vec<f64> = repeat(flips.div_ceil(LANES), seed, |mut random| {
            let signs: Vec<u64> = (0..45).map(|_| random.next_u64()).collect();
            std::array::from_fn::<f64, LANES, _>(|lane| {
                let sign = |i: usize| if signs[clusters[i]] >> lane & 1 == 1 { -1.0 } else { 1.0 };
                let gain = |candidate: &&[bool]| -> f64 {
                    (0..90).map(|i| sign(i) * (f64::from(candidate[i]) - f64::from(base[i]))).sum::<f64>() / 90.0
                };
                candidates.iter().map(gain).fold(f64::NEG_INFINITY, f64::max)
            })
        })
        .into_iter()
        .flatten()
        .take(flips)
        .collect();
        best.sort_by(f64::total_cmp);
        let chance = best_by_chance(&base, &candidates, &clusters, flips, seed).unwrap();
        close(chance.median, quantile(&best, 0.5), 1e-12);
        close(chance.upper, quantile(&best, 0.95), 1e-12);
        let extreme = best.iter().filter(|&&gain| gain >= chance.observed - 1e-9).count();
        assert_eq!(chance.p, (1 + extreme) as f64 / 71.0);
    }

    /// Where nothing differs, p is below 0.1 in a tenth of all trials.
    #[test]
    fn p_is_honest() {
        let mut random = SplitMix64::new(11);
        let trials = 200;
        let (mut one, mut many) = (0, 0);
        for trial in 0..trials {
            let base = outcomes(120, 50, &mut random);
            let candidates: Vec<Vec<bool>> = (0..8).map(|_| outcomes(120, 50, &mut random)).collect();
            let references: Vec<&[bool]> = candidates.iter().map(Vec::as_slice).collect();
            many += usize::from(best_by_chance(&base, &references, &alone(120), 199, trial).unwrap().p <= 0.1);
            let pairs = base.iter().zip(&candidates[0]);
            let differences: Vec<f64> = pairs.map(|(&b, &c)| f64::from(c) - f64::from(b)).collect();
            one += usize::from(sign_flip_p(&differences, &alone(120), 199, trial).unwrap() <= 0.1);
        }
        // 20 are expected, with a standard deviation of 4.2; ties make p larger.
        assert!((4..=34).contains(&one) && (4..=34).contains(&many), "{one} {many}");
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let mut random = SplitMix64::new(2);
        let base = outcomes(200, 50, &mut random);
        let candidate = outcomes(200, 50, &mut random);
        let differences: Vec<f64> = (0..200).map(|i| f64::from(i).sin()).collect();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let p = sign_flip_p(&differences, &alone(200), 500, 1);
                (p, best_by_chance(&base, &[&candidate], &alone(200), 500, 1))
            })
        };
        assert_eq!(with(1), with(3));
    }

    proptest! {
        #![proptest_config(laser_testing::cases())]

        /// Neither the scale nor the sign of the differences matters.
        #[test]
        fn p_is_a_probability_and_has_no_unit(
            differences in prop::collection::vec(-3i32..=3, 1..40),
            scale in prop::sample::select(vec![1e-9, 0.1, 7.0]),
        ) {
            let plain: Vec<f64> = differences.iter().map(|&d| f64::from(d)).collect();
            let scaled: Vec<f64> = plain.iter().map(|d| d * scale).collect();
            let negated: Vec<f64> = plain.iter().map(|d| -d).collect();
            let clusters: Vec<usize> = (0..plain.len()).map(|i| 1000 - i / 2).collect();
            let p = sign_flip_p(&plain, &clusters, 200, 1).unwrap();
            prop_assert!(p > 0.0 && p <= 1.0);
            prop_assert_eq!(sign_flip_p(&scaled, &clusters, 200, 1).unwrap(), p);
            prop_assert_eq!(sign_flip_p(&negated, &clusters, 200, 1).unwrap(), p);
        }
    }
}

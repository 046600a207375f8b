//! Whether a gain is only a moved threshold: predictions after a number of its own is taken off each class.
//!
//! For tasks whose examples all have the same choices, the classes 0, 1, ... `logprobs[i][c]` is the log-probability, in nats,
//! that the model gives choice c of example i. An edit that only makes one class more likely everywhere gains nothing that
//! these offsets would not gain for the base.

use super::clusters::Clusters;
use laser_example::SplitMix64;

/// How often all classes are gone through at most; every pass but the last gains at least one example.
const SWEEPS: usize = 20;

/// Gaps between breakpoints that are not wider than this, in nats, are none: rounding could put an example on either side.
const NARROW: f64 = 1e-9;

/// How far from the last breakpoint an offset lies that no other breakpoint bounds, in nats.
const CLEAR: f64 = 1.0;

/// The class with the greatest logprob\[c\] - offset\[c\] of each example, the first of equals. Offsets are in nats; a class
/// without one has 0.
pub fn recentred(logprobs: &[Vec<f64>], offsets: &[f64]) -> Vec<usize> {
    let class = |row: &Vec<f64>| arg_max(row.iter().enumerate().map(|(c, logprob)| logprob - offset(offsets, c)));
    logprobs.iter().map(class).collect()
}

/// The offset of each class, in nats, with which [`recentred`] is right on the most of these examples. That of class 0 is 0.
///
/// For two classes this is an optimum: the offset of class 1 is the middle of a gap between two examples' logprob\[1\] -
/// logprob\[0\], of all such middles with the most right the one nearest to 0. Beyond the outermost example it is 1 nat away from
/// it, or at 0 if that is further out. For more classes it is what coordinate ascent finds, which looks for the same
/// optimum a class at a time until no class alone gains anything, from no offsets or from each class's mean log-probability,
/// whichever ends with more right.
///
/// Gaps of less than 1e-9 nats are not looked at. Only as many examples are used as the shorter list has.
pub fn fit_offsets(logprobs: &[Vec<f64>], truth: &[usize]) -> Vec<f64> {
    let classes = logprobs.iter().map(Vec::len).max().unwrap_or(0);
    let zero = vec![0.0; classes];
    if classes < 2 {
        return zero;
    }
    if classes == 2 {
        return vec![0.0, line_search(logprobs, truth, &zero, 1).0];
    }
    let (from_zero, from_means) = (ascend(logprobs, truth, zero), ascend(logprobs, truth, means(logprobs, classes)));
    let (offsets, _) = if from_means.1 > from_zero.1 { from_means } else { from_zero };
    offsets.iter().map(|offset| offset - offsets[0]).collect()
}

/// The predictions of [`recentred`] where no example has a say in its own offsets: the clusters are dealt into two halves at
/// random, and each half is predicted with the offsets that [`fit_offsets`] finds on the other. `clusters[i]` is the cluster of
/// example i; the same seed deals the same halves.
///
/// None with fewer than two clusters or where lengths differ.
pub fn cross_fitted(logprobs: &[Vec<f64>], truth: &[usize], clusters: &[usize], seed: u64) -> Option<Vec<usize>> {
    if logprobs.len() != truth.len() || logprobs.len() != clusters.len() {
        return None;
    }
    let clusters = Clusters::new(clusters);
    if clusters.count < 2 {
        return None;
    }
    let mut order: Vec<usize> = (0..clusters.count).collect();
    SplitMix64::new(seed).shuffle(&mut order);
    let mut half = vec![0; clusters.count];
    for &cluster in &order[..clusters.count / 2] {
        half[cluster] = 1;
    }
    let offsets = [1, 0].map(|other| {
        let examples = (0..logprobs.len()).filter(|&i| half[clusters.of[i]] == other);
        let (rows, truth): (Vec<_>, Vec<_>) = examples.map(|i| (logprobs[i].clone(), truth[i])).unzip();
        fit_offsets(&rows, &truth)
    });
    let predict = |(row, &cluster): (&Vec<f64>, &usize)| recentred(std::slice::from_ref(row), &offsets[half[cluster]]);
    Some(logprobs.iter().zip(&clusters.of).flat_map(predict).collect())
}

/// Predictions after contextual calibration (Zhao et al. 2021, arXiv 2102.09690, W = diag(q)^-1 and b = 0): the class with the
/// greatest p\[c\] / q\[c\] of each example, the first of equals. p are the probabilities of the choices, normalised to sum to 1,
/// and q those that the model gives them without the example's content; the sums are the same for all choices and drop out, and
/// ln p\[c\] - ln q\[c\] is compared.
///
/// `content_free` are the log-probabilities for q, in nats: one row for all examples or one an example. None where it is neither or an
/// example has another number of choices than its row.
pub fn calibrated(logprobs: &[Vec<f64>], content_free: &[Vec<f64>]) -> Option<Vec<usize>> {
    if content_free.len() != 1 && content_free.len() != logprobs.len() {
        return None;
    }
    let class = |(row, content_free): (&Vec<f64>, &Vec<f64>)| {
        (row.len() == content_free.len()).then(|| arg_max(row.iter().zip(content_free).map(|(p, q)| p - q)))
    };
    logprobs.iter().zip(content_free.iter().cycle()).map(class).collect()
}

/// The place of the greatest value, the first of equals. What is not a number is never it; 0 where nothing is.
fn arg_max(values: impl Iterator<Item = f64>) -> usize {
    let start = (0, f64::NEG_INFINITY);
    values.enumerate().fold(start, |best, next| if next.1 > best.1 { next } else { best }).0
}

fn offset(offsets: &[f64], class: usize) -> f64 {
    offsets.get(class).copied().unwrap_or(0.0)
}

/// The mean of each class's finite log-probabilities; 0 where there are none.
fn means(logprobs: &[Vec<f64>], classes: usize) -> Vec<f64> {
    let mean = |class: usize| {
        let values = logprobs.iter().filter_map(|row| row.get(class)).filter(|logprob| logprob.is_finite());
        let (sum, count) = values.fold((0.0, 0usize), |(sum, count), logprob| (sum + logprob, count + 1));
        sum / count.max(1) as f64
    };
    (0..classes).map(mean).collect()
}

/// Coordinate ascent from `offsets`, to offsets and the number of examples that are right with them.
fn ascend(logprobs: &[Vec<f64>], truth: &[usize], mut offsets: Vec<f64>) -> (Vec<f64>, usize) {
    let mut right =
        recentred(logprobs, &offsets).iter().zip(truth).filter(|(predicted, truth)| predicted == truth).count();
    for _ in 0..SWEEPS {
        let before = right;
        for class in 0..offsets.len() {
            let (offset, found) = line_search(logprobs, truth, &offsets, class);
            if found > right {
                (offsets[class], right) = (offset, found);
            }
        }
        if right == before {
            break;
        }
    }
    (offsets, right)
}

/// The best offset of `class` with the others as they are, and how many examples are right with it.
///
/// An example is predicted as `class` while the offset is below logprob\[class\] - (the greatest logprob\[c\] - offset\[c\] of the
/// others), and as that other class above.
fn line_search(logprobs: &[Vec<f64>], truth: &[usize], offsets: &[f64], class: usize) -> (f64, usize) {
    let mut right = 0usize;
    let mut breakpoints: Vec<(f64, bool, bool)> = Vec::new();
    for (row, &truth) in logprobs.iter().zip(truth) {
        let others = |(c, logprob): (usize, &f64)| {
            if c == class { f64::NEG_INFINITY } else { logprob - offset(offsets, c) }
        };
        let rival = arg_max(row.iter().enumerate().map(others));
        let logprob = |c: usize| row.get(c).copied().unwrap_or(f64::NEG_INFINITY);
        let place = logprob(class) - (logprob(rival) - offset(offsets, rival));
        let (below, above) = (truth == class, truth == rival);
        if place.is_finite() {
            right += usize::from(below);
            breakpoints.push((place, below, above));
        } else {
            right += usize::from(if place > 0.0 { below } else { above });
        }
    }
    breakpoints.sort_by(|a, b| a.0.total_cmp(&b.0));
    let end = |i: usize| breakpoints.get(i).map(|breakpoint| breakpoint.0);
    let mut best = (middle(None, end(0)).unwrap_or(0.0), right);
    for (i, &(place, below, above)) in breakpoints.iter().enumerate() {
        right = right + usize::from(above) - usize::from(below);
        let Some(offset) = middle(Some(place), end(i + 1)) else { continue };
        if right > best.1 || (right == best.1 && offset.abs() < best.0.abs()) {
            best = (offset, right);
        }
    }
    best
}

/// The middle of a gap between two breakpoints; where one is missing, [`CLEAR`] of the other or 0 if that is further out. None
/// for a gap that is too narrow.
fn middle(low: Option<f64>, high: Option<f64>) -> Option<f64> {
    match (low, high) {
        (None, None) => Some(0.0),
        (None, Some(high)) => Some((high - CLEAR).min(0.0)),
        (Some(low), None) => Some((low + CLEAR).max(0.0)),
        (Some(low), Some(high)) => (high - low > NARROW).then_some(low + (high - low) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn right(predicted: &[usize], truth: &[usize]) -> usize {
        predicted.iter().zip(truth).filter(|(predicted, truth)| predicted == truth).count()
    }

    /// Two choices whose log-probabilities are `difference` apart.
    fn pairs(differences: &[f64]) -> Vec<Vec<f64>> {
        differences.iter().map(|difference| vec![-3.0, -3.0 + difference]).collect()
    }

    /// Log-probabilities of `n` examples, uniform in [-4, 0).
    fn random_rows(n: usize, classes: usize, random: &mut SplitMix64) -> Vec<Vec<f64>> {
        let mut logprob = || random.below(1 << 40) as f64 / (1u64 << 38) as f64 - 4.0;
        (0..n).map(|_| (0..classes).map(|_| logprob()).collect()).collect()
    }

    #[test]
    fn the_first_of_equals_is_predicted() {
        let rows = [vec![-1.0, -1.0], vec![-2.0, -1.0], vec![f64::NAN, -5.0], vec![f64::NEG_INFINITY; 2], vec![]];
        assert_eq!(recentred(&rows, &[0.0, 0.0]), [0, 1, 1, 0, 0]);
        assert_eq!(recentred(&rows[..2], &[0.0, 1.0]), [0, 0]);
        assert_eq!(recentred(&rows[..2], &[0.5]), [1, 1]);
    }

    #[test]
    fn of_two_classes_the_threshold_is_in_the_middle_of_its_gap() {
        assert_eq!(fit_offsets(&pairs(&[2.0, -1.0, 0.5]), &[1, 0, 0]), [0.0, 1.25]);
        // Right are 3 of 4 between 1 and 2 and between 4 and 8: the first is nearer to 0.
        assert_eq!(fit_offsets(&pairs(&[1.0, 2.0, 4.0, 8.0]), &[0, 1, 0, 1]), [0.0, 1.5]);
        // All of one class: 0 where that is clear of the last example.
        assert_eq!(fit_offsets(&pairs(&[-4.0, -3.0]), &[0, 0]), [0.0, 0.0]);
        assert_eq!(fit_offsets(&pairs(&[-4.0, 5.0]), &[0, 0]), [0.0, 6.0]);
        assert_eq!(fit_offsets(&pairs(&[-4.0, 5.0]), &[1, 1]), [0.0, -5.0]);
        // No threshold tells equals apart.
        assert_eq!(fit_offsets(&pairs(&[1.0, 1.0, 1.0]), &[0, 1, 0]), [0.0, 2.0]);
        assert_eq!(fit_offsets(&pairs(&[f64::INFINITY, f64::NEG_INFINITY]), &[0, 1]), [0.0, 0.0]);
        assert!(fit_offsets(&[], &[]).is_empty());
        assert_eq!(fit_offsets(&[vec![-1.0]], &[0]), [0.0]);
    }

    #[test]
    fn offsets_that_made_the_labels_are_found() {
        let mut random = SplitMix64::new(3);
        for offsets in [[0.0, 1.0, -0.5, 0.2], [0.0, -2.0, -1.0, 0.0]] {
            let rows = random_rows(400, 4, &mut random);
            let truth = recentred(&rows, &offsets);
            let fitted = fit_offsets(&rows, &truth);
            assert!(right(&recentred(&rows, &fitted), &truth) >= 396, "{fitted:?}");
            let far = fitted.iter().zip(offsets).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(far < 0.1, "{fitted:?}");
        }
    }

    #[test]
    fn a_moved_threshold_is_moved_back() {
        // Class 1 is three nats too likely; without that, the examples are told apart.
        let mut random = SplitMix64::new(5);
        let truth: Vec<usize> = (0..300).map(|_| random.below(2) as usize).collect();
        let differences: Vec<f64> =
            truth.iter().map(|&t| 3.0 + (2.0 * t as f64 - 1.0) + random.below(1000) as f64 / 1000.0).collect();
        let (rows, clusters) = (pairs(&differences), (0..300).collect::<Vec<_>>());
        assert_eq!(recentred(&rows, &[]), vec![1; 300]);
        assert_eq!(cross_fitted(&rows, &truth, &clusters, 1), Some(truth));
    }

    #[test]
    fn labels_without_meaning_stay_without() {
        let mut random = SplitMix64::new(6);
        let rows = random_rows(600, 2, &mut random);
        let truth: Vec<usize> = (0..600).map(|_| random.below(2) as usize).collect();
        let clusters: Vec<usize> = (0..600).collect();
        let fitted = right(&recentred(&rows, &fit_offsets(&rows, &truth)), &truth);
        let honest =
            (0..20).map(|seed| right(&cross_fitted(&rows, &truth, &clusters, seed).unwrap(), &truth)).sum::<usize>();
        assert!(fitted > 300 && honest / 20 < fitted && (260..340).contains(&(honest / 20)), "{fitted} {honest}");
    }

    #[test]
    fn what_cannot_be_dealt() {
        let rows = pairs(&[1.0, 2.0]);
        assert_eq!(cross_fitted(&rows, &[0, 1], &[4, 4], 0), None);
        assert_eq!(cross_fitted(&rows, &[0, 1], &[4], 0), None);
        assert_eq!(cross_fitted(&rows, &[0], &[4, 5], 0), None);
        assert_eq!(cross_fitted(&[], &[], &[], 0), None);
        // Each is predicted by what the other says, and it by what the first.
        assert_eq!(cross_fitted(&rows, &[0, 1], &[4, 5], 0), Some(vec![1, 0]));
    }

    #[test]
    fn calibration_divides_by_what_an_empty_content_gets() {
        // p = (0.6, 0.4) against q = (0.7, 0.3): 0.86 and 1.33. Unnormalised rows give the same.
        let row = vec![0.06f64.ln(), 0.04f64.ln()];
        let content_free = vec![0.35f64.ln(), 0.15f64.ln()];
        assert_eq!(calibrated(std::slice::from_ref(&row), std::slice::from_ref(&content_free)), Some(vec![1]));
        let rows = [row.clone(), vec![-1.0, -1.0], row.clone()];
        assert_eq!(calibrated(&rows, std::slice::from_ref(&content_free)), Some(vec![1, 1, 1]));
        assert_eq!(calibrated(&rows, &[content_free.clone(), vec![0.0, 0.0], row.clone()]), Some(vec![1, 0, 0]));
        assert_eq!(calibrated(&rows, &[content_free.clone(), content_free]), None);
        assert_eq!(calibrated(&rows, &[vec![0.0]]), None);
        assert_eq!(calibrated(&rows, &[]), None);
        assert_eq!(calibrated(&[], &[]), Some(vec![]));
    }

    /// Rows of small integers, with many equal differences, and their labels.
    fn tasks(classes: usize) -> impl Strategy<Value = (Vec<Vec<f64>>, Vec<usize>)> {
        let row = prop::collection::vec((-6i32..=0).prop_map(f64::from), classes);
        prop::collection::vec((row, 0..classes), 1..25).prop_map(|examples| examples.into_iter().unzip())
    }

    proptest! {
        #![proptest_config(laser_testing::cases())]

        /// The definition, tried one middle at a time.
        #[test]
        fn of_two_classes_no_threshold_is_better((rows, truth) in tasks(2)) {
            let mut places: Vec<f64> = rows.iter().map(|row| row[1] - row[0]).collect();
            places.sort_by(f64::total_cmp);
            places.dedup();
            let mut middles = vec![(places[0] - 1.0).min(0.0), (places[places.len() - 1] + 1.0).max(0.0)];
            middles.extend(places.windows(2).map(|gap| (gap[0] + gap[1]) / 2.0));
            let of = |offset: f64| right(&recentred(&rows, &[0.0, offset]), &truth);
            let most = middles.iter().map(|&middle| of(middle)).max().unwrap();
            let nearest = middles.iter().filter(|&&middle| of(middle) == most).map(|middle| middle.abs()).fold(9e9, f64::min);
            let offsets = fit_offsets(&rows, &truth);
            prop_assert_eq!((offsets[0], of(offsets[1]), offsets[1].abs()), (0.0, most, nearest));
            prop_assert!(places.iter().all(|&place| of(place) <= most));
        }

        #[test]
        fn offsets_never_hurt_the_examples_they_are_fitted_on((rows, truth) in tasks(4)) {
            let offsets = fit_offsets(&rows, &truth);
            prop_assert_eq!((offsets.len(), offsets[0]), (4, 0.0));
            let found = right(&recentred(&rows, &offsets), &truth);
            prop_assert!(found >= right(&recentred(&rows, &[]), &truth));
            prop_assert!(found >= (0..4).map(|c| truth.iter().filter(|&&t| t == c).count()).max().unwrap());
        }

        /// An example's own label, and those of its cluster, have no say in its prediction.
        #[test]
        fn no_example_predicts_itself((rows, truth) in tasks(3), at in any::<prop::sample::Index>(), seed in any::<u64>()) {
            let clusters: Vec<usize> = (0..rows.len()).map(|i| i / 2).collect();
            let at = at.index(rows.len());
            let mut other = truth.clone();
            for (label, cluster) in other.iter_mut().zip(&clusters) {
                if *cluster == clusters[at] {
                    *label = (*label + 1) % 3;
                }
            }
            let (before, after) = (cross_fitted(&rows, &truth, &clusters, seed), cross_fitted(&rows, &other, &clusters, seed));
            prop_assert_eq!(before.is_some(), rows.len() > 2);
            if let (Some(before), Some(after)) = (before, after) {
                prop_assert_eq!(before.len(), rows.len());
                prop_assert_eq!(before[at], after[at]);
            }
        }

        /// What all choices of an example have in common does not matter.
        #[test]
        fn a_shift_of_an_example_changes_nothing((rows, truth) in tasks(2), shift in -5i32..5) {
            let shifted: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(|l| l + f64::from(shift)).collect()).collect();
            prop_assert_eq!(fit_offsets(&rows, &truth), fit_offsets(&shifted, &truth));
            prop_assert_eq!(calibrated(&rows, &rows[..1]), calibrated(&shifted, &rows[..1]));
        }
    }
}

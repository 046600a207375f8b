//! Metrics of predicted labels, for tasks whose examples all have the same choices: the classes 0, 1, ...

use std::collections::BTreeMap;

/// How often each of the classes `0..classes` was predicted; other predictions are not counted.
pub fn histogram(predicted: &[usize], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for &class in predicted {
        if let Some(count) = counts.get_mut(class) {
            *count += 1;
        }
    }
    counts
}

/// The mean over the classes that occur in `truth` of the recall (the fraction of the class's examples that were predicted as
/// such), 0 to 1, as scikit-learn's `balanced_accuracy_score`. Always saying the same gives 1 / (number of classes).
///
/// With `weights`, example i counts `weights[i]` times. Only as many examples are looked at as the shortest list has. NaN if no
/// example counts.
pub fn balanced_accuracy(truth: &[usize], predicted: &[usize], weights: Option<&[u32]>) -> f64 {
    let tallies = tallies(truth, predicted, weights);
    mean(tallies.values().filter(|tally| tally.truth > 0).map(|tally| tally.both as f64 / tally.truth as f64))
}

/// The mean over the classes that occur in `truth` or in `predicted` of F1, 0 to 1, as scikit-learn's
/// `f1_score(average="macro", zero_division=0)`.
///
/// With `weights`, example i counts `weights[i]` times, and classes that occur only where that is 0 do not occur. Only as many
/// examples are looked at as the shortest list has. NaN if no example counts.
pub fn macro_f1(truth: &[usize], predicted: &[usize], weights: Option<&[u32]>) -> f64 {
    mean(tallies(truth, predicted, weights).values().map(Tally::f1))
}

/// F1 of the class `positive` against all others, 0 to 1: 2 (true positives) / (positives + predicted positives), 0 where
/// there are neither, as scikit-learn's `f1_score(pos_label=positive, zero_division=0)`.
///
/// Only as many examples are looked at as the shorter list has.
pub fn binary_f1(truth: &[usize], predicted: &[usize], positive: usize) -> f64 {
    tallies(truth, predicted, None).get(&positive).map_or(0.0, Tally::f1)
}

/// How often a class occurs.
#[derive(Default)]
struct Tally {
    /// In the truth.
    truth: u64,
    /// Among the predictions.
    predicted: u64,
    /// In both, at the same example.
    both: u64,
}

impl Tally {
    /// 2 p r / (p + r) with precision p = both / predicted and recall r = both / truth.
    fn f1(&self) -> f64 {
        2.0 * self.both as f64 / (self.truth + self.predicted) as f64
    }
}

/// The classes that occur at examples that count.
fn tallies(truth: &[usize], predicted: &[usize], weights: Option<&[u32]>) -> BTreeMap<usize, Tally> {
    let mut tallies: BTreeMap<usize, Tally> = BTreeMap::new();
    let examples = truth.len().min(weights.map_or(usize::MAX, <[u32]>::len));
    for (i, (&truth, &predicted)) in truth.iter().zip(predicted).enumerate().take(examples) {
        let weight = weights.map_or(1, |weights| u64::from(weights[i]));
        if weight == 0 {
            continue;
        }
        let tally = tallies.entry(truth).or_default();
        tally.truth += weight;
        if predicted == truth {
            tally.predicted += weight;
            tally.both += weight;
        } else {
            tallies.entry(predicted).or_default().predicted += weight;
        }
    }
    tallies
}

/// The mean of some numbers; NaN for none.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value;
        count += 1.0;
    }
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::close;
    use proptest::prelude::*;

    type Metric = fn(&[usize], &[usize], Option<&[u32]>) -> f64;

    const TRUTH: [usize; 6] = [0, 1, 2, 0, 1, 2];
    const PREDICTED: [usize; 6] = [0, 2, 1, 0, 0, 1];

    /// The example of scikit-learn's documentation of `f1_score`: per class 0.8, 0, 0.
    #[test]
    fn of_the_documentations_example() {
        close(macro_f1(&TRUTH, &PREDICTED, None), 0.8 / 3.0, 1e-12);
        close(balanced_accuracy(&TRUTH, &PREDICTED, None), 1.0 / 3.0, 1e-12);
        close(binary_f1(&TRUTH, &PREDICTED, 0), 0.8, 1e-12);
        assert_eq!(binary_f1(&TRUTH, &PREDICTED, 1), 0.0);
        assert_eq!(histogram(&PREDICTED, 4), [3, 2, 1, 0]);
        assert_eq!(histogram(&[7, 0], 1), [1]);
    }

    #[test]
    fn always_the_same_answer_is_worth_a_share() {
        let truth = [vec![0; 90], vec![1; 10]].concat();
        let same = [0; 100];
        assert_eq!(balanced_accuracy(&truth, &same, None), 0.5);
        close(macro_f1(&truth, &same, None), (2.0 * 0.9 / 1.9) / 2.0, 1e-12);
        assert_eq!(binary_f1(&truth, &same, 1), 0.0);
    }

    #[test]
    fn a_class_that_only_predictions_have_counts_for_f1_alone() {
        assert_eq!(balanced_accuracy(&[0, 0], &[0, 9], None), 0.5);
        close(macro_f1(&[0, 0], &[0, 9], None), (2.0 / 3.0) / 2.0, 1e-12);
    }

    #[test]
    fn of_nothing() {
        assert!(balanced_accuracy(&[], &[], None).is_nan());
        assert!(balanced_accuracy(&[1], &[1], Some(&[0])).is_nan());
        assert!(macro_f1(&[], &[], None).is_nan());
        assert_eq!(binary_f1(&[], &[], 0), 0.0);
        assert_eq!(balanced_accuracy(&[1, 0], &[1, 1], Some(&[3])), 1.0);
        assert!(histogram(&[1], 0).is_empty());
    }

    proptest! {
        #![proptest_config(laser_testing::cases())]

        /// A weight is a number of copies.
        #[test]
        fn weights_are_copies(examples in prop::collection::vec((0usize..4, 0usize..4, 0u32..4), 1..30)) {
            let truth: Vec<usize> = examples.iter().map(|e| e.0).collect();
            let predicted: Vec<usize> = examples.iter().map(|e| e.1).collect();
            let weights: Vec<u32> = examples.iter().map(|e| e.2).collect();
            let copies: Vec<(usize, usize)> =
                examples.iter().flat_map(|&(t, p, n)| std::iter::repeat_n((t, p), n as usize)).collect();
            let (copied_truth, copied_predicted): (Vec<usize>, Vec<usize>) = copies.into_iter().unzip();
            let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
            for metric in [balanced_accuracy as Metric, macro_f1] {
                let weighted = metric(&truth, &predicted, Some(&weights));
                prop_assert!(same(weighted, metric(&copied_truth, &copied_predicted, None)));
                prop_assert!(weighted.is_nan() || (0.0..=1.0).contains(&weighted));
                prop_assert_eq!(metric(&truth, &truth, None), 1.0);
            }
        }
    }
}

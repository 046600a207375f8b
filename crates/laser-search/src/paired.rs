//! What two candidates gave on the same few examples, and what that says of all.

use laser_run::statistics::clopper_pearson;
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, StudentsT};

/// What two candidates gave on the examples that both have seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Paired {
    /// Results that are right or wrong.
    Hits {
        /// How many examples.
        examples: usize,
        /// How many only the first got right.
        only_first: usize,
        /// How many only the second got right.
        only_second: usize,
    },
    /// Results that are numbers.
    Values {
        /// How many examples.
        examples: usize,
        /// Mean of the second's result less the first's.
        mean: f64,
        /// Standard error of that mean.
        error: f64,
    },
}

impl Paired {
    /// Of results in the same order; where they are `binary`, 1 is right and 0 wrong.
    pub fn of(first: &[f64], second: &[f64], binary: bool) -> Self {
        let pairs = || first.iter().zip(second);
        let examples = first.len().min(second.len());
        if binary {
            let only_first = pairs().filter(|(first, second)| first > second).count();
            let only_second = pairs().filter(|(first, second)| second > first).count();
            return Self::Hits { examples, only_first, only_second };
        }
        let n = examples as f64;
        let mean = pairs().map(|(first, second)| second - first).sum::<f64>() / n.max(1.0);
        let squares = pairs().map(|(first, second)| (second - first - mean).powi(2)).sum::<f64>();
        let error = if examples > 1 { (squares / (n - 1.0) / n).sqrt() } else { 0.0 };
        Self::Values { examples, mean, error }
    }

    /// How likely the second would look this bad or worse were it as good: the one-sided p-value of the exact sign test, or of
    /// Student's t where results are numbers.
    pub fn chance(&self) -> f64 {
        match *self {
            Self::Hits { only_first, only_second, .. } => {
                let discordant = (only_first + only_second) as u64;
                Binomial::new(0.5, discordant).map_or(1.0, |flips| flips.cdf(only_second as u64))
            }
            Self::Values { examples, mean, error } => match student(examples) {
                Some(student) if error > 0.0 => student.cdf(mean / error),
                // All differences are the same: the sign test is left.
                _ if mean < 0.0 => 0.5f64.powf(examples as f64),
                _ => 1.0,
            },
        }
    }

    /// An upper bound of the mean result of the second less that of the first that fails with probability at most `level`. Of
    /// right and wrong: the share of examples that only the second gets right less that which only the first does, each by
    /// Clopper and Pearson (1934). Of numbers: by Student's t.
    pub fn upper(&self, level: f64) -> f64 {
        match *self {
            Self::Hits { examples, only_first, only_second } => {
                clopper_pearson(only_second, examples, level / 2.0).high
                    - clopper_pearson(only_first, examples, level / 2.0).low
            }
            Self::Values { examples, mean, error } => {
                mean + student(examples).map_or(0.0, |student| student.inverse_cdf(1.0 - level)) * error
            }
        }
    }
}

fn student(examples: usize) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, examples.checked_sub(1)? as f64).ok()
}

/// At which level none of the dropped is better: one less the sum of their chances (Bonferroni).
pub fn confidence(pairs: &[Paired]) -> f64 {
    (1.0 - pairs.iter().map(Paired::chance).sum::<f64>()).max(0.0)
}

/// A common 95 % upper bound of what the dropped may be better by.
pub fn margin(pairs: &[Paired]) -> f64 {
    let level = 0.05 / pairs.len().max(1) as f64;
    pairs.iter().map(|pair| pair.upper(level)).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: f64 = 0.05;

    fn hits(examples: usize, only_first: usize, only_second: usize) -> Paired {
        Paired::Hits { examples, only_first, only_second }
    }

    #[test]
    fn what_only_the_second_gets_right_speaks_for_it() {
        let (first, second) = ([1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0]);
        let paired = Paired::of(&first, &second, true);
        assert_eq!(paired, hits(4, 1, 2));
        let other = Paired::of(&second, &first, true);
        assert!(paired.upper(LEVEL) > other.upper(LEVEL));
    }

    #[test]
    fn many_changed_answers_promise_more_than_none_and_none_more_than_lost_ones() {
        let bound = |only_first, only_second| hits(8, only_first, only_second).upper(LEVEL);
        assert!(bound(3, 2) > bound(0, 0) && bound(0, 0) > bound(2, 0));
    }

    #[test]
    fn a_loser_that_was_never_right_alone_is_hardly_better() {
        let (clear, even) = (hits(64, 20, 0), hits(8, 1, 1));
        assert!(clear.chance() < 1e-6 && (even.chance() - 0.75).abs() < 1e-12);
        assert!(clear.upper(0.05) < 0.0 && even.upper(0.05) > 0.2);
        // Eight examples that both get wrong say little of the rest.
        let unknown = hits(8, 0, 0);
        assert!((margin(&[unknown]) - (1.0 - 0.025f64.powf(0.125))).abs() < 1e-12);
        assert!(confidence(&[clear]) > 0.999_99);
        assert_eq!(confidence(&[]), 1.0);
    }

    /// scipy 1.x: `ttest_1samp([-1, -2, -3, -2.5], 0, alternative="less").pvalue` and
    /// `mean + t.ppf(0.95, 3) * sem([-1, -2, -3, -2.5])`.
    #[test]
    fn numbers_go_by_students_t() {
        let paired = Paired::of(&[5.0, 5.0, 5.0, 5.0], &[4.0, 3.0, 2.0, 2.5], false);
        assert!((paired.chance() - 0.007_793_679).abs() < 1e-8, "{}", paired.chance());
        assert!((paired.upper(0.05) - -1.120_216_698).abs() < 1e-6, "{}", paired.upper(0.05));
        let same = Paired::of(&[1.0, 2.0], &[1.0, 2.0], false);
        assert_eq!((same.chance(), same.upper(0.05)), (1.0, 0.0));
        assert_eq!(Paired::of(&[1.0, 2.0], &[0.0, 1.0], false).chance(), 0.25);
    }
}

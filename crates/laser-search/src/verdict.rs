//! Whether the chosen candidate is better than the base.

use crate::candidate::Candidate;
use crate::journal::Entry;
use crate::statistics::{Interval, mcnemar_exact, paired_bootstrap, wilson};
use laser_tasks::Score;
use serde::{Deserialize, Serialize};

/// How many times the bootstrap resamples.
const RESAMPLES: usize = 10_000;

/// `verdict.json`: base and best on both splits, and whether the difference on test is more than chance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The chosen candidate.
    pub best: Candidate,
    /// How many candidates it was chosen from.
    pub candidates: usize,
    /// The unedited model.
    pub base: Scores,
    /// The chosen candidate.
    pub edited: Scores,
    /// Edited against base on the same test examples.
    pub test: Comparison,
}

/// One model on the two splits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// On the split that the candidate was chosen on: the best of many is flattered there.
    pub validation: ScoreWithInterval,
    /// On the untouched split.
    pub test: ScoreWithInterval,
}

/// A score and how sure its accuracy is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreWithInterval {
    /// Examples, accuracy, log-loss.
    #[serde(flatten)]
    pub score: Score,
    /// 95 % Wilson interval of the accuracy, which takes the examples as independent: paraphrases of one fact are not.
    pub accuracy_interval: Interval,
}

/// Two models on the same examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Accuracy of the edited model less that of the base.
    pub accuracy_gain: f64,
    /// 95 % paired bootstrap interval of the gain; whole groups are resampled.
    pub accuracy_gain_interval: Interval,
    /// Log-loss of the edited model less that of the base, nats a token; below zero is better.
    pub log_loss_change: f64,
    /// 95 % paired bootstrap interval of the change; whole groups are resampled.
    pub log_loss_change_interval: Interval,
    /// Examples that only the edited model gets right.
    pub gained: usize,
    /// Examples that only the base gets right.
    pub lost: usize,
    /// McNemar's exact two-sided p-value of gained against lost, which takes the examples as independent: see
    /// [`Self::accuracy_gain_interval`] where they come in groups.
    pub mcnemar_p: f64,
}

/// What the accuracies on the same untouched examples say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// The interval of the gain is above 0.
    Better,
    /// It holds 0.
    NoDifference,
    /// It is below 0.
    Worse,
}

impl Comparison {
    /// Where the 95 % bootstrap interval of the accuracy gain lies.
    pub fn conclusion(&self) -> Conclusion {
        let Interval { low, high } = self.accuracy_gain_interval;
        match (low > 0.0, high < 0.0) {
            (true, _) => Conclusion::Better,
            (_, true) => Conclusion::Worse,
            _ => Conclusion::NoDifference,
        }
    }
}

/// The best entry: the most right answers, of those the lowest log-loss, of those the first.
pub fn best(entries: &[&Entry]) -> Option<usize> {
    (0..entries.len()).reduce(|best, i| {
        let (champion, challenger) = (entries[best], entries[i]);
        let better = challenger.right() > champion.right()
            || (challenger.right() == champion.right() && challenger.score.log_loss < champion.score.log_loss);
        if better { i } else { best }
    })
}

/// Judges `edited` (validation and test entry) against `base`. `groups` names the group of each test example. `None` when
/// the entries are not over those examples.
pub fn judge(base: [&Entry; 2], edited: [&Entry; 2], candidates: usize, groups: &[&str], seed: u64) -> Option<Verdict> {
    let scores =
        |[validation, test]: [&Entry; 2]| Scores { validation: with_interval(validation), test: with_interval(test) };
    Some(Verdict {
        best: edited[1].interventions.clone(),
        candidates,
        base: scores(base),
        edited: scores(edited),
        test: compare(base[1], edited[1], groups, seed)?,
    })
}

fn with_interval(entry: &Entry) -> ScoreWithInterval {
    ScoreWithInterval { score: entry.score, accuracy_interval: wilson(entry.right(), entry.score.n) }
}

fn compare(base: &Entry, edited: &Entry, groups: &[&str], seed: u64) -> Option<Comparison> {
    let pairs: Vec<(bool, bool)> = base.hits().zip(edited.hits()).collect();
    let gained = pairs.iter().filter(|&&(before, after)| after && !before).count();
    let lost = pairs.iter().filter(|&&(before, after)| before && !after).count();
    let gains: Vec<f64> = pairs.iter().map(|&(before, after)| f64::from(after) - f64::from(before)).collect();
    let changes: Vec<f64> = base.log_loss.iter().zip(&edited.log_loss).map(|(before, after)| after - before).collect();
    let clusters = numbered(groups);
    Some(Comparison {
        accuracy_gain: edited.score.accuracy - base.score.accuracy,
        accuracy_gain_interval: paired_bootstrap(&gains, &clusters, RESAMPLES, seed)?,
        log_loss_change: edited.score.log_loss - base.score.log_loss,
        log_loss_change_interval: paired_bootstrap(&changes, &clusters, RESAMPLES, seed)?,
        gained,
        lost,
        mcnemar_p: mcnemar_exact(gained, lost),
    })
}

/// The number of each group, in order of first appearance.
fn numbered(groups: &[&str]) -> Vec<usize> {
    let mut numbers = std::collections::HashMap::new();
    groups
        .iter()
        .map(|group| {
            let next = numbers.len();
            *numbers.entry(*group).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::SplitName;
    use laser_tasks::Outcome;

    fn entry(correct: &[u8], log_loss: f64) -> Entry {
        let outcomes: Vec<Outcome> = correct
            .iter()
            .map(|&bit| Outcome { correct: bit == 1, answer_logprob: -log_loss, answer_tokens: 1 })
            .collect();
        Entry::new(SplitName::Test, &Candidate::base(), &outcomes)
    }

    #[test]
    fn accuracy_decides_then_log_loss_then_order() {
        let entries = [entry(&[1, 0], 2.0), entry(&[1, 1], 3.0), entry(&[1, 1], 2.5), entry(&[1, 1], 2.5)];
        assert_eq!(best(&entries.iter().collect::<Vec<_>>()), Some(2));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn gains_and_losses_are_counted_by_example() {
        let (base, edited) = (entry(&[1, 0, 0, 0, 1], 2.0), entry(&[0, 1, 1, 1, 1], 1.5));
        let verdict = judge([&base, &base], [&edited, &edited], 7, &["a", "a", "b", "c", "d"], 0).unwrap();
        assert_eq!((verdict.test.gained, verdict.test.lost), (3, 1));
        assert!((verdict.test.accuracy_gain - 0.4).abs() < 1e-12);
        assert!((verdict.test.log_loss_change + 0.5).abs() < 1e-12);
        assert!((verdict.test.mcnemar_p - 0.625).abs() < 1e-12);
        assert_eq!(verdict.test.log_loss_change_interval, Interval { low: -0.5, high: -0.5 });
        assert_eq!(verdict.candidates, 7);
        assert_eq!(verdict.test.conclusion(), Conclusion::NoDifference);
        let (none, all) = (entry(&[0; 40], 2.0), entry(&[1; 40], 2.0));
        let groups: Vec<String> = (0..40).map(|i| i.to_string()).collect();
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let conclusion = |base, edited| judge([base, base], [edited, edited], 1, &groups, 0).unwrap().test.conclusion();
        assert_eq!(conclusion(&none, &all), Conclusion::Better);
        assert_eq!(conclusion(&all, &none), Conclusion::Worse);
    }
}

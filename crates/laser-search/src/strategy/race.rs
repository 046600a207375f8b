//! Successive halving: many candidates on few examples, the better of them on more (Jamieson and Talwalkar, arXiv 1502.07943).

use super::{Account, RaceAccount, Round, Strategy, by_score};
use crate::Result;
use crate::candidate::Candidate;
use crate::journal::{Entry, Part};
use crate::run_folder::RunFolder;
use crate::statistics::clopper_pearson;
use crate::sweep::Sweep;
use statrs::distribution::{Binomial, DiscreteCDF};

/// Examples of the first round.
const FIRST: usize = 8;
/// One candidate in so many goes on to the next round, which has twice as many examples.
const KEPT: usize = 3;
/// At least so many are scored on all examples.
const FINALISTS: usize = 16;

/// Races the candidates of the space.
#[derive(Debug, Clone, Copy)]
pub struct Race;

impl Strategy for Race {
    fn run(&self, sweep: &mut Sweep, space: &[Candidate], _: &RunFolder) -> Result<Account> {
        let race = race(sweep, space.to_vec())?;
        Ok(Account { race, ..Account::of(sweep, space) })
    }
}

/// Races the candidates of `field`; the finalists are then scored on the whole split. None where the field is empty.
pub(super) fn race(sweep: &mut Sweep, mut field: Vec<Candidate>) -> Result<Option<RaceAccount>> {
    let total = sweep.examples().len();
    let mut parts: Vec<Part> = Vec::new();
    let mut dropped: Vec<(Candidate, usize)> = Vec::new();
    let mut rounds = Vec::new();
    loop {
        let seen = parts.last().map_or(0, |part| part.1);
        let next = if seen == 0 { FIRST } else { 2 * seen };
        let last = field.len() <= FINALISTS || next >= total;
        let part = (seen, if last { total } else { next });
        let what = format!("race {}", rounds.len() + 1);
        sweep.score_part(&what, &field, part)?;
        parts.push(part);
        rounds.push(Round { candidates: field.len(), examples: part.1 });
        if last {
            break;
        }
        let kept = kept(sweep, &field, &parts, (field.len() / KEPT).max(FINALISTS));
        let (on, behind) = field.into_iter().partition(|candidate| kept.contains(candidate));
        field = on;
        dropped.extend(Vec::into_iter(behind).map(|candidate| (candidate, parts.len())));
    }
    for candidate in &field {
        sweep.join(candidate, &parts)?;
    }
    let entries = field.iter().filter_map(|candidate| sweep.entry(candidate));
    let winner = entries.min_by(|a, b| by_score(&a.score, &b.score)).map(|entry| entry.interventions.clone());
    Ok(winner.map(|winner| {
        let of = |(loser, rounds): &(Candidate, usize)| Paired::of(sweep, &winner, loser, &parts[..*rounds]);
        let pairs: Vec<Paired> = dropped.iter().filter_map(of).collect();
        RaceAccount { rounds, confidence: confidence(&pairs), margin: margin(&pairs) }
    }))
}

/// The `count` candidates to keep, by what they gave on `parts`: alternately the next most accurate and the next by log-loss. On few
/// examples log-loss tells more than accuracy, which is what counts in the end.
fn kept(sweep: &Sweep, candidates: &[Candidate], parts: &[Part], count: usize) -> Vec<Candidate> {
    let sums: Vec<(usize, f64)> = candidates
        .iter()
        .map(|candidate| {
            let entries = parts.iter().filter_map(|&part| sweep.part(candidate, part));
            entries.fold((0, 0.0), |(right, loss), it| (right + it.right(), loss + it.log_loss.iter().sum::<f64>()))
        })
        .collect();
    let mut by_log_loss: Vec<usize> = (0..sums.len()).collect();
    by_log_loss.sort_by(|&a, &b| sums[a].1.total_cmp(&sums[b].1));
    // Stable: the equally accurate stay in the order of their log-loss.
    let mut by_accuracy = by_log_loss.clone();
    by_accuracy.sort_by_key(|&i| std::cmp::Reverse(sums[i].0));
    let mut kept = Vec::with_capacity(count);
    for i in by_accuracy.into_iter().zip(by_log_loss).flat_map(|(a, b)| [a, b]) {
        if kept.len() < count && !kept.contains(&candidates[i]) {
            kept.push(candidates[i].clone());
        }
    }
    kept
}

/// The winner and a dropped candidate on the examples that both have seen.
struct Paired {
    examples: usize,
    only_winner: usize,
    only_loser: usize,
}

impl Paired {
    fn of(sweep: &Sweep, winner: &Candidate, loser: &Candidate, parts: &[Part]) -> Option<Self> {
        let mut paired = Self { examples: 0, only_winner: 0, only_loser: 0 };
        for &part in parts {
            let (winner, loser): (&Entry, &Entry) = (sweep.part(winner, part)?, sweep.part(loser, part)?);
            for (winner, loser) in winner.hits().zip(loser.hits()) {
                paired.examples += 1;
                paired.only_winner += usize::from(winner && !loser);
                paired.only_loser += usize::from(loser && !winner);
            }
        }
        Some(paired)
    }

    /// How likely the loser would look this bad or worse were it as good: the one-sided p-value of the exact sign test.
    fn chance(&self) -> f64 {
        let discordant = (self.only_winner + self.only_loser) as u64;
        Binomial::new(0.5, discordant).map_or(1.0, |flips| flips.cdf(self.only_loser as u64))
    }

    /// An upper bound of the loser's accuracy less the winner's that fails with probability at most `level`: of the share of
    /// examples that only the loser gets right less that which only the winner does, each by Clopper and Pearson (1934).
    fn upper(&self, level: f64) -> f64 {
        let n = self.examples;
        clopper_pearson(self.only_loser, n, level / 2.0).high - clopper_pearson(self.only_winner, n, level / 2.0).low
    }
}

/// At which level none of the dropped is better: one less the sum of their chances (Bonferroni).
fn confidence(pairs: &[Paired]) -> f64 {
    (1.0 - pairs.iter().map(Paired::chance).sum::<f64>()).max(0.0)
}

/// A common 95 % upper bound of what the dropped may be better by.
fn margin(pairs: &[Paired]) -> f64 {
    let level = 0.05 / pairs.len().max(1) as f64;
    pairs.iter().map(|pair| pair.upper(level)).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loser_that_was_never_right_alone_is_hardly_better() {
        let clear = Paired { examples: 64, only_winner: 20, only_loser: 0 };
        let even = Paired { examples: 8, only_winner: 1, only_loser: 1 };
        assert!(clear.chance() < 1e-6 && (even.chance() - 0.75).abs() < 1e-12);
        assert!(clear.upper(0.05) < 0.0 && even.upper(0.05) > 0.2);
        // Eight examples that both get wrong say little of the rest.
        let unknown = Paired { examples: 8, only_winner: 0, only_loser: 0 };
        assert!((margin(&[unknown]) - (1.0 - 0.025f64.powf(0.125))).abs() < 1e-12);
        assert!(confidence(&[clear]) > 0.999_99);
        assert_eq!(confidence(&[]), 1.0);
    }
}

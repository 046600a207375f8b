//! Successive halving: many candidates on few examples, the better of them on more (Jamieson and Talwalkar, arXiv 1502.07943).

use super::{Account, RaceAccount, Round, Strategy, by_score};
use crate::Result;
use crate::journal::{Entry, Part};
use crate::run_folder::RunFolder;
use crate::sweep::Sweep;
use laser_engine::Candidate;
use laser_run::statistics::clopper_pearson;
use statrs::distribution::{Binomial, DiscreteCDF};

/// Examples of the first round.
const FIRST: usize = 5;
/// One candidate in so many goes on to the next round, which has twice as many examples.
const KEPT: usize = 2;
/// How often the true gain may lie above the bound that candidates are kept by.
const LEVEL: f64 = 0.05;
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
        let kept = kept(sweep, &field, &parts, (field.len() / KEPT).max(FINALISTS))?;
        let (on, behind) = field.into_iter().partition(|candidate| kept.contains(candidate));
        field = on;
        dropped.extend(Vec::into_iter(behind).map(|candidate| (candidate, parts.len())));
    }
    for candidate in &field {
        sweep.join(candidate, &parts)?;
    }
    let finalists = field.iter().filter_map(|candidate| sweep.entry(candidate));
    let winner = finalists.min_by(|a, b| by_score(&a.score, &b.score)).map(|entry| entry.interventions.clone());
    Ok(winner.map(|winner| {
        let of = |(loser, rounds): &(Candidate, usize)| {
            let seen = &parts[..*rounds];
            Paired::of(
                entries(sweep, &winner, seen).flat_map(Entry::hits),
                entries(sweep, loser, seen).flat_map(Entry::hits),
            )
        };
        let pairs: Vec<Paired> = dropped.iter().map(of).collect();
        RaceAccount { rounds, confidence: confidence(&pairs), margin: margin(&pairs) }
    }))
}

/// The `count` candidates to keep, by what they gave on `parts`.
fn kept(sweep: &Sweep, candidates: &[Candidate], parts: &[Part], count: usize) -> Result<Vec<Candidate>> {
    let base: Vec<bool> = sweep.base()?.hits().collect();
    let order = parts.iter().flat_map(|part| &sweep.order()[part.0..part.1]);
    let base: Vec<bool> = order.filter_map(|&i| base.get(i).copied()).collect();
    let seen: Vec<Seen> = candidates
        .iter()
        .map(|candidate| {
            let entries = || entries(sweep, candidate, parts);
            let against_base = Paired::of(base.iter().copied(), entries().flat_map(Entry::hits));
            Seen { bound: against_base.upper(LEVEL), log_loss: entries().flat_map(|entry| &entry.log_loss).sum() }
        })
        .collect();
    Ok(choose(&seen, count).into_iter().map(|i| candidates[i].clone()).collect())
}

/// What the rounds so far say of a candidate.
struct Seen {
    /// How much more accurate than the unedited model it may be.
    bound: f64,
    /// Summed over the examples.
    log_loss: f64,
}

/// The numbers of `count` candidates: by turns the next two by bound, and the next by log-loss.
///
/// A bound keeps those that change many answers, though a few examples speak against them, before those that change none and so have
/// nothing to gain. Log-loss tells more on few examples, where an edit changes it at all for the better.
fn choose(seen: &[Seen], count: usize) -> Vec<usize> {
    let mut by_log_loss: Vec<usize> = (0..seen.len()).collect();
    by_log_loss.sort_by(|&a, &b| seen[a].log_loss.total_cmp(&seen[b].log_loss));
    // Stable: those of equal bounds stay in the order of their log-loss.
    let mut by_bound = by_log_loss.clone();
    by_bound.sort_by(|&a, &b| seen[b].bound.total_cmp(&seen[a].bound));
    let mut chosen = Vec::with_capacity(count);
    for i in by_bound.chunks(2).zip(by_log_loss).flat_map(|(two, one)| two.iter().copied().chain([one])) {
        if chosen.len() < count && !chosen.contains(&i) {
            chosen.push(i);
        }
    }
    chosen
}

/// What a candidate gave on parts.
fn entries<'s>(sweep: &'s Sweep, candidate: &'s Candidate, parts: &'s [Part]) -> impl Iterator<Item = &'s Entry> {
    parts.iter().filter_map(|&part| sweep.part(candidate, part))
}

/// What two candidates gave on the examples that both have seen.
struct Paired {
    examples: usize,
    only_first: usize,
    only_second: usize,
}

impl Paired {
    fn of(first: impl Iterator<Item = bool>, second: impl Iterator<Item = bool>) -> Self {
        let mut paired = Self { examples: 0, only_first: 0, only_second: 0 };
        for (first, second) in first.zip(second) {
            paired.examples += 1;
            paired.only_first += usize::from(first && !second);
            paired.only_second += usize::from(second && !first);
        }
        paired
    }

    /// How likely the second would look this bad or worse were it as good: the one-sided p-value of the exact sign test.
    fn chance(&self) -> f64 {
        let discordant = (self.only_first + self.only_second) as u64;
        Binomial::new(0.5, discordant).map_or(1.0, |flips| flips.cdf(self.only_second as u64))
    }

    /// An upper bound of the second's accuracy less the first's that fails with probability at most `level`: of the share of
    /// examples that only the second gets right less that which only the first does, each by Clopper and Pearson (1934).
    fn upper(&self, level: f64) -> f64 {
        let n = self.examples;
        clopper_pearson(self.only_second, n, level / 2.0).high - clopper_pearson(self.only_first, n, level / 2.0).low
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
    fn two_by_their_bound_then_one_by_its_log_loss() {
        let seen = [(0.1, 5.0), (0.5, 9.0), (0.3, 8.0), (0.1, 4.0), (0.0, 3.0), (0.0, 1.0)];
        let seen = seen.map(|(bound, log_loss)| Seen { bound, log_loss });
        assert_eq!(choose(&seen, 3), [1, 2, 5]);
        // Of equal bounds the lower log-loss comes first.
        assert_eq!(choose(&seen, 6), [1, 2, 5, 3, 0, 4]);
    }

    #[test]
    fn what_only_the_second_gets_right_speaks_for_it() {
        let (first, second) = ([true, false, false, true], [false, true, true, true]);
        let paired = Paired::of(first.into_iter(), second.into_iter());
        assert_eq!((paired.examples, paired.only_first, paired.only_second), (4, 1, 2));
        let other = Paired::of(second.into_iter(), first.into_iter());
        assert!(paired.upper(LEVEL) > other.upper(LEVEL));
    }

    #[test]
    fn many_changed_answers_promise_more_than_none_and_none_more_than_lost_ones() {
        let bound = |only_first, only_second| Paired { examples: 8, only_first, only_second }.upper(LEVEL);
        assert!(bound(3, 2) > bound(0, 0) && bound(0, 0) > bound(2, 0));
    }

    #[test]
    fn a_loser_that_was_never_right_alone_is_hardly_better() {
        let clear = Paired { examples: 64, only_first: 20, only_second: 0 };
        let even = Paired { examples: 8, only_first: 1, only_second: 1 };
        assert!(clear.chance() < 1e-6 && (even.chance() - 0.75).abs() < 1e-12);
        assert!(clear.upper(0.05) < 0.0 && even.upper(0.05) > 0.2);
        // Eight examples that both get wrong say little of the rest.
        let unknown = Paired { examples: 8, only_first: 0, only_second: 0 };
        assert!((margin(&[unknown]) - (1.0 - 0.025f64.powf(0.125))).abs() < 1e-12);
        assert!(confidence(&[clear]) > 0.999_99);
        assert_eq!(confidence(&[]), 1.0);
    }
}

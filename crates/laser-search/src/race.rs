//! Successive halving: many candidates on few examples, the better of them on more (Jamieson and Talwalkar, arXiv 1502.07943).

use crate::error::Result;
use crate::history::History;
use crate::job::Job;
use crate::paired::{Paired, confidence, margin};
use crate::strategy::{Course, Strategy};
use crate::within_limits::{WithinLimits, within_limits};
use laser_edit::Candidate;
use laser_run::{Entry, ExampleRange, RaceTrace, Round};
use std::collections::HashSet;

/// Examples of the first round.
const FIRST: usize = 5;
/// One candidate in so many goes on to the next round, which has twice as many examples.
const KEPT: usize = 2;
/// How often the true gain may lie above the bound that candidates are kept by.
const LEVEL: f64 = 0.05;
/// At least so many are scored on all examples, unless another number is asked for.
pub(crate) const FINALISTS: usize = 16;
/// Where candidates have to keep within limits, their costs count from the round on that starts with at most so many: measuring
/// one takes as long as scoring it on many examples.
const MEASURED: usize = 128;

/// Races candidates; the finalists are scored on the whole split.
#[derive(Debug, Clone)]
pub struct Race {
    /// What its rounds are called where progress shows.
    label: String,
    field: Vec<Candidate>,
    /// How many are scored on all examples.
    finalists: usize,
    stage: Stage,
    /// What the rounds so far were over.
    ranges: Vec<ExampleRange>,
    rounds: Vec<Round>,
    /// Those that were left behind, each with the number of rounds that it was in.
    dropped: Vec<(Candidate, usize)>,
    trace: Option<RaceTrace>,
}

/// What was asked for last.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Nothing,
    Round { last: bool },
    Finalists,
    Finished,
}

impl Race {
    /// A race of `field`.
    pub fn new(field: Vec<Candidate>) -> Self {
        Self {
            label: "round".to_owned(),
            field,
            finalists: FINALISTS,
            stage: Stage::Nothing,
            ranges: Vec::new(),
            rounds: Vec::new(),
            dropped: Vec::new(),
            trace: None,
        }
    }

    /// The same, of which `count` are scored on all examples.
    pub fn with_finalists(self, count: usize) -> Self {
        Self { finalists: count, ..self }
    }

    /// The same under another name.
    pub fn called(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// On how many examples candidates were scored, over all of them.
    pub fn evaluations(&self) -> usize {
        let of = |(round, range): (&Round, &ExampleRange)| round.candidates * range.len();
        self.rounds.iter().zip(&self.ranges).map(of).sum()
    }

    /// The next round, over twice as many examples as the one before, or over all where few candidates are left.
    fn round(&mut self, history: &History) -> Job {
        let total = history.examples();
        let seen = self.ranges.last().map_or(0, |range| range.end);
        let next = if seen == 0 { FIRST } else { 2 * seen };
        let last = self.field.len() <= self.finalists || next >= total;
        let range = ExampleRange { start: seen, end: if last { total } else { next } };
        let label = format!("{} {}", self.label, self.rounds.len() + 1);
        self.ranges.push(range);
        self.rounds.push(Round { candidates: self.field.len(), examples: range.end });
        self.stage = Stage::Round { last };
        // One round over all examples is the whole split.
        let examples = (seen > 0 || !last).then_some(range);
        Job::Score { label, candidates: self.field.clone(), examples }
    }

    /// Leaves behind those that the last round speaks against, and where few are left those that are outside the limits. Costs
    /// that have to be measured first are asked for.
    fn drop_losers(&mut self, history: &History) -> Result<Option<Job>> {
        let count = (self.field.len() / KEPT).max(self.finalists);
        let mut kept = self.ranked(history)?;
        // Those that were found to be outside the limits. Whether others are may be known when a search is run again, and counts as
        // little then.
        let mut outside = HashSet::new();
        if self.field.len() <= MEASURED {
            match within_limits(history, kept.iter().map(|&i| &self.field[i]), count) {
                WithinLimits::Unmeasured(job) => return Ok(Some(job)),
                // Where all are outside, it is told how near they come.
                WithinLimits::Known(found) if found.is_empty() => {}
                WithinLimits::Known(found) => {
                    let seen = if found.len() == count { found.last().map_or(0, |last| last + 1) } else { kept.len() };
                    outside.extend((0..seen).filter(|number| !found.contains(number)).map(|number| kept[number]));
                    kept = found.into_iter().map(|number| kept[number]).collect();
                }
            }
        }
        kept.truncate(count);
        let field = std::mem::take(&mut self.field);
        for (i, candidate) in field.into_iter().enumerate() {
            match kept.contains(&i) {
                true => self.field.push(candidate),
                // What is outside the limits was not dropped for its results.
                false if outside.contains(&i) => {}
                false => self.dropped.push((candidate, self.ranges.len())),
            }
        }
        Ok(None)
    }

    /// The numbers of the candidates, those to be kept first.
    fn ranked(&self, history: &History) -> Result<Vec<usize>> {
        let base = history.base_on(&self.ranges)?;
        let of = |candidate: &Candidate| {
            let against_base = Paired::of(&base, &history.values_on(candidate, &self.ranges), history.is_binary());
            let losses = entries(history, candidate, &self.ranges).flat_map(|entry| &entry.log_loss);
            Seen { bound: against_base.upper(LEVEL), log_loss: losses.sum() }
        };
        Ok(choose(&self.field.iter().map(of).collect::<Vec<_>>()))
    }

    /// Compares the winner with those that were dropped.
    fn finish(&mut self, history: &History) {
        self.stage = Stage::Finished;
        let finalists = self.field.iter().filter_map(|candidate| history.entry(candidate));
        let Some(winner) = finalists.min_by(|a, b| history.compare(a, b)) else { return };
        let of = |(loser, rounds): &(Candidate, usize)| {
            let seen = &self.ranges[..*rounds];
            let winner = history.values_on(&winner.interventions, seen);
            Paired::of(&winner, &history.values_on(loser, seen), history.is_binary())
        };
        let pairs: Vec<Paired> = self.dropped.iter().map(of).collect();
        let (rounds, confidence, margin) = (self.rounds.clone(), confidence(&pairs), margin(&pairs));
        self.trace = Some(RaceTrace { rounds, confidence, margin });
    }
}

impl Strategy for Race {
    fn propose(&mut self, history: &History) -> Result<Vec<Job>> {
        match self.stage {
            Stage::Nothing => {}
            Stage::Round { last: false } => {
                if let Some(job) = self.drop_losers(history)? {
                    return Ok(vec![job]);
                }
            }
            Stage::Round { last: true } => {
                // Their rounds make up the split, unless the journal holds other ranges: then they are scored as if it had none.
                let missing = |candidate: &&Candidate| history.entry(candidate).is_none();
                let missing: Vec<Candidate> = self.field.iter().filter(missing).cloned().collect();
                if !missing.is_empty() {
                    self.stage = Stage::Finalists;
                    return Ok(vec![Job::score("validation", missing)]);
                }
                self.finish(history);
                return Ok(Vec::new());
            }
            Stage::Finalists => {
                self.finish(history);
                return Ok(Vec::new());
            }
            Stage::Finished => return Ok(Vec::new()),
        }
        Ok(vec![self.round(history)])
    }

    fn course(&self) -> Course {
        Course { race: self.trace.clone(), ..Course::default() }
    }
}

/// What the rounds so far say of a candidate.
struct Seen {
    /// How much more accurate than the unedited model it may be.
    bound: f64,
    /// Summed over the examples.
    log_loss: f64,
}

/// The numbers of the candidates, those to be kept first. They are picked alternately from two rankings: two by bound, then one by log-loss.
///
/// A bound keeps those that change many answers, though a few examples speak against them, before those that change none and so have
/// nothing to gain. Log-loss tells more on few examples, where an edit changes it at all for the better.
fn choose(seen: &[Seen]) -> Vec<usize> {
    let mut by_log_loss: Vec<usize> = (0..seen.len()).collect();
    by_log_loss.sort_by(|&a, &b| seen[a].log_loss.total_cmp(&seen[b].log_loss));
    // Stable: those of equal bounds stay in the order of their log-loss.
    let mut by_bound = by_log_loss.clone();
    by_bound.sort_by(|&a, &b| seen[b].bound.total_cmp(&seen[a].bound));
    let (mut chosen, mut is_chosen) = (Vec::with_capacity(seen.len()), vec![false; seen.len()]);
    for i in by_bound.chunks(2).zip(by_log_loss).flat_map(|(two, one)| two.iter().copied().chain([one])) {
        if !std::mem::replace(&mut is_chosen[i], true) {
            chosen.push(i);
        }
    }
    chosen
}

/// What a candidate gave on some ranges.
fn entries<'a>(
    history: &History<'a>,
    candidate: &Candidate,
    ranges: &[ExampleRange],
) -> impl Iterator<Item = &'a Entry> {
    let found: Vec<&'a Entry> = ranges.iter().filter_map(|&range| history.on(candidate, range)).collect();
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, space};
    use laser_run::CostLimits;

    #[test]
    fn two_by_their_bound_then_one_by_its_log_loss() {
        let seen = [(0.1, 5.0), (0.5, 9.0), (0.3, 8.0), (0.1, 4.0), (0.0, 3.0), (0.0, 1.0)];
        let seen = seen.map(|(bound, log_loss)| Seen { bound, log_loss });
        // Of equal bounds the lower log-loss comes first.
        assert_eq!(choose(&seen), [1, 2, 5, 3, 0, 4]);
    }

    #[test]
    fn rounds_double_their_examples_and_halve_the_field() {
        let (space, mut fake) = (space(16, 5), Fake::new(100));
        let mut race = Race::new(space.clone());
        fake.run(&mut race);
        let trace = race.course().race.unwrap();
        let rounds: Vec<(usize, usize)> = trace.rounds.iter().map(|it| (it.candidates, it.examples)).collect();
        assert_eq!(rounds, [(80, 5), (40, 10), (20, 20), (16, 100)]);
        let labels: Vec<&str> = fake.asked.iter().map(|(label, ..)| label.as_str()).collect();
        assert_eq!(labels, ["round 1", "round 2", "round 3", "round 4"]);
        // No example is scored twice.
        assert_eq!(fake.asked.iter().map(|it| it.2.unwrap().start).collect::<Vec<_>>(), [0, 5, 10, 20]);
        let whole = space.iter().filter(|candidate| fake.history().entry(candidate).is_some()).count();
        assert_eq!(whole, 16);
    }

    #[test]
    fn the_best_candidate_wins() {
        let (space, mut fake) = (space(16, 5), Fake::new(200));
        fake.right(&space[41], 0.9);
        let mut race = Race::new(space.clone());
        fake.run(&mut race);
        let best = space
            .iter()
            .filter_map(|candidate| fake.history().entry(candidate))
            .min_by(|a, b| fake.history().compare(a, b));
        assert_eq!(best.unwrap().interventions, space[41]);
        let trace = race.course().race.unwrap();
        assert!((0.0..1.0).contains(&trace.margin), "{trace:?}");
    }

    #[test]
    fn a_small_field_is_scored_on_all_examples_at_once() {
        let mut fake = Fake::new(30);
        let mut race = Race::new(space(2, 2));
        fake.run(&mut race);
        assert_eq!(race.course().race.unwrap().rounds, [Round { candidates: 4, examples: 30 }]);
        let mut none = Race::new(Vec::new());
        Fake::new(30).run(&mut none);
        assert_eq!(none.course(), Course::default());
    }

    #[test]
    fn those_outside_the_limits_are_left_behind() {
        let limits = CostLimits { kl: Some(0.1), ..CostLimits::default() };
        let (space, mut fake) = (space(16, 5), Fake::new(200).within(limits));
        for (i, candidate) in space.iter().enumerate() {
            fake.costs(candidate, if i % 2 == 0 { 0.05 } else { 0.5 });
        }
        fake.right(&space[41], 0.9);
        fake.right(&space[40], 0.8);
        let mut race = Race::new(space.clone());
        fake.run(&mut race);
        assert!(fake.history().entry(&space[41]).is_none() && fake.history().entry(&space[40]).is_some());
        // Not all were measured.
        assert!((16..81).contains(&fake.measured()), "{}", fake.measured());
    }

    #[test]
    fn numbers_race_as_hits_do() {
        let (space, mut fake) = (space(16, 5), Fake::new(200).with_values());
        fake.right(&space[7], 5.0);
        let mut race = Race::new(space.clone());
        fake.run(&mut race);
        let entry = fake.history().entry(&space[7]).unwrap();
        assert!(!entry.is_binary() && entry.score.accuracy > 4.0);
        assert!(race.course().race.unwrap().confidence > 0.9);
    }
}

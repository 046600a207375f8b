//! Several reductions at once, the best few compositions of each size kept.

use crate::error::Result;
use crate::history::History;
use crate::job::Job;
use crate::pool::{Pool, joined, step};
use crate::race::{FINALISTS, Race};
use crate::strategy::{Course, Strategy};
use crate::within_limits::{WithinLimits, within_limits};
use laser_edit::Candidate;
use laser_run::Step;
use std::cmp::Ordering;
use std::collections::HashSet;

/// Beam search over compositions.
///
/// All compositions of one more reduction than those that are kept race. Of the finalists it keeps the best that are better than
/// what they were made of, and within the limits. It ends when none of them is better than all before.
pub struct Beam {
    pool: Pool,
    /// How many compositions of a size are kept.
    width: usize,
    stage: Stage,
    steps: Vec<Step>,
}

/// What has been asked for.
enum Stage {
    /// Single reductions are scored.
    Start,
    /// Compositions, each with the smaller one that it was made of, race.
    Larger {
        race: Race,
        made: Vec<(Candidate, Candidate)>,
    },
    /// The race is over.
    Raced(Vec<(Candidate, Candidate)>),
    Finished,
}

impl Beam {
    /// Composes reductions of `space` that `start`, a strategy over the same space, has scored on the whole split, and keeps
    /// `width` compositions of a size.
    pub fn new(space: Vec<Candidate>, start: Box<dyn Strategy>, width: usize) -> Self {
        Self { pool: Pool::new(space, start), width, stage: Stage::Start, steps: Vec::new() }
    }

    /// Everything of one more reduction than `kept`, with what it was made of.
    fn larger(&self, kept: &[Candidate]) -> Vec<(Candidate, Candidate)> {
        let (mut made, mut seen) = (Vec::new(), HashSet::new());
        for smaller in kept {
            for it in self.pool.members().iter().filter_map(|addition| joined(smaller, addition)) {
                if seen.insert(it.to_string()) {
                    made.push((it, smaller.clone()));
                }
            }
        }
        made
    }

    /// The best of `made` that are better than what they were made of and within the limits, or what has to be measured to know
    /// them.
    fn kept(&self, history: &History, made: &[(Candidate, Candidate)]) -> Result<Vec<Candidate>, Job> {
        let mut better: Vec<_> = made
            .iter()
            .filter_map(|(it, from)| Some((history.entry(it)?, history.entry(from)?)))
            .filter(|(it, from)| history.compare(it, from) == Ordering::Less)
            .map(|(it, _)| it)
            .collect();
        better.sort_by(|a, b| history.compare(a, b));
        match within_limits(history, better.iter().map(|entry| &entry.interventions), self.width) {
            WithinLimits::Unmeasured(job) => Err(job),
            WithinLimits::Known(found) => Ok(found.into_iter().map(|i| better[i].interventions.clone()).collect()),
        }
    }
}

impl Strategy for Beam {
    fn propose(&mut self, history: &History) -> Result<Vec<Job>> {
        loop {
            self.stage = match std::mem::replace(&mut self.stage, Stage::Finished) {
                Stage::Start => {
                    let jobs = self.pool.propose(history)?;
                    if !jobs.is_empty() {
                        self.stage = Stage::Start;
                        return Ok(jobs);
                    }
                    // Single reductions have been scored.
                    Stage::Raced(self.larger(&[Candidate::base()]))
                }
                Stage::Larger { mut race, made } => {
                    let jobs = race.propose(history)?;
                    if !jobs.is_empty() {
                        self.stage = Stage::Larger { race, made };
                        return Ok(jobs);
                    }
                    Stage::Raced(made)
                }
                Stage::Raced(made) => {
                    let kept = match self.kept(history, &made) {
                        Err(job) => {
                            self.stage = Stage::Raced(made);
                            return Ok(vec![job]);
                        }
                        Ok(kept) => kept,
                    };
                    let Some(best) = kept.first() else { return Ok(Vec::new()) };
                    if let Some(last) = self.steps.last() {
                        let (best, last) = (history.scored(best)?, history.scored(&last.interventions)?);
                        if history.compare(best, last) != Ordering::Less {
                            return Ok(Vec::new());
                        }
                    }
                    self.steps.push(step(history, best)?);
                    let made = self.larger(&kept);
                    if made.is_empty() {
                        return Ok(Vec::new());
                    }
                    let race = Race::new(made.iter().map(|(it, _)| it.clone()).collect());
                    let race = race.with_finalists(self.width.max(FINALISTS));
                    Stage::Larger { race: race.called(format!("size {}, round", self.steps.len() + 1)), made }
                }
                Stage::Finished => return Ok(Vec::new()),
            };
        }
    }

    fn course(&self) -> Course {
        Course { steps: self.steps.clone(), ..self.pool.course() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exhaustive::Exhaustive;
    use crate::fake::{Fake, space};
    use laser_run::CostLimits;

    fn beam(fake: &mut Fake, space: &[Candidate], width: usize) -> Vec<Step> {
        let mut beam = Beam::new(space.to_vec(), Box::new(Exhaustive::new(space.to_vec())), width);
        fake.run(&mut beam);
        beam.course().steps
    }

    #[test]
    fn a_wider_beam_finds_what_a_greedy_one_walks_past() {
        let (space, mut fake) = (space(4, 1), Fake::new(400));
        // The best single reduction covers what the other two share with it, and they are better together.
        fake.helps(&space[0], 0..100);
        fake.helps(&space[1], 100..190);
        fake.helps(&space[2], 190..270);
        fake.excludes(&space[0], &space[1]);
        fake.excludes(&space[0], &space[2]);
        let (narrow, wide) = (beam(&mut fake, &space, 1), beam(&mut fake, &space, 3));
        assert_eq!(narrow.last().unwrap().interventions, space[0]);
        let best = &wide.last().unwrap().interventions;
        assert_eq!(best.to_string(), joined(&space[1], &space[2]).unwrap().to_string());
        assert!(wide.windows(2).all(|two| two[0].accuracy < two[1].accuracy));
    }

    #[test]
    fn compositions_are_asked_for_once() {
        let (space, mut fake) = (space(3, 1), Fake::new(300));
        for (i, candidate) in space.iter().enumerate() {
            fake.helps(candidate, 50 * i..50 * i + 50);
        }
        let steps = beam(&mut fake, &space, 5);
        assert_eq!(steps.len(), 3);
        // Three pairs, though each could be made in two ways, then one of three, then none.
        let asked: Vec<(&str, usize)> = fake.asked.iter().map(|it| (it.0.as_str(), it.1)).collect();
        assert_eq!(asked, [("validation", 3), ("size 2, round 1", 3), ("size 3, round 1", 1)]);
    }

    #[test]
    fn no_composition_is_outside_the_limits() {
        let limits = CostLimits { kl: Some(0.25), ..CostLimits::default() };
        let (space, mut fake) = (space(4, 1), Fake::new(400).within(limits));
        for (i, candidate) in space.iter().enumerate() {
            fake.helps(candidate, 60 * i..60 * i + 60 - 10 * i);
            fake.costs(candidate, 0.1 + 0.2 * (i / 3) as f64);
        }
        let steps = beam(&mut fake, &space, 3);
        // The fourth is outside by itself, and three of the others are.
        let last = &steps.last().unwrap().interventions;
        assert_eq!(last.to_string(), joined(&space[0], &space[1]).unwrap().to_string());
        assert!(steps.iter().all(|step| fake.history().is_within_limits(&step.interventions) == Some(true)));
    }

    #[test]
    fn nothing_helps() {
        let (space, mut fake) = (space(2, 2), Fake::new(50));
        space.iter().for_each(|candidate| fake.hurts(candidate, 0..25));
        assert!(beam(&mut fake, &space, 2).is_empty());
    }
}

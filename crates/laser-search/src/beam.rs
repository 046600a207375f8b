//! Several reductions at once, the best few compositions of each size kept.

use crate::error::Result;
use crate::history::{History, by_score};
use crate::job::Job;
use crate::pool::{Pool, joined, step};
use crate::strategy::{Course, Strategy};
use laser_edit::Candidate;
use laser_run::Step;
use std::cmp::Ordering;
use std::collections::HashSet;

/// Beam search over compositions.
///
/// Of all compositions of one more reduction than those that are kept, it keeps the best that are better than what they were made
/// of. It ends when none of them is better than all before.
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
    /// Compositions, each with the smaller one that it was made of.
    Larger(Vec<(Candidate, Candidate)>),
    Finished,
}

impl Beam {
    /// Composes reductions of `space` that `start`, a strategy over the same space, has scored on the whole split, and keeps
    /// `width` compositions of a size.
    pub fn new(space: Vec<Candidate>, start: Box<dyn Strategy>, width: usize) -> Self {
        Self { pool: Pool::new(space, start), width, stage: Stage::Start, steps: Vec::new() }
    }

    /// Everything of one more reduction than `kept`.
    fn grow(&mut self, kept: &[Candidate]) -> Job {
        let (mut larger, mut seen) = (Vec::new(), HashSet::new());
        for smaller in kept {
            for it in self.pool.members().iter().filter_map(|addition| joined(smaller, addition)) {
                if seen.insert(it.to_string()) {
                    larger.push((it, smaller.clone()));
                }
            }
        }
        let candidates = larger.iter().map(|(it, _)| it.clone()).collect();
        self.stage = Stage::Larger(larger);
        Job::score(format!("beam {}", self.steps.len() + 1), candidates)
    }

    /// The best of `larger` that are better than what they were made of.
    fn kept(&self, history: &History, larger: &[(Candidate, Candidate)]) -> Vec<Candidate> {
        let mut better: Vec<_> = larger
            .iter()
            .filter_map(|(it, from)| Some((history.entry(it)?, history.entry(from)?)))
            .filter(|(it, from)| by_score(&it.score, &from.score) == Ordering::Less)
            .map(|(it, _)| it)
            .collect();
        better.sort_by(|a, b| by_score(&a.score, &b.score));
        better.truncate(self.width);
        better.into_iter().map(|entry| entry.interventions.clone()).collect()
    }
}

impl Strategy for Beam {
    fn propose(&mut self, history: &History) -> Result<Vec<Job>> {
        let kept = match std::mem::replace(&mut self.stage, Stage::Finished) {
            Stage::Start => {
                let jobs = self.pool.propose(history)?;
                if !jobs.is_empty() {
                    self.stage = Stage::Start;
                    return Ok(jobs);
                }
                vec![Candidate::base()]
            }
            Stage::Larger(larger) => {
                let kept = self.kept(history, &larger);
                let Some(best) = kept.first() else { return Ok(Vec::new()) };
                let best = step(history, best)?;
                let better = |last: &Step| {
                    best.accuracy > last.accuracy || (best.accuracy == last.accuracy && best.log_loss < last.log_loss)
                };
                if !self.steps.last().is_none_or(better) {
                    return Ok(Vec::new());
                }
                self.steps.push(best);
                kept
            }
            Stage::Finished => return Ok(Vec::new()),
        };
        Ok(vec![self.grow(&kept)])
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
        assert_eq!(asked, [("validation", 3), ("beam 1", 3), ("beam 2", 3), ("beam 3", 1), ("beam 4", 0)]);
    }

    #[test]
    fn nothing_helps() {
        let (space, mut fake) = (space(2, 2), Fake::new(50));
        space.iter().for_each(|candidate| fake.hurts(candidate, 0..25));
        assert!(beam(&mut fake, &space, 2).is_empty());
    }
}

//! Several reductions at once, found greedily (section 5 of the paper: from the last layer, and there from the smallest rho).

use crate::error::Result;
use crate::history::History;
use crate::job::Job;
use crate::pool::{Pool, joined, step};
use crate::strategy::{Course, Strategy};
use crate::within_limits::{WithinLimits, within_limits};
use laser_edit::{Candidate, Intervention};
use laser_run::Step;
use std::cmp::Ordering;

/// Adds one reduction after another.
///
/// It grows a composition from the unedited model, as the paper does, and one from the best single reduction; the better counts.
pub struct Compose {
    pool: Pool,
    stage: Stage,
    steps: Vec<Step>,
}

/// What is grown.
enum Stage {
    /// Single reductions are scored.
    Start,
    FromBase(Growth),
    /// The steps of the growth from the base, and the best single reduction, from which the other starts.
    FromBest {
        steps: Vec<Step>,
        best: Candidate,
        growth: Growth,
    },
    /// Both ends are compared.
    Comparison {
        steps: Vec<Step>,
        others: Vec<Step>,
    },
    Finished,
}

impl Compose {
    /// Composes reductions of `space` that `start`, a strategy over the same space, has scored on the whole split.
    pub fn new(space: Vec<Candidate>, start: Box<dyn Strategy>) -> Self {
        Self { pool: Pool::new(space, start), stage: Stage::Start, steps: Vec::new() }
    }
}

impl Strategy for Compose {
    fn propose(&mut self, history: &History) -> Result<Vec<Job>> {
        loop {
            let stage = std::mem::replace(&mut self.stage, Stage::Finished);
            self.stage = match stage {
                Stage::Start => {
                    let jobs = self.pool.propose(history)?;
                    if !jobs.is_empty() {
                        self.stage = Stage::Start;
                        return Ok(jobs);
                    }
                    Stage::FromBase(Growth::new(self.pool.members(), Candidate::base()))
                }
                Stage::FromBase(mut growth) => {
                    if let Some(job) = growth.propose(history)? {
                        self.stage = Stage::FromBase(growth);
                        return Ok(vec![job]);
                    }
                    let single = self.pool.members().iter().filter_map(|it| history.entry(it));
                    match single.min_by(|a, b| history.compare(a, b)) {
                        Some(best) => {
                            let best = best.interventions.clone();
                            let next = Growth::new(self.pool.members(), best.clone());
                            Stage::FromBest { steps: growth.steps, best, growth: next }
                        }
                        None => {
                            self.steps = growth.steps;
                            Stage::Finished
                        }
                    }
                }
                Stage::FromBest { steps, best, mut growth } => {
                    if let Some(job) = growth.propose(history)? {
                        self.stage = Stage::FromBest { steps, best, growth };
                        return Ok(vec![job]);
                    }
                    let mut others = vec![step(history, &best)?];
                    others.append(&mut growth.steps);
                    // The ends have been scored: they are asked for once more, so that they are surely told.
                    let ends = [&others, &steps].into_iter().filter_map(|steps| steps.last());
                    let ends = ends.map(|step| step.interventions.clone()).collect();
                    self.stage = Stage::Comparison { steps, others };
                    return Ok(vec![Job::score("compose", ends)]);
                }
                Stage::Comparison { steps, others } => {
                    if let (Some(a), Some(b)) = (steps.last(), others.last()) {
                        let ordering = better(history, &b.interventions, &a.interventions)?;
                        self.steps = if ordering == Ordering::Less { others } else { steps };
                    }
                    Stage::Finished
                }
                Stage::Finished => return Ok(Vec::new()),
            };
        }
    }

    fn course(&self) -> Course {
        Course { steps: self.steps.clone(), ..self.pool.course() }
    }
}

/// A composition that grows: goes through the pool and keeps each step that makes validation better, then takes back, one at a
/// time, steps without which it is better or as good; again, until neither changes anything.
struct Growth {
    pool: Vec<Candidate>,
    current: Candidate,
    /// As it was before the pass through the pool.
    before: Candidate,
    steps: Vec<Step>,
    phase: Phase,
    /// What is compared with the current composition, while that is scored.
    pending: Option<Candidate>,
}

/// What is tried next, by number.
enum Phase {
    Adding(usize),
    Removing(Vec<Intervention>, usize),
    Finished,
}

impl Growth {
    fn new(pool: &[Candidate], from: Candidate) -> Self {
        Self {
            pool: pool.to_vec(),
            current: from.clone(),
            before: from,
            steps: Vec::new(),
            phase: Phase::Adding(0),
            pending: None,
        }
    }

    /// The next comparison; none at the end.
    fn propose(&mut self, history: &History) -> Result<Option<Job>> {
        if let Some(tried) = self.pending.take()
            && let Some(job) = self.settle(history, tried)?
        {
            return Ok(Some(job));
        }
        while let Some(next) = self.next()? {
            if let Some(next) = next {
                let candidates = vec![next.clone(), self.current.clone()];
                self.pending = Some(next);
                return Ok(Some(Job::score("compose", candidates)));
            }
        }
        Ok(None)
    }

    /// Takes over what was tried, where it is better (or, where something was taken back, as good) and within the limits. If its
    /// cost has to be measured first, that is asked for.
    fn settle(&mut self, history: &History, tried: Candidate) -> Result<Option<Job>> {
        let ordering = better(history, &tried, &self.current)?;
        let accepted = match self.phase {
            Phase::Removing(..) => ordering != Ordering::Greater,
            _ => ordering == Ordering::Less,
        };
        if accepted {
            match within_limits(history, [&tried], 1) {
                WithinLimits::Unmeasured(job) => {
                    self.pending = Some(tried);
                    return Ok(Some(job));
                }
                WithinLimits::Known(found) if found.is_empty() => {}
                WithinLimits::Known(_) => {
                    self.steps.push(step(history, &tried)?);
                    self.current = tried;
                }
            }
        }
        Ok(None)
    }

    /// Goes on by one; none at the end, and nothing inside where there is nothing to compare.
    fn next(&mut self) -> Result<Option<Option<Candidate>>> {
        match &mut self.phase {
            Phase::Adding(i) => match self.pool.get(*i) {
                Some(addition) => {
                    *i += 1;
                    Ok(Some(joined(&self.current, addition)))
                }
                None => {
                    self.phase = Phase::Removing(self.current.interventions().to_vec(), 0);
                    Ok(Some(None))
                }
            },
            Phase::Removing(interventions, i) => match interventions.get(*i) {
                Some(removed) => {
                    *i += 1;
                    let rest = self.current.interventions().iter().filter(|it| *it != removed).cloned();
                    let smaller = Candidate::new(rest)?;
                    Ok(Some(Some(smaller).filter(|it| !it.interventions().is_empty())))
                }
                None if self.current == self.before => {
                    self.phase = Phase::Finished;
                    Ok(None)
                }
                None => {
                    self.before = self.current.clone();
                    self.phase = Phase::Adding(0);
                    Ok(Some(None))
                }
            },
            Phase::Finished => Ok(None),
        }
    }
}

/// [`Ordering::Less`] where `a` is better on validation than `b`.
fn better(history: &History, a: &Candidate, b: &Candidate) -> Result<Ordering> {
    Ok(history.compare(history.scored(a)?, history.scored(b)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exhaustive::Exhaustive;
    use crate::fake::{Fake, space};
    use laser_run::CostLimits;

    fn compose(fake: &mut Fake, space: &[Candidate]) -> Course {
        let mut compose = Compose::new(space.to_vec(), Box::new(Exhaustive::new(space.to_vec())));
        fake.run(&mut compose);
        compose.course()
    }

    #[test]
    fn what_helps_is_added_and_every_step_is_better() {
        let (space, mut fake) = (space(4, 1), Fake::new(400));
        // Two reductions help, each on examples of its own; a third only hurts.
        fake.helps(&space[1], 0..100);
        fake.helps(&space[3], 100..160);
        fake.hurts(&space[2], 160..300);
        let course = compose(&mut fake, &space);
        let names: Vec<String> = course.steps.iter().map(|step| step.interventions.to_string()).collect();
        assert_eq!(names.last().unwrap(), &joined(&space[1], &space[3]).unwrap().to_string());
        assert!(course.steps.windows(2).all(|two| two[0].accuracy < two[1].accuracy), "{:?}", course.steps);
        // From the last layer on, as in the paper; the other growth starts from the best single one.
        assert_eq!(names[0], space[3].to_string());
    }

    #[test]
    fn a_step_that_is_not_needed_any_more_is_taken_back() {
        let (space, mut fake) = (space(3, 1), Fake::new(300));
        // The last layer's reduction helps a little; the first two together help wherever it does.
        fake.helps(&space[2], 0..20);
        fake.helps(&space[1], 0..60);
        let course = compose(&mut fake, &space);
        assert_eq!(course.steps.last().unwrap().interventions, space[1]);
    }

    #[test]
    fn no_step_is_outside_the_limits() {
        let limits = CostLimits { perplexity: Some(0.2), ..CostLimits::default() };
        let (space, mut fake) = (space(4, 1), Fake::new(400).within(limits));
        for (i, candidate) in space.iter().enumerate() {
            fake.helps(candidate, 60 * i..60 * i + 60 - 10 * i);
            fake.costs(candidate, 0.1 + 0.2 * (i / 3) as f64);
        }
        let course = compose(&mut fake, &space);
        // ln 1.2 is 0.182: one of the first three, and not two.
        assert_eq!(course.steps.last().unwrap().interventions, space[0]);
        assert!(fake.measured() > 4, "what was better was measured");
    }

    #[test]
    fn nothing_helps() {
        let (space, mut fake) = (space(2, 2), Fake::new(50));
        space.iter().for_each(|candidate| fake.hurts(candidate, 0..25));
        assert_eq!(compose(&mut fake, &space), Course::default());
    }

    #[test]
    fn it_resumes_to_the_same_end() {
        let (space, mut fake) = (space(4, 2), Fake::new(200));
        for (i, candidate) in space.iter().enumerate() {
            fake.helps(candidate, 10 * i..10 * i + 15);
        }
        let whole = compose(&mut fake, &space);
        assert!(whole.steps.len() > 2);
        let scored = fake.scored();
        assert_eq!(compose(&mut fake, &space), whole);
        assert_eq!(fake.scored(), scored, "nothing is scored twice");
        for lines in [1, 5, 9] {
            fake.cut_journal(lines);
            assert_eq!(compose(&mut fake, &space), whole);
        }
    }
}

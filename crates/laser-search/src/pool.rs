//! The reductions that compositions are made of.

use crate::error::Result;
use crate::history::History;
use crate::job::Job;
use crate::strategy::{Budget, Course, Strategy};
use crate::within_limits::{WithinLimits, within_limits};
use laser_edit::Candidate;
use laser_run::Step;
use std::cmp::Ordering;

/// Single reductions that are better than the unedited model.
pub struct Pool {
    space: Vec<Candidate>,
    /// What scores single reductions.
    start: Box<dyn Strategy>,
    members: Vec<Candidate>,
}

impl Pool {
    /// Those of `space` that `start` scores on the whole split.
    pub fn new(space: Vec<Candidate>, start: Box<dyn Strategy>) -> Self {
        Self { space, start, members: Vec::new() }
    }

    /// What is to be scored before the members are known; nothing once they are.
    pub fn propose(&mut self, history: &History) -> Result<Vec<Job>> {
        let jobs = self.start.propose(history)?;
        if jobs.is_empty() {
            let base = history.scored(&Candidate::base())?;
            let helps = |candidate: &&Candidate| {
                history.entry(candidate).is_some_and(|entry| history.compare(entry, base) == Ordering::Less)
            };
            let helpful: Vec<&Candidate> = self.space.iter().filter(helps).collect();
            // What is outside the limits by itself is not made cheaper by more.
            let within = match within_limits(history, helpful.iter().copied(), helpful.len()) {
                WithinLimits::Unmeasured(job) => return Ok(vec![job]),
                WithinLimits::Known(found) => found,
            };
            self.members = within.into_iter().map(|i| helpful[i].clone()).collect();
            self.members.sort_by(|a, b| layer(b).cmp(&layer(a)).then(kept(a).total_cmp(&kept(b))));
        }
        Ok(jobs)
    }

    /// The reductions, in the paper's order: from the last layer, and there from the smallest rho.
    pub fn members(&self) -> &[Candidate] {
        &self.members
    }

    /// All single reductions.
    pub fn space(&self) -> &[Candidate] {
        &self.space
    }

    /// What the start may still spend, after one of its generations.
    pub fn budget(&mut self) -> Option<&mut Budget> {
        self.start.budget()
    }

    /// How the start went.
    pub fn course(&self) -> Course {
        self.start.course()
    }
}

fn layer(candidate: &Candidate) -> usize {
    candidate.first_edited_layer(usize::MAX)
}

/// The kept fraction of a reduction, for their order.
fn kept(candidate: &Candidate) -> f64 {
    candidate.interventions().iter().map(|it| it.edit.kept_fraction().unwrap_or(0.0)).fold(0.0, f64::max)
}

/// Both candidates' interventions; none where they edit one matrix twice.
pub fn joined(a: &Candidate, b: &Candidate) -> Option<Candidate> {
    Candidate::new(a.interventions().iter().chain(b.interventions()).cloned()).ok()
}

/// A composition that was accepted.
pub fn step(history: &History, candidate: &Candidate) -> Result<Step> {
    let score = history.scored(candidate)?.score;
    Ok(Step { interventions: candidate.clone(), accuracy: score.accuracy, log_loss: score.log_loss })
}

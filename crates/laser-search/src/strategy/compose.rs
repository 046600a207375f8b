//! Several reductions at once, found greedily (section 5 of the paper: from the last layer, and there from the smallest rho).

use super::{Account, Gradient, Race, Step, Strategy, by_score};
use crate::journal::Entry;
use crate::run_folder::RunFolder;
use crate::sweep::Sweep;
use crate::{Error, Result};
use laser_checkpoint::{Edit, Intervention};
use laser_engine::Candidate;
use std::cmp::Ordering;

/// What finds the reductions that are composed.
#[derive(Debug, Clone)]
pub enum Start {
    /// Those that a race scores on all examples.
    Race,
    /// Those that a gradient ranks first.
    Gradient(Gradient),
}

impl Start {
    /// Scores single candidates, and returns those that are better than the unedited model, in the paper's order.
    pub(super) fn pool(
        &self,
        sweep: &mut Sweep,
        space: &[Candidate],
        run: &RunFolder,
    ) -> Result<(Account, Vec<Candidate>)> {
        let account = match self {
            Start::Race => Race.run(sweep, space, run)?,
            Start::Gradient(gradient) => gradient.run(sweep, space, run)?,
        };
        let base = sweep.base()?;
        let helps = |candidate: &&Candidate| {
            sweep.entry(candidate).is_some_and(|entry| by_score(&entry.score, &base.score) == Ordering::Less)
        };
        let mut pool: Vec<Candidate> = space.iter().filter(helps).cloned().collect();
        pool.sort_by(|a, b| layer(b).cmp(&layer(a)).then(kept(a).total_cmp(&kept(b))));
        Ok((account, pool))
    }
}

fn layer(candidate: &Candidate) -> usize {
    candidate.boundary(usize::MAX)
}

/// The kept fraction of a reduction, for their order.
fn kept(candidate: &Candidate) -> f64 {
    let of = |it: &Intervention| match it.edit {
        Edit::Rho(rho) | Edit::Randomised(rho) | Edit::Blocks { rho, .. } => rho.get(),
        _ => 0.0,
    };
    candidate.interventions().iter().map(of).fold(0.0, f64::max)
}

/// Both candidates' interventions; none where they edit one matrix twice.
pub(super) fn joined(a: &Candidate, b: &Candidate) -> Option<Candidate> {
    Candidate::new(a.interventions().iter().chain(b.interventions()).copied()).ok()
}

/// Adds one reduction after another.
#[derive(Debug, Clone)]
pub struct Compose {
    /// What finds the reductions.
    pub start: Start,
}

impl Strategy for Compose {
    /// Grows a composition from the unedited model, as the paper does, and one from the best single reduction; the better counts.
    fn run(&self, sweep: &mut Sweep, space: &[Candidate], run: &RunFolder) -> Result<Account> {
        let (account, pool) = self.start.pool(sweep, space, run)?;
        let best = pool.iter().filter_map(|it| sweep.entry(it)).min_by(|a, b| by_score(&a.score, &b.score));
        let best = best.map(|entry| entry.interventions.clone());
        let mut steps = grow(sweep, &pool, Candidate::base())?;
        if let Some(best) = best {
            let mut others = vec![step(sweep, &best)?];
            others.extend(grow(sweep, &pool, best)?);
            let (Some(a), Some(b)) = (steps.last(), others.last()) else { return Ok(account) };
            if better(sweep, &b.interventions.clone(), &a.interventions.clone())? == Ordering::Less {
                steps = others;
            }
        }
        Ok(Account { steps, evaluations: account.evaluations + sweep.evaluations() - counted(&account), ..account })
    }
}

/// Goes through the pool and keeps each step that makes validation better, then takes back, one at a time, steps without which it is
/// better or as good; again, until neither changes anything.
fn grow(sweep: &mut Sweep, pool: &[Candidate], from: Candidate) -> Result<Vec<Step>> {
    let (mut current, mut steps) = (from, Vec::new());
    loop {
        let before = current.clone();
        for addition in pool {
            let Some(larger) = joined(&current, addition) else { continue };
            if better(sweep, &larger, &current)? == Ordering::Less {
                current = larger;
                steps.push(step(sweep, &current)?);
            }
        }
        for intervention in current.clone().interventions() {
            let rest = current.interventions().iter().filter(|it| *it != intervention).copied();
            let smaller = Candidate::new(rest)?;
            if !smaller.interventions().is_empty() && better(sweep, &smaller, &current)? != Ordering::Greater {
                current = smaller;
                steps.push(step(sweep, &current)?);
            }
        }
        if current == before {
            return Ok(steps);
        }
    }
}

/// What an account has counted of the sweep itself, without a backward pass.
pub(super) fn counted(account: &Account) -> usize {
    account.evaluations - account.gradient.as_ref().map_or(0, |gradient| 3 * gradient.examples)
}

/// [`Ordering::Less`] where `a` is better on validation than `b`.
fn better(sweep: &mut Sweep, a: &Candidate, b: &Candidate) -> Result<Ordering> {
    sweep.score("compose", &[a.clone(), b.clone()])?;
    Ok(by_score(&scored(sweep, a)?.score, &scored(sweep, b)?.score))
}

fn scored<'s>(sweep: &'s Sweep, candidate: &Candidate) -> Result<&'s Entry> {
    sweep.entry(candidate).ok_or(Error::NoCandidates { why: "a composition was not scored" })
}

pub(super) fn step(sweep: &Sweep, candidate: &Candidate) -> Result<Step> {
    let score = scored(sweep, candidate)?.score;
    Ok(Step { interventions: candidate.clone(), accuracy: score.accuracy, log_loss: score.log_loss })
}

//! A search by chance in place of a model: what it would ask for, and how long that takes.

use crate::chance::{Chance, Counted};
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::hurried::Hurried;
use crate::search::{Plan, choose};
use crate::strategy::Strategy;
use laser_edit::Candidate;
use laser_run::{Batch, Progress, RunWriter, Scorer, ScorerError, Silent, SplitName, TaskMembers};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

/// Validation examples that are tried under the unedited model.
const TRIED: usize = 32;

/// What a search would ask for, and how long parts of it took once.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsal {
    /// Candidates of the space.
    pub space: usize,
    /// Validation examples, and test examples.
    pub examples: [usize; 2],
    /// Validation examples that candidates are scored on, summed over the candidates, by the lowest layer that they edit; those
    /// of the unedited model under none.
    pub evaluations: BTreeMap<Option<usize>, usize>,
    /// Validation examples of a backward pass.
    pub backward: usize,
    /// Matrices that are decomposed.
    pub matrices: usize,
    /// How often costs are measured.
    pub costs: usize,
    /// Seconds that an example took under the unedited model.
    pub example_seconds: f64,
    /// Seconds that editing one matrix took.
    pub edit_seconds: f64,
    /// Seconds that measuring a cost took, if costs are measured.
    pub cost_seconds: Option<f64>,
}

/// Runs a strategy on chance, and has `scorer` do a little of what it asks for. What a strategy asks for depends on results, so the
/// search itself may need more or less. Of a budget the first rounds are rehearsed, and the rest is taken to be like them.
///
/// # Errors
/// As [`search`](crate::search()).
pub fn rehearse(
    strategy: &mut dyn Strategy,
    plan: &Plan,
    scorer: &mut dyn Scorer,
    run: &RunWriter,
    _: &dyn Progress,
) -> Result<Rehearsal> {
    let (asked, kind) = (&plan.run.search, plan.run.task.results);
    let examples = [plan.validation.len(), plan.test.len()];
    let counted = Mutex::new(Counted::default());
    let mut chance = Chance::new(kind, examples[0], asked.guards.len(), &counted);
    let mut driver = Driver::new(run, examples, kind, asked.seed, &mut chance, &Silent)?;
    driver = driver.reusing(plan.reused).over(TaskMembers::new(&asked.tasks, plan.validation));
    if asked.measures_costs() {
        driver = driver.within(asked.limits);
    }
    driver.score_base()?;
    let mut hurried = Hurried::new(strategy, &counted);
    driver.run(&mut hurried)?;
    let rest = hurried.into_rest();
    choose(&mut driver, asked)?;
    drop(driver);
    let mut counts = chance.counts();
    counts.add(&rest.counts);
    if asked.measures_costs() && asked.cost_all && asked.limits.is_none() {
        // Within limits they are measured as they are found, and are among the rest's counts.
        counts.costs = counts.costs.saturating_add(rest.whole);
    }
    if plan.check_bf16 {
        // The chosen one and the base, once more in f32.
        let base = counts.evaluations.entry(None).or_default();
        *base = base.saturating_add(2 * examples[0]);
    }

    let example_seconds = {
        let some: Vec<usize> = (0..TRIED.min(examples[0])).collect();
        time(|| score(scorer, &Candidate::base(), &some))? / some.len().max(1) as f64
    };
    let edit_seconds = match plan.space.first() {
        Some(candidate) => {
            let edited = time(|| score(scorer, candidate, &[0]))?;
            let unedited = time(|| score(scorer, &Candidate::base(), &[0]))?;
            (edited - unedited).max(0.0) / candidate.interventions().len().max(1) as f64
        }
        None => 0.0,
    };
    let mut cost_seconds = None;
    if asked.measures_costs() {
        // What is kept of the unedited model is made by the first.
        let mut measure = || scorer.cost(SplitName::Validation, &[&Candidate::base()], &Silent, &mut |_| Ok(()));
        measure().map_err(Error::Scorer)?;
        cost_seconds = Some(time(measure)?);
    }
    Ok(Rehearsal {
        space: plan.space.len(),
        examples,
        evaluations: counts.evaluations,
        backward: chance.backward(),
        matrices: chance.matrices(),
        // The chosen one's and the base's on the other half.
        costs: counts.costs.saturating_add(if asked.measures_costs() { 2 } else { 0 }),
        example_seconds,
        edit_seconds,
        cost_seconds,
    })
}

/// The seconds that work takes.
fn time(work: impl FnOnce() -> Result<(), ScorerError>) -> Result<f64> {
    let start = Instant::now();
    work().map_err(Error::Scorer)?;
    Ok(start.elapsed().as_secs_f64())
}

fn score(scorer: &mut dyn Scorer, candidate: &Candidate, examples: &[usize]) -> Result<(), ScorerError> {
    let (split, candidates) = (SplitName::Validation, [candidate]);
    let batch = Batch { candidates: &candidates, split, examples: Some(examples), exact: false };
    scorer.score(&batch, &Silent, &mut |_, _| Ok(()))
}

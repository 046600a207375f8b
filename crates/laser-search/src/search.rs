//! The main job: score candidates on validation, choose one, judge it on test.

use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::strategy::Strategy;
use laser_edit::{Candidate, Recipe};
use laser_example::Example;
use laser_run::{
    Bf16Check, Conclusion, Costs, Entries, Objective, PredictedChange, Progress, ReusedResults, RunDescription,
    RunWriter, Scorer, SearchDescription, SearchTrace, SplitName, TaskMembers, Verdict, chosen,
};
use std::collections::HashMap;

/// What a search is told, beside the strategy and the scorer.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// The candidates of the space, which the strategy was given.
    pub space: &'a [Candidate],
    /// The examples that candidates are chosen on.
    pub validation: &'a [&'a Example],
    /// The examples that only the base and the chosen candidate see.
    pub test: &'a [&'a Example],
    /// Whether the scorer compares candidates in a lower precision, so that what that changes is measured.
    pub check_bf16: bool,
    /// What was asked for, as it is noted: whether costs are measured, and what they may be.
    pub run: &'a RunDescription,
    /// What other searches have scored of the same.
    pub reused: &'a [ReusedResults],
    /// Where the shards of this search are put together: all that they have scored.
    pub shards: &'a [ReusedResults],
}

/// A finished search: everything that it computed or found in its folder.
#[derive(Debug)]
pub struct Finished {
    /// The verdict; it is not written yet, as its sentence is made elsewhere
    /// ([`RunWriter::write_verdict`]).
    pub verdict: Verdict,
    /// How the space was gone through.
    pub trace: SearchTrace,
    /// Everything that has been scored.
    pub entries: Entries,
    /// What candidates cost elsewhere, where that was measured.
    pub costs: Costs,
    /// What comparing in bf16 changed, where candidates were.
    pub bf16_checks: Option<Vec<Bf16Check>>,
    /// What candidates are compared by.
    pub objective: Objective,
    /// What gradients predicted of each candidate, where they ranked them.
    pub ranking: Option<Vec<PredictedChange>>,
}

/// Runs or resumes a search, and writes everything but `verdict.json`.
///
/// # Errors
/// The strategy or the scorer fails, there is no candidate, or the RUN folder cannot be read or written.
pub fn search(
    strategy: &mut dyn Strategy,
    plan: &Plan,
    scorer: &mut dyn Scorer,
    run: &RunWriter,
    progress: &dyn Progress,
) -> Result<Finished> {
    let asked = &plan.run.search;
    let mut driver = driver(plan, scorer, run, progress)?;
    driver.take_over(plan.shards)?;
    driver.score_base()?;
    driver.run(strategy)?;
    let trace = driver.trace(plan.space, strategy);
    run.write_trace(&trace)?;
    let best = choose(&mut driver, asked)?;

    let both = [Candidate::base(), best.clone()];
    let bf16_checks = if plan.check_bf16 { Some(driver.check_bf16(&both)?) } else { None };
    driver.score("test", SplitName::Test, &both, None)?;
    if asked.measures_costs() {
        driver.measure(SplitName::Test, std::slice::from_ref(&best))?;
    }
    let objective = driver.objective().clone();
    let (entries, costs, ranking) = driver.into_results();
    let is_calibrated = best.interventions().iter().any(|it| it.edit.is_calibrated());
    let calibration = asked.calibration.as_ref().filter(|_| is_calibrated).map(|text| text.sha256.clone());
    run.write_recipe(&Recipe { interventions: best, model: plan.run.model.files.clone(), calibration })?;
    let conclusion = Conclusion {
        entries: &entries,
        trace: &trace,
        validation: plan.validation,
        test: plan.test,
        costs: &costs,
        run: plan.run,
    };
    let verdict = conclusion.verdict().map_err(|unfit| unfit.of(run.folder()))?;
    Ok(Finished { verdict, trace, entries, costs, bf16_checks, objective, ranking })
}

/// Has a strategy score the candidates of the space, or resumes that; nothing is chosen, and the test split stays untouched.
///
/// # Errors
/// As [`search`].
pub fn score_space(
    strategy: &mut dyn Strategy,
    plan: &Plan,
    scorer: &mut dyn Scorer,
    run: &RunWriter,
    progress: &dyn Progress,
) -> Result<SearchTrace> {
    let mut driver = driver(plan, scorer, run, progress)?;
    driver.score_base()?;
    driver.run(strategy)?;
    let trace = driver.trace(plan.space, strategy);
    run.write_trace(&trace)?;
    Ok(trace)
}

/// The driver of a search.
fn driver<'a>(
    plan: &'a Plan,
    scorer: &'a mut dyn Scorer,
    run: &'a RunWriter,
    progress: &'a dyn Progress,
) -> Result<Driver<'a>> {
    run.write_examples(plan.validation, plan.test)?;
    let (examples, asked) = ([plan.validation.len(), plan.test.len()], &plan.run.search);
    let driver = Driver::new(run, examples, plan.run.task.results, asked.seed, scorer, progress)?;
    let driver = driver.reusing(plan.reused).over(TaskMembers::new(&asked.tasks, plan.validation));
    Ok(if asked.measures_costs() { driver.within(asked.limits) } else { driver })
}

/// So many of the best single edits have their cost measured.
const COSTED: usize = 16;
/// The same of the compositions of each size.
const COSTED_OF_SIZE: usize = 6;
/// So many are measured at once where the best within limits is looked for; each time twice as many.
const BATCH: usize = 8;

/// Measures the costs of the best candidates, and chooses the best one within the limits.
pub(crate) fn choose(driver: &mut Driver, asked: &SearchDescription) -> Result<Candidate> {
    let mut ranked = driver.entries().candidates();
    ranked.sort_by(|a, b| driver.objective().rank(a, b));
    let ranked: Vec<Candidate> = ranked.into_iter().map(|entry| entry.interventions.clone()).collect();
    if asked.measures_costs() {
        driver.measure(SplitName::Validation, &worth_measuring(&ranked, asked.cost_all))?;
        let is_measured = |driver: &Driver, it: &Candidate| driver.costs().get(SplitName::Validation, it).is_some();
        let mut batch = BATCH;
        while !asked.limits.is_none() {
            let within = |it: &&Candidate| driver.history().is_within_limits(it) == Some(true);
            // Whatever is better than the first that is known to be within has to be measured.
            let before: Vec<Candidate> = ranked.iter().take_while(|it| !within(it)).cloned().collect();
            let missing: Vec<Candidate> =
                before.into_iter().filter(|it| !is_measured(driver, it)).take(batch).collect();
            batch *= 2;
            if missing.is_empty() {
                break;
            }
            driver.measure(SplitName::Validation, &missing)?;
        }
    }
    chosen(driver.entries(), driver.costs(), &asked.limits, driver.objective())
        .ok_or(Error::NoCandidates { why: "nothing was asked for" })
}

/// The best of each size, or all.
fn worth_measuring(ranked: &[Candidate], all: bool) -> Vec<Candidate> {
    let mut of_size: HashMap<usize, usize> = HashMap::new();
    let is_worth = |candidate: &&Candidate| {
        let size = candidate.interventions().len();
        let count = of_size.entry(size).or_default();
        *count += 1;
        all || *count <= if size == 1 { COSTED } else { COSTED_OF_SIZE }
    };
    ranked.iter().filter(is_worth).cloned().collect()
}

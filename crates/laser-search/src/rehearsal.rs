//! A search by chance in place of a model: what it would ask for, and how long that takes.

use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::search::{Plan, choose};
use crate::strategy::Strategy;
use laser_edit::{Candidate, Intervention};
use laser_example::{Outcome, Score, SplitMix64};
use laser_run::{
    Batch, Cost, CostReport, ExampleResult, GuardResult, PassageCost, Progress, Report, ResultKind, RunWriter, Scorer,
    ScorerError, Silent, SplitName, TaskMembers,
};
use std::collections::{BTreeMap, HashSet};
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
/// search itself may need more or less.
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
    let mut chance = Chance { kind, examples: examples[0], guards: asked.guards.len(), ..Chance::default() };
    let mut driver = Driver::new(run, examples, kind, asked.seed, &mut chance, &Silent)?;
    driver = driver.reusing(plan.reused).over(TaskMembers::new(&asked.tasks, plan.validation));
    if asked.measures_costs() {
        driver = driver.within(asked.limits);
    }
    driver.score_base()?;
    driver.run(strategy)?;
    choose(&mut driver, asked)?;
    drop(driver);
    if plan.check_bf16 {
        // The chosen one and the base, once more in f32.
        *chance.evaluations.entry(None).or_default() += 2 * examples[0];
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
        evaluations: chance.evaluations,
        backward: chance.backward,
        matrices: chance.matrices.len(),
        // The chosen one's and the base's on the other half.
        costs: chance.costs + if asked.measures_costs() { 2 } else { 0 },
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

/// Scores by chance, and notes what it is asked for. Some edits help a little, most harm; what they do adds up.
#[derive(Default)]
struct Chance {
    kind: ResultKind,
    examples: usize,
    guards: usize,
    evaluations: BTreeMap<Option<usize>, usize>,
    backward: usize,
    matrices: HashSet<String>,
    costs: usize,
}

/// What every guard task is said to give.
const RIGHT_ANSWER: Outcome = Outcome { correct: true, answer_logprob: -1.0, answer_tokens: 1 };
/// The share of answers that are right without an edit.
const RIGHT: f64 = 0.3;
/// By how much an edit changes that, at most and at least.
const CHANGES: [f64; 2] = [-0.15, 0.05];

impl Chance {
    fn result(&self, candidate: &Candidate, example: usize) -> ExampleResult {
        let change = |edit: &Intervention| CHANGES[0] + (CHANGES[1] - CHANGES[0]) * uniform(&edit.to_string());
        let right = RIGHT + candidate.interventions().iter().map(change).sum::<f64>();
        let drawn = uniform(&format!("{example} {candidate}"));
        match self.kind {
            ResultKind::Binary => ExampleResult::binary(drawn < right, 2.0 - drawn),
            ResultKind::Bounded { low, high } => {
                ExampleResult::real(low + (high - low) * ((right + drawn) / 2.0).clamp(0.0, 1.0), 2.0 - drawn)
            }
            ResultKind::Real => ExampleResult::real((right + drawn) / 2.0, 2.0 - drawn),
        }
    }
}

/// A number from 0 to 1 that follows from a text.
fn uniform(text: &str) -> f64 {
    let seed = text.bytes().fold(7u64, |hash, byte| hash.wrapping_mul(1_099_511_628_211).wrapping_add(byte.into()));
    SplitMix64::new(seed).below(1 << 20) as f64 / f64::from(1 << 20)
}

impl Scorer for Chance {
    fn kind(&self) -> ResultKind {
        self.kind
    }

    fn score(&mut self, batch: &Batch, _: &dyn Progress, report: &mut Report) -> Result<(), ScorerError> {
        let all: Vec<usize> = (0..self.examples).collect();
        let examples = batch.examples.unwrap_or(&all);
        for (number, candidate) in batch.candidates.iter().enumerate() {
            *self.evaluations.entry(candidate.layers().next()).or_default() += examples.len();
            let edits = candidate.interventions().iter();
            self.matrices.extend(edits.map(|edit| format!("{} {}", edit.layer, edit.matrix)));
            report(number, examples.iter().map(|&example| self.result(candidate, example)).collect())?;
        }
        Ok(())
    }

    fn rank_by_gradient(
        &mut self,
        candidates: &[Candidate],
        examples: &[usize],
        _: &dyn Progress,
    ) -> Result<Vec<f64>, ScorerError> {
        self.backward += examples.len();
        Ok(candidates.iter().map(|candidate| uniform(&candidate.to_string())).collect())
    }

    fn cost(
        &mut self,
        split: SplitName,
        candidates: &[&Candidate],
        _: &dyn Progress,
        report: &mut CostReport,
    ) -> Result<(), ScorerError> {
        self.costs += candidates.len();
        for &candidate in candidates {
            let kl = 0.02 * candidate.interventions().len() as f64;
            report(Cost {
                split,
                interventions: candidate.clone(),
                text: vec![PassageCost { tokens: 1, nats: 2.0 + kl, kl }],
                first_token_kl: kl,
                saved_weights: 0,
                guards: vec![GuardResult { score: Score::of(&[RIGHT_ANSWER]), correct: "1".to_owned() }; self.guards],
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::space;

    #[test]
    fn chance_is_the_same_each_time_and_right_about_as_often_as_it_should() {
        let chance = Chance::default();
        let right = |candidate: &Candidate| (0..2000).filter(|&i| chance.result(candidate, i).is_right()).count();
        let base = right(&Candidate::base());
        assert!((500..700).contains(&base), "{base}");
        assert_eq!(base, right(&Candidate::base()));
        let of_edits: Vec<usize> = space(10, 4).iter().map(right).collect();
        let better = of_edits.iter().filter(|&&right| right > base + 20).count();
        assert!((2..20).contains(&better), "{of_edits:?}");
    }
}

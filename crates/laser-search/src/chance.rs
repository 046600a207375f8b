//! A scorer that computes nothing: chance says what candidates give, and what is asked for is counted.

use laser_edit::{Candidate, Intervention};
use laser_example::{Outcome, Score, SplitMix64};
use laser_run::{
    Batch, Cost, CostReport, ExampleResult, GuardResult, PassageCost, Progress, Report, ResultKind, Scorer,
    ScorerError, SplitName,
};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often something was asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Counted {
    /// Examples that candidates were scored on, summed over the candidates, by the lowest layer that they edit; those of the
    /// unedited model under none.
    pub evaluations: BTreeMap<Option<usize>, usize>,
    /// Costs.
    pub costs: usize,
}

impl Counted {
    /// What `times` as much as has come since `before` would be.
    pub fn growth(&self, before: &Self, times: f64) -> Self {
        let of = |layer: &Option<usize>| before.evaluations.get(layer).copied().unwrap_or(0);
        let more = |(layer, count): (&Option<usize>, &usize)| (*layer, grown(*count, of(layer), times));
        Self { evaluations: self.evaluations.iter().map(more).collect(), costs: grown(self.costs, before.costs, times) }
    }

    /// Adds what is counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (layer, count) in &other.evaluations {
            let sum = self.evaluations.entry(*layer).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.costs = self.costs.saturating_add(other.costs);
    }
}

/// `times` what a count has grown by since it was `before`; the largest number where that is larger.
pub fn grown(now: usize, before: usize, times: f64) -> usize {
    (now.saturating_sub(before) as f64 * times).round() as usize
}

/// What is counted, also after a panic elsewhere: numbers cannot be half written.
pub fn held(counted: &Mutex<Counted>) -> MutexGuard<'_, Counted> {
    counted.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Scores by chance, and notes what it is asked for. Some edits help a little, most harm; what they do adds up.
pub struct Chance<'a> {
    kind: ResultKind,
    examples: usize,
    guards: usize,
    counted: &'a Mutex<Counted>,
    backward: usize,
    matrices: HashSet<String>,
}

/// What every guard task is said to give.
const RIGHT_ANSWER: Outcome = Outcome { correct: true, answer_logprob: -1.0, answer_tokens: 1 };
/// The share of answers that are right without an edit.
const RIGHT: f64 = 0.3;
/// By how much an edit changes that, at most and at least.
const CHANGES: [f64; 2] = [-0.15, 0.05];

impl<'a> Chance<'a> {
    /// Over so many validation examples with results of one kind, and so many guard tasks. It counts in `counted`.
    pub fn new(kind: ResultKind, examples: usize, guards: usize, counted: &'a Mutex<Counted>) -> Self {
        Self { kind, examples, guards, counted, backward: 0, matrices: HashSet::new() }
    }

    /// What has been asked for.
    pub fn counts(&self) -> Counted {
        held(self.counted).clone()
    }

    /// Examples of a backward pass that were asked for.
    pub fn backward(&self) -> usize {
        self.backward
    }

    /// How many matrices the candidates edit.
    pub fn matrices(&self) -> usize {
        self.matrices.len()
    }

    /// What a candidate gives.
    fn drawn(&self, candidate: &Candidate) -> Drawn {
        let change = |edit: &Intervention| CHANGES[0] + (CHANGES[1] - CHANGES[0]) * uniform(&edit.to_string());
        let right = RIGHT + candidate.interventions().iter().map(change).sum::<f64>();
        Drawn { kind: self.kind, right, name: hash(&candidate.to_string()) }
    }
}

/// What chance says of one candidate.
struct Drawn {
    kind: ResultKind,
    /// The share of right answers.
    right: f64,
    /// A hash of the candidate's name.
    name: u64,
}

impl Drawn {
    fn result(&self, example: usize) -> ExampleResult {
        let drawn = share(self.name ^ SplitMix64::new(example as u64).next_u64());
        match self.kind {
            ResultKind::Binary => ExampleResult::binary(drawn < self.right, 2.0 - drawn),
            ResultKind::Bounded { low, high } => {
                let part = ((self.right + drawn) / 2.0).clamp(0.0, 1.0);
                ExampleResult::real(low + (high - low) * part, 2.0 - drawn)
            }
            ResultKind::Real => ExampleResult::real((self.right + drawn) / 2.0, 2.0 - drawn),
        }
    }
}

/// The same of every build, as the standard library's is not.
fn hash(text: &str) -> u64 {
    text.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(1_099_511_628_211).wrapping_add(byte.into()))
}

/// A number from 0 to 1 that follows from a text.
fn uniform(text: &str) -> f64 {
    share(hash(text))
}

/// The same of its hash.
fn share(hash: u64) -> f64 {
    SplitMix64::new(hash).below(1 << 20) as f64 / f64::from(1 << 20)
}

impl Scorer for Chance<'_> {
    fn kind(&self) -> ResultKind {
        self.kind
    }

    fn score(&mut self, batch: &Batch, _: &dyn Progress, report: &mut Report) -> Result<(), ScorerError> {
        let all: Vec<usize> = (0..self.examples).collect();
        let examples = batch.examples.unwrap_or(&all);
        for (number, candidate) in batch.candidates.iter().enumerate() {
            *held(self.counted).evaluations.entry(candidate.layers().next()).or_default() += examples.len();
            let edits = candidate.interventions().iter();
            self.matrices.extend(edits.map(|edit| format!("{} {}", edit.layer, edit.matrix)));
            let drawn = self.drawn(candidate);
            report(number, examples.iter().map(|&example| drawn.result(example)).collect())?;
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
        held(self.counted).costs += candidates.len();
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
        let counted = Mutex::new(Counted::default());
        let chance = Chance::new(ResultKind::Binary, 2000, 0, &counted);
        let right = |candidate: &Candidate| {
            let drawn = chance.drawn(candidate);
            (0..2000).filter(|&i| drawn.result(i).is_right()).count()
        };
        let base = right(&Candidate::base());
        assert!((500..700).contains(&base), "{base}");
        assert_eq!(base, right(&Candidate::base()));
        let of_edits: Vec<usize> = space(10, 4).iter().map(right).collect();
        let better = of_edits.iter().filter(|&&right| right > base + 20).count();
        assert!((2..20).contains(&better), "{of_edits:?}");
    }

    #[test]
    fn a_result_follows_from_the_example_and_the_candidate_together() {
        let counted = Mutex::new(Counted::default());
        let chance = Chance::new(ResultKind::Binary, 20, 0, &counted);
        let losses = |candidate: &Candidate| {
            let drawn = chance.drawn(candidate);
            (0..20).map(|example| drawn.result(example).log_loss).collect::<Vec<f64>>()
        };
        let mut all: Vec<f64> = space(2, 2).iter().flat_map(losses).collect();
        let count = all.len();
        all.sort_by(f64::total_cmp);
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn counts_grow_in_proportion_and_do_not_overflow() {
        let of = |low, high, costs| Counted { evaluations: BTreeMap::from([(None, low), (Some(3), high)]), costs };
        let mut counted = of(10, 100, 4);
        assert_eq!(counted.growth(&of(10, 40, 2), 2.5), of(0, 150, 5));
        counted.add(&of(usize::MAX, 1, usize::MAX));
        assert_eq!(counted, of(usize::MAX, 101, usize::MAX));
        assert_eq!(counted.growth(&Counted::default(), 1e30).costs, usize::MAX);
    }
}

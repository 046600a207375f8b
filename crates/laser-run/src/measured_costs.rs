//! All costs of a search: `costs.jsonl`.

use crate::cost::{Cost, GuardResult, PassageCost};
use crate::entry::SplitName;
use crate::expected_lines::ExpectedLines;
use crate::log::Log;
use laser_edit::Candidate;
use std::collections::HashMap;

/// All costs that have been measured, found by candidate.
#[derive(Debug, Default, Clone)]
pub struct Costs {
    all: Vec<Cost>,
    index: HashMap<(SplitName, String), usize>,
}

impl Costs {
    /// All, in the order in which they were measured.
    pub fn all(&self) -> &[Cost] {
        &self.all
    }

    /// What a candidate costs on one half.
    pub fn get(&self, split: SplitName, candidate: &Candidate) -> Option<&Cost> {
        self.index.get(&(split, candidate.to_string())).map(|&number| &self.all[number])
    }
}

impl Log for Costs {
    type Line = Cost;
    const NAME: &'static str = "a cost";

    fn push(&mut self, cost: Cost) {
        self.index.insert((cost.split, cost.interventions.to_string()), self.all.len());
        self.all.push(cost);
    }

    fn flaw(cost: &Cost) -> Option<&'static str> {
        let finite = |it: &PassageCost| it.tokens > 0 && it.nats.is_finite() && it.kl >= 0.0;
        let whole = |guard: &GuardResult| {
            let right = guard.correct.bytes().filter(|&byte| byte == b'1').count();
            let n = guard.correct.len();
            let plain = guard.correct.bytes().all(|byte| byte == b'0' || byte == b'1');
            let follows = (right as f64 / n as f64 - guard.score.accuracy).abs() < 1e-9;
            plain && n == guard.score.n && n > 0 && follows && guard.score.log_loss.is_finite()
        };
        if !cost.text.iter().all(finite) || !cost.first_token_kl.is_finite() || !cost.kl().is_finite() {
            Some("a value is not a finite number")
        } else if !cost.guards.iter().all(whole) {
            Some("a guard task's score does not follow from its examples")
        } else {
            None
        }
    }

    fn misfit(&self, cost: &Cost, expected: &ExpectedLines) -> Option<String> {
        let (found, asked) = (cost.guards.len(), expected.run.search.guards.len());
        // A caller of the library may describe none.
        if asked > 0 && found != asked {
            return Some(format!("it has {found} guard tasks, and run.json names {asked}"));
        }
        let tokens = |cost: &Cost| cost.text.iter().map(|passage| passage.tokens).collect::<Vec<_>>();
        let base = self.get(cost.split, &Candidate::base());
        if base.is_some_and(|base| tokens(base) != tokens(cost)) {
            return Some("its passages are not those of the unedited model's line".to_owned());
        }
        if self.get(cost.split, &cost.interventions).is_some_and(|earlier| earlier != cost) {
            return Some(format!("{} was measured before, with other results", cost.interventions));
        }
        expected.misfit(&cost.interventions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_finite() {
        let cost = |nats: f64| Cost {
            split: SplitName::Validation,
            interventions: Candidate::base(),
            text: vec![PassageCost { tokens: 3, nats, kl: 0.3 }],
            first_token_kl: 0.2,
            saved_weights: 0,
            guards: Vec::new(),
        };
        assert_eq!(Costs::flaw(&cost(6.0)), None);
        assert!(Costs::flaw(&cost(f64::NAN)).is_some());
    }
}

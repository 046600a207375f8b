//! All costs of a search: `costs.jsonl`.

use crate::cost::{Cost, GuardResult, PassageCost};
use crate::entry::SplitName;
use crate::expected_lines::ExpectedLines;
use crate::log::Log;
use laser_edit::Candidate;
use std::collections::HashMap;

/// No prediction costs more nats a token.
const MOST_NATS: f64 = 1e6;
/// No passage is longer.
const MOST_TOKENS: usize = 1 << 30;
/// No model has more weights.
const MOST_WEIGHTS: u64 = 1 << 53;

/// All costs that have been measured, found by candidate.
#[derive(Debug, Default, Clone)]
pub struct Costs {
    all: Vec<Cost>,
    index: HashMap<(SplitName, String), usize>,
    /// The first line of each half: all others are over the same passages.
    first: HashMap<SplitName, usize>,
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
        self.first.entry(cost.split).or_insert(self.all.len());
        self.all.push(cost);
    }

    fn flaw(cost: &Cost) -> Option<&'static str> {
        let passage = |it: &PassageCost| {
            let most = MOST_NATS * it.tokens as f64;
            (1..=MOST_TOKENS).contains(&it.tokens) && (-1e-3..=most).contains(&it.nats) && (0.0..=most).contains(&it.kl)
        };
        let first_token = (-1e-3..=MOST_NATS).contains(&cost.first_token_kl);
        let whole = |guard: &GuardResult| {
            let right = guard.correct.bytes().filter(|&byte| byte == b'1').count();
            let n = guard.correct.len();
            let plain = guard.correct.bytes().all(|byte| byte == b'0' || byte == b'1');
            let follows = (right as f64 / n as f64 - guard.score.accuracy).abs() < 1e-9;
            plain && n == guard.score.n && n > 0 && follows && guard.score.log_loss.is_finite()
        };
        if !cost.text.iter().all(passage) || !first_token || cost.saved_weights > MOST_WEIGHTS {
            Some("it has a value that cannot be")
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
        if cost.text.is_empty() && expected.run.search.text.is_some() {
            return Some("it has no passage of the text that run.json names".to_owned());
        }
        let tokens = |cost: &Cost| cost.text.iter().map(|passage| passage.tokens).collect::<Vec<_>>();
        let first = self.first.get(&cost.split).map(|&number| &self.all[number]);
        if first.is_some_and(|first| tokens(first) != tokens(cost)) {
            return Some("its passages are not those of the lines before".to_owned());
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
    fn values_are_possible_ones() {
        let cost = |nats: f64| Cost {
            split: SplitName::Validation,
            interventions: Candidate::base(),
            text: vec![PassageCost { tokens: 3, nats, kl: 0.3 }],
            first_token_kl: 0.2,
            saved_weights: 0,
            guards: Vec::new(),
        };
        assert_eq!(Costs::flaw(&cost(6.0)), None);
        for nats in [f64::NAN, f64::INFINITY, 1e308, -1e308, -1.0] {
            assert!(Costs::flaw(&cost(nats)).is_some(), "{nats}");
        }
        let of_text = |tokens, kl| Cost { text: vec![PassageCost { tokens, nats: 6.0, kl }], ..cost(6.0) };
        assert!(Costs::flaw(&of_text(usize::MAX, 0.3)).is_some());
        assert!(Costs::flaw(&of_text(3, 1e308)).is_some());
        assert!(Costs::flaw(&Cost { first_token_kl: -1e308, ..cost(6.0) }).is_some());
        assert!(Costs::flaw(&Cost { saved_weights: u64::MAX, ..cost(6.0) }).is_some());
    }
}

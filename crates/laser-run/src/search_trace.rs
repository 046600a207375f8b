//! What a strategy did: `strategy.json`.

use crate::example_range::race_order;
use laser_edit::Candidate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a search went through its space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchTrace {
    /// Candidates in the space.
    pub space: usize,
    /// How many of them were dropped before they were scored on all validation examples.
    pub dropped: usize,
    /// Validation examples.
    pub examples: usize,
    /// Examples that candidates were scored on, summed over the candidates; an example of a backward pass counts three times.
    pub evaluations: usize,
    /// Where candidates raced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<RaceTrace>,
    /// Where gradients ranked candidates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient: Option<GradientTrace>,
    /// Where reductions were composed, the accepted steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// A race's course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RaceTrace {
    /// The rounds; the last is over all examples.
    pub rounds: Vec<Round>,
    /// At which level of confidence, from 0 to 1, none of the dropped candidates is better than the
    /// winner.
    pub confidence: f64,
    /// At a level of 95 %, by how much accuracy the best of them may be better, as a fraction.
    pub margin: f64,
}

/// A round of a race.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Round {
    /// Candidates in it.
    pub candidates: usize,
    /// Examples that each has seen at its end.
    pub examples: usize,
}

/// A ranking by gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GradientTrace {
    /// Examples of the backward pass.
    pub examples: usize,
    /// How many of the first candidates raced.
    pub raced: usize,
    /// Against an exhaustive search, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<Recall>,
}

/// How well a ranking finds what an exhaustive search finds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recall {
    /// Of the ten most accurate candidates, how many are among the raced.
    pub of_best_10: usize,
    /// The rank, from 1, of the most accurate candidate.
    pub rank_of_best: usize,
    /// Spearman's correlation, from -1 to 1, of the predicted change of the loss and that of the
    /// log-loss.
    pub spearman: f64,
}

/// An accepted step of a composition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// What was composed so far.
    pub interventions: Candidate,
    /// Its validation accuracy, as a fraction.
    pub accuracy: f64,
    /// Its log-loss there, nats per token.
    pub log_loss: f64,
}

impl SearchTrace {
    /// Whether candidates were made, or ranked, by what others gave on all of validation: how much the best of them shows there by
    /// chance is then not known.
    pub fn is_adaptive(&self) -> bool {
        self.gradient.is_some() || !self.steps.is_empty()
    }

    /// The numbers, in rising order, of the validation examples that a race's last round alone was
    /// over, and which so had no part in dropping candidates. None where none were dropped by
    /// rounds. `examples` are on validation, `seed` is the search's.
    pub fn last_round(&self, examples: usize, seed: u64) -> Option<Vec<usize>> {
        let [.., before, last] = self.race.as_ref()?.rounds.as_slice() else { return None };
        let order = race_order(examples, seed);
        let mut numbers = order.get(before.examples..last.examples)?.to_vec();
        numbers.sort_unstable();
        (!numbers.is_empty()).then_some(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_round_has_the_examples_that_no_other_had() {
        let rounds = |sizes: &[usize]| SearchTrace {
            space: 40,
            dropped: 24,
            examples: 30,
            evaluations: 0,
            race: Some(RaceTrace {
                rounds: sizes.iter().map(|&examples| Round { candidates: 16, examples }).collect(),
                confidence: 0.5,
                margin: 0.1,
            }),
            gradient: None,
            steps: Vec::new(),
        };
        let fresh = rounds(&[5, 10, 30]).last_round(30, 3).unwrap();
        let order = race_order(30, 3);
        assert_eq!(fresh.len(), 20);
        assert!(fresh.is_sorted() && fresh.iter().all(|number| !order[..10].contains(number)));
        // One round drops nothing; a trace that is wrong has none.
        assert_eq!(rounds(&[30]).last_round(30, 3), None);
        assert_eq!(rounds(&[20, 40]).last_round(30, 3), None);
        assert_eq!(rounds(&[30, 30]).last_round(30, 3), None);
    }
}

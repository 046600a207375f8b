//! What a strategy did: `strategy.json`.

use laser_edit::Candidate;
use serde::{Deserialize, Serialize};

/// How a search went through its space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RaceTrace {
    /// The rounds; the last is over all examples.
    pub rounds: Vec<Round>,
    /// At which level of confidence none of the dropped candidates is better than the winner.
    pub confidence: f64,
    /// At a level of 95 %, by how much accuracy the best of them may be better.
    pub margin: f64,
}

/// A round of a race.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Candidates in it.
    pub candidates: usize,
    /// Examples that each has seen at its end.
    pub examples: usize,
}

/// A ranking by gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// Of the ten most accurate candidates, how many are among the raced.
    pub of_best_10: usize,
    /// The rank, from 1, of the most accurate candidate.
    pub rank_of_best: usize,
    /// Spearman's correlation of the predicted change of the loss and that of the log-loss.
    pub spearman: f64,
}

/// An accepted step of a composition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What was composed so far.
    pub interventions: Candidate,
    /// Its validation accuracy.
    pub accuracy: f64,
    /// Its log-loss there, nats a token.
    pub log_loss: f64,
}

impl SearchTrace {
    /// Whether what candidates gave on validation decided which were scored there: how much the best of them shows by chance is
    /// then not known.
    pub fn is_adaptive(&self) -> bool {
        self.dropped > 0 || !self.steps.is_empty()
    }
}

//! What the shards of a search have found of single reductions.

use crate::error::Result;
use crate::history::History;
use crate::job::Job;
use crate::strategy::{Course, Strategy};
use laser_edit::Candidate;
use laser_run::{GradientTrace, RaceTrace, ReusedResults, Round, RunFolder};
use std::collections::BTreeMap;

/// Takes over the candidates that shards have scored on all examples: of each one's race the finalists, so that they are
/// compared in one last round.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    finalists: Vec<Candidate>,
    course: Course,
    is_asked: bool,
}

impl Merged {
    /// Of the shards in `folders`, whose results these are.
    ///
    /// # Errors
    /// What a shard's strategy did cannot be read.
    pub fn new(folders: &[RunFolder], results: &[ReusedResults]) -> Result<Self> {
        let scored = results.iter().flat_map(|it| it.entries().candidates());
        let finalists = scored.map(|entry| entry.interventions.clone()).collect();
        let traces = folders.iter().map(|folder| Ok(folder.trace()?)).collect::<Result<Vec<_>>>()?;
        let traces: Vec<_> = traces.into_iter().flatten().collect();
        let races: Vec<RaceTrace> = traces.iter().filter_map(|trace| trace.race.clone()).collect();
        let gradients: Vec<GradientTrace> = traces.into_iter().filter_map(|trace| trace.gradient).collect();
        let gradient = gradients.iter().cloned().reduce(|a, b| GradientTrace {
            examples: a.examples + b.examples,
            raced: a.raced + b.raced,
            recall: None,
        });
        let course = Course { race: together(&races), gradient, steps: Vec::new() };
        Ok(Self { finalists, course, is_asked: false })
    }
}

/// Races of different candidates as one: of each round the candidates together. What the parts may have missed, each beside its
/// own winner, is no less than what all have missed beside the best of these.
fn together(races: &[RaceTrace]) -> Option<RaceTrace> {
    let mut rounds: BTreeMap<usize, usize> = BTreeMap::new();
    for round in races.iter().flat_map(|race| &race.rounds) {
        *rounds.entry(round.examples).or_default() += round.candidates;
    }
    let missed: f64 = races.iter().map(|race| 1.0 - race.confidence).sum();
    let margin = races.iter().map(|race| race.margin).fold(0.0, f64::max);
    let rounds = rounds.into_iter().map(|(examples, candidates)| Round { candidates, examples }).collect();
    (!races.is_empty()).then(|| RaceTrace { rounds, confidence: (1.0 - missed).max(0.0), margin })
}

impl Strategy for Merged {
    fn propose(&mut self, _: &History) -> Result<Vec<Job>> {
        if std::mem::replace(&mut self.is_asked, true) || self.finalists.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Job::score("validation", self.finalists.clone())])
    }

    fn course(&self) -> Course {
        self.course.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn races_are_put_together_round_by_round() {
        let race = |rounds: &[(usize, usize)], confidence, margin| RaceTrace {
            rounds: rounds.iter().map(|&(candidates, examples)| Round { candidates, examples }).collect(),
            confidence,
            margin,
        };
        let races = [race(&[(40, 5), (20, 10), (16, 80)], 0.9, 0.3), race(&[(16, 80)], 0.8, 0.1)];
        let all = together(&races).unwrap();
        assert_eq!(
            all.rounds.iter().map(|it| (it.candidates, it.examples)).collect::<Vec<_>>(),
            [(40, 5), (20, 10), (32, 80)]
        );
        assert!((all.confidence - 0.7).abs() < 1e-12 && all.margin == 0.3);
        assert_eq!(together(&[]), None);
    }
}

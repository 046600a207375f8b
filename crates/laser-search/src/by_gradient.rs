//! Candidates ranked by what the loss's gradient predicts ("Compress to Impress", arXiv 2510.20800).
//!
//! To first order, replacing W by W' changes the loss by the inner product of G = dL/dW and W' - W. Of a reduction that is minus
//! the sum over the removed components of sigma_i u_i' G v_i.

use crate::error::{Error, Result};
use crate::history::History;
use crate::job::Job;
use crate::race::Race;
use crate::strategy::{Course, Strategy};
use laser_edit::Candidate;
use laser_example::Score;
use laser_run::{GradientTrace, PredictedChange, Recall};
use std::collections::HashMap;

/// One candidate in so many races, and at least [`LEAST`]. To first order an edit as large as a reduction is predicted roughly: the
/// worse half is told from the better one, the best within the better half is not.
const RACED: usize = 2;
const LEAST: usize = 16;

/// Races the candidates that a backward pass ranks first.
#[derive(Debug, Clone)]
pub struct Gradient {
    space: Vec<Candidate>,
    /// Validation examples of the backward pass.
    examples: usize,
    /// What the candidates of the space gave on validation in an exhaustive search, in their order.
    exhaustive: Option<Vec<Score>>,
    /// How many are scored on all examples; none for the race's own number.
    finalists: Option<usize>,
    /// The race of the first, and what is told of the ranking.
    race: Option<(Race, GradientTrace)>,
}

impl Gradient {
    /// Ranks the candidates of `space` by at most `examples` examples and races the better half. `exhaustive` are the scores
    /// of the same candidates in an exhaustive search, to compare with.
    pub fn new(space: Vec<Candidate>, examples: usize, exhaustive: Option<Vec<Score>>) -> Self {
        Self { space, examples, exhaustive, finalists: None, race: None }
    }

    /// The same, of which `count` are scored on all examples.
    pub fn with_finalists(self, count: usize) -> Self {
        Self { finalists: Some(count), ..self }
    }

    fn race(&self, ranking: &[PredictedChange], examples: usize) -> Result<(Race, GradientTrace)> {
        let raced = (self.space.len() / RACED).max(LEAST).min(ranking.len());
        let recall = match &self.exhaustive {
            Some(scores) => Some(recall(self.space.iter().zip(scores), ranking, raced)?),
            None => None,
        };
        let first = ranking[..raced].iter().map(|it| it.interventions.clone()).collect();
        let race = Race::new(first);
        let race = match self.finalists {
            Some(count) => race.with_finalists(count),
            None => race,
        };
        Ok((race, GradientTrace { examples: self.examples.min(examples), raced, recall }))
    }
}

impl Strategy for Gradient {
    fn propose(&mut self, history: &History) -> Result<Vec<Job>> {
        let (race, _) = match &mut self.race {
            Some(race) => race,
            None => match history.ranking() {
                Some(ranking) => self.race.insert(self.race(ranking, history.examples())?),
                None => {
                    let candidates = self.space.clone();
                    return Ok(vec![Job::RankByGradient { candidates, examples: self.examples }]);
                }
            },
        };
        race.propose(history)
    }

    fn course(&self) -> Course {
        match &self.race {
            Some((race, trace)) => Course { gradient: Some(trace.clone()), ..race.course() },
            None => Course::default(),
        }
    }
}

/// How well a ranking, of which the first `raced` raced, finds what an exhaustive search gave.
fn recall<'a>(
    exhaustive: impl Iterator<Item = (&'a Candidate, &'a Score)>,
    ranking: &[PredictedChange],
    raced: usize,
) -> Result<Recall> {
    let scores: HashMap<String, &Score> = exhaustive.map(|(it, score)| (it.to_string(), score)).collect();
    let scores: Vec<&Score> = ranking
        .iter()
        .map(|it| scores.get(&it.interventions.to_string()).copied())
        .collect::<Option<_>>()
        .ok_or(Error::NoCandidates { why: "the search to compare with has not scored them all" })?;
    let mut by_accuracy: Vec<usize> = (0..scores.len()).collect();
    by_accuracy.sort_by(|&a, &b| {
        let (a, b) = (scores[a], scores[b]);
        b.accuracy.total_cmp(&a.accuracy).then(a.log_loss.total_cmp(&b.log_loss))
    });
    Ok(Recall {
        of_best_10: by_accuracy.iter().take(10).filter(|&&i| i < raced).count(),
        rank_of_best: by_accuracy.first().map_or(0, |&i| i + 1),
        spearman: spearman(
            &ranking.iter().map(|it| it.change).collect::<Vec<_>>(),
            &scores.iter().map(|score| score.log_loss).collect::<Vec<_>>(),
        ),
    })
}

/// Spearman's rank correlation: Pearson's of the ranks, equal values sharing their mean rank. 0 where one list is constant.
fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    if scale > 0.0 { product(&a, &b) / scale } else { 0.0 }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let rank = first as f64 + (equal.len() as f64 - 1.0) / 2.0;
        equal.iter().for_each(|&i| ranks[i] = rank);
        first += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, space};

    #[test]
    fn the_better_half_by_prediction_races() {
        let (space, mut fake) = (space(10, 5), Fake::new(60));
        // What is predicted best stands last in the space.
        fake.predict(|number| -(number as f64));
        let exhaustive = (0..space.len()).map(|i| Score { n: 60, accuracy: 0.5, log_loss: 100.0 - i as f64 }).collect();
        let mut gradient = Gradient::new(space.clone(), 20, Some(exhaustive));
        fake.run(&mut gradient);
        let Course { race, gradient: trace, steps } = gradient.course();
        let trace = trace.unwrap();
        assert_eq!((trace.examples, trace.raced, steps.len()), (20, 25, 0));
        assert_eq!(trace.recall, Some(Recall { of_best_10: 10, rank_of_best: 1, spearman: 1.0 }));
        assert_eq!(race.unwrap().rounds[0].candidates, 25);
        assert_eq!(fake.asked[0].0, "gradient");
        let scored = |candidate: &Candidate| fake.entries().all().iter().any(|it| it.interventions == *candidate);
        assert!(space[25..].iter().all(scored) && !space[..25].iter().any(scored));
        // A ranking that is there is not made anew.
        fake.run(&mut Gradient::new(space, 20, None));
        assert_eq!(fake.rankings(), 1);
    }

    #[test]
    fn more_examples_than_there_are_mean_all() {
        let mut fake = Fake::new(30);
        let mut gradient = Gradient::new(space(2, 2), 100, None);
        fake.run(&mut gradient);
        assert_eq!(gradient.course().gradient.unwrap().examples, 30);
    }

    #[test]
    fn a_search_that_lacks_a_candidate_cannot_be_compared_with() {
        let ranking: Vec<PredictedChange> =
            space(1, 2).into_iter().map(|interventions| PredictedChange { interventions, change: 0.0 }).collect();
        assert!(recall(std::iter::empty(), &ranking, 1).is_err());
    }

    #[test]
    fn spearman_of_known_lists() {
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), 1.0);
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        assert_eq!(spearman(&[1.0, 1.0], &[3.0, 2.0]), 0.0);
        // scipy.stats.spearmanr([1, 2, 2, 4, 5], [5, 6, 7, 8, 7])
        assert!(
            (spearman(&[1.0, 2.0, 2.0, 4.0, 5.0], &[5.0, 6.0, 7.0, 8.0, 7.0]) - 0.763_157_894_736_842_1).abs() < 1e-12
        );
    }
}

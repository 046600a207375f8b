//! Candidates ranked by what the loss's gradient predicts ("Compress to Impress", arXiv 2510.20800).
//!
//! To first order, replacing W by W' changes the loss by the inner product of G = dL/dW and W' - W. Of a reduction that is minus
//! the sum over the removed components of sigma_i u_i' G v_i.

use super::race::race;
use super::{Account, GradientAccount, Recall, Strategy, by_score};
use crate::run_folder::RunFolder;
use crate::sweep::Sweep;
use crate::{Error, Result};
use laser_checkpoint::{Checkpoint, Config, EditableMatrix, Intervention, MatrixId};
use laser_engine::Candidate;
use laser_engine::{Encoded, encode, samples};
use laser_linalg::Matrix;
use laser_tasks::Score;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The file of the ranking.
const RANKING: &str = "gradient.json";
/// One candidate in so many races, and at least [`LEAST`]. To first order an edit as large as a reduction is predicted roughly: the
/// worse half is told from the better one, the best within the better half is not.
const RACED: usize = 2;
const LEAST: usize = 16;

/// Races the candidates that a backward pass over `examples` examples ranks first.
#[derive(Debug, Clone)]
pub struct Gradient {
    /// Validation examples of the backward pass.
    pub examples: usize,
    /// What the candidates of the space gave on validation in an exhaustive search, in their order, to compare with.
    pub exhaustive: Option<Vec<Score>>,
}

/// A candidate and the predicted change of the mean log-loss, nats a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Predicted {
    interventions: Candidate,
    change: f64,
}

impl Strategy for Gradient {
    fn run(&self, sweep: &mut Sweep, space: &[Candidate], run: &RunFolder) -> Result<Account> {
        let advice = "remove the file and run the search again, which makes it anew";
        let ranking: Vec<Predicted> = match run.read_json(RANKING, advice)? {
            Some(ranking) => ranking,
            None => {
                let ranking = self.rank(sweep, space)?;
                run.write_json(RANKING, &ranking)?;
                ranking
            }
        };
        let raced = (space.len() / RACED).max(LEAST).min(ranking.len());
        let race = race(sweep, ranking[..raced].iter().map(|it| it.interventions.clone()).collect())?;
        let examples = self.examples.min(sweep.examples().len());
        let recall = match &self.exhaustive {
            Some(scores) => Some(recall(space.iter().zip(scores), &ranking, raced)?),
            None => None,
        };
        let mut account = Account::of(sweep, space);
        account.evaluations += 3 * examples;
        Ok(Account { race, gradient: Some(GradientAccount { examples, raced, recall }), ..account })
    }
}

impl Gradient {
    /// All candidates, that whose loss is predicted to fall most first.
    fn rank(&self, sweep: &Sweep, space: &[Candidate]) -> Result<Vec<Predicted>> {
        let subject = sweep.subject();
        let (model, config) = (subject.model, subject.model.config());
        let taken = sweep.order().iter().take(self.examples).map(|&i| sweep.examples()[i]);
        let encoded =
            taken.map(|example| encode(subject.tokenizer, example, config)).collect::<Result<Vec<Encoded>, _>>()?;
        let mut changes = vec![0.0; space.len()];
        let edits = || space.iter().flat_map(|candidate| candidate.interventions());
        let mut ids: Vec<MatrixId> = edits().flat_map(|edit| edit.matrix.each(config)).collect();
        ids.sort_unstable();
        ids.dedup();
        let lowest = edits().map(|edit| edit.layer).min().unwrap_or(config.layers);
        sweep.progress().start("gradients", (config.layers - lowest) * ids.len(), 0);
        // A layer's gradients wait for each other, so that its matrices are decomposed by all threads.
        let mut of_layer = Vec::with_capacity(ids.len());
        model.gradients::<Error>(&samples(&encoded), &ids, lowest, |layer, id, gradient| {
            of_layer.push((layer, id, gradient));
            if of_layer.len() < ids.len() {
                return Ok(());
            }
            let of_matrix = |(layer, id, gradient)| predicted(subject.checkpoint, config, space, layer, id, &gradient);
            let predicted = of_layer.par_drain(..).map(of_matrix).collect::<Result<Vec<_>>>()?;
            predicted.iter().flatten().for_each(|(candidate, change)| changes[*candidate] += change);
            sweep.progress().advance(ids.len());
            Ok(())
        })?;
        sweep.progress().finish();
        let mut ranking: Vec<Predicted> =
            space.iter().zip(changes).map(|(it, change)| Predicted { interventions: it.clone(), change }).collect();
        ranking.sort_by(|a, b| a.change.total_cmp(&b.change));
        Ok(ranking)
    }
}

/// What the gradient by one matrix predicts of each candidate that edits it, by its number.
fn predicted(
    checkpoint: &Checkpoint,
    config: &Config,
    space: &[Candidate],
    layer: usize,
    id: MatrixId,
    gradient: &Matrix,
) -> Result<Vec<(usize, f64)>> {
    let edits = |it: &&Intervention| it.layer == layer && it.matrix.each(config).contains(&id);
    let of_candidate = |(number, it): (usize, &Candidate)| Some((number, *it.interventions().iter().find(edits)?));
    let edits: Vec<(usize, Intervention)> = space.iter().enumerate().filter_map(of_candidate).collect();
    if edits.is_empty() {
        return Ok(Vec::new());
    }
    let matrix = EditableMatrix::new(checkpoint.matrix(layer, id)?);
    let change = |edited: &Matrix| -> f64 {
        let both = edited.data().iter().zip(matrix.unedited().data());
        both.zip(gradient.data()).map(|((edited, unedited), by)| f64::from(edited - unedited) * f64::from(*by)).sum()
    };
    edits.iter().map(|(number, edit)| Ok((*number, change(&matrix.edit(edit)?)))).collect()
}

/// How well a ranking, of which the first `raced` raced, finds what an exhaustive search gave.
fn recall<'a>(
    exhaustive: impl Iterator<Item = (&'a Candidate, &'a Score)>,
    ranking: &[Predicted],
    raced: usize,
) -> Result<Recall> {
    let scores: HashMap<String, &Score> = exhaustive.map(|(it, score)| (it.to_string(), score)).collect();
    let scores: Vec<&Score> = ranking
        .iter()
        .map(|it| scores.get(&it.interventions.to_string()).copied())
        .collect::<Option<_>>()
        .ok_or(Error::NoCandidates { why: "the search to compare with has not scored them all" })?;
    let mut by_accuracy: Vec<usize> = (0..scores.len()).collect();
    by_accuracy.sort_by(|&a, &b| by_score(scores[a], scores[b]));
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

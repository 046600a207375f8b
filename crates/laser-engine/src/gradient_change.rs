//! What the loss's gradient predicts of candidates ("Compress to Impress", arXiv 2510.20800).
//!
//! To first order, replacing W by W' changes the loss by the inner product of G = dL/dW and W' - W.

use crate::bases::{Bases, decompose};
use crate::calibration::Observer;
use crate::encode::{Encoded, encode};
use crate::error::{Error, Result};
use crate::samples::samples;
use laser_checkpoint::{Checkpoint, Config};
use laser_edit::{Candidate, Intervention, MatrixId};
use laser_example::Example;
use laser_kernels::Differentiable;
use laser_linalg::{DecomposedMatrix, dense};
use laser_matrix::Decompose;
use laser_matrix::Matrix;
use laser_model::Model;
use laser_run::Progress;
use laser_tokenizer::Tokenizer;
use rayon::prelude::*;

/// By how much each of `space` changes the mean log-loss of `examples`, nats per token, by one
/// backward pass.
///
/// # Errors
/// An example cannot be encoded, the model has no gradients, or a matrix cannot be edited.
pub fn predict<B: Differentiable>(
    checkpoint: &Checkpoint,
    model: &Model<B>,
    tokenizer: &Tokenizer,
    observer: Option<&dyn Observer>,
    examples: &[&Example],
    space: &[Candidate],
    progress: &dyn Progress,
) -> Result<Vec<f64>> {
    let config = model.config();
    let encoded =
        examples.iter().map(|example| encode(tokenizer, example, config)).collect::<Result<Vec<Encoded>>>()?;
    let mut changes = vec![0.0; space.len()];
    let edits = || space.iter().flat_map(|candidate| candidate.interventions());
    let mut ids: Vec<MatrixId> = edits().flat_map(|edit| edit.matrix.each(config)).collect();
    ids.sort_unstable();
    ids.dedup();
    let lowest = edits().map(|edit| edit.layer).min().unwrap_or(config.layers);
    progress.start("gradients", (config.layers - lowest) * ids.len(), 0);
    // A layer's gradients wait for each other, so that its matrices are decomposed by all threads.
    let mut of_layer = Vec::with_capacity(ids.len());
    model.gradients::<Error>(&samples(&encoded), &ids, lowest, |layer, id, gradient| {
        of_layer.push((layer, id, gradient));
        if of_layer.len() < ids.len() {
            return Ok(());
        }
        let bases = Bases { checkpoint, observer };
        let mut work = Vec::with_capacity(of_layer.len());
        for (layer, id, gradient) in of_layer.drain(..) {
            let edits = edits_of(space, config, layer, id);
            if !edits.is_empty() {
                let sources = bases.sources((layer, id), edits.iter().map(|(_, edit)| *edit), |_| false)?;
                work.push((layer, id, gradient, edits, sources));
            }
        }
        let of_matrix = |(layer, id, gradient, edits, sources): (usize, MatrixId, Matrix, Vec<_>, Vec<_>)| {
            let mut matrix = DecomposedMatrix::new(checkpoint.matrix(layer, id)?);
            decompose(&mut matrix, (layer, id), sources)?;
            predicted(&matrix, &edits, &gradient)
        };
        let predicted = work.into_par_iter().map(of_matrix).collect::<Result<Vec<_>>>()?;
        predicted.iter().flatten().for_each(|(candidate, change)| changes[*candidate] += change);
        progress.advance(ids.len());
        progress.go_on()?;
        Ok(())
    })?;
    progress.finish();
    Ok(changes)
}

/// The edits of one matrix, each with the number of its candidate.
fn edits_of<'s>(space: &'s [Candidate], config: &Config, layer: usize, id: MatrixId) -> Vec<(usize, &'s Intervention)> {
    let is_of = |it: &&Intervention| it.layer == layer && it.matrix.each(config).contains(&id);
    let numbered = space.iter().enumerate();
    numbered.filter_map(|(number, it)| Some((number, it.interventions().iter().find(is_of)?))).collect()
}

/// What the gradient by one matrix predicts of each candidate that edits it, by its number.
fn predicted(
    matrix: &DecomposedMatrix,
    edits: &[(usize, &Intervention)],
    gradient: &Matrix,
) -> Result<Vec<(usize, f64)>> {
    let change = |edited: &Matrix| -> f64 {
        let both = edited.data().iter().zip(matrix.matrix().data());
        both.zip(gradient.data()).map(|((edited, unedited), by)| f64::from(edited - unedited) * f64::from(*by)).sum()
    };
    edits.iter().map(|(number, edit)| Ok((*number, change(&dense(edit.apply(matrix)?))))).collect()
}

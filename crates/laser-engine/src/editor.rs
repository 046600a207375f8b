//! Edited copies of a model.

use crate::calibration::{Observations, Observer, observations, tell};
use crate::error::Result;
use laser_checkpoint::Checkpoint;
use laser_edit::{Candidate, Intervention, MatrixId};
use laser_kernels::{Backend, Cpu};
use laser_linalg::{DecomposedMatrix, dense};
use laser_matrix::EditedMatrix;
use laser_model::Model;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// What the edits of `candidate` make of their matrices, by layer and matrix.
///
/// # Errors
/// As [`Editor::edit`].
pub fn edited_matrices(
    checkpoint: &Checkpoint,
    candidate: &Candidate,
    observer: &dyn Observer,
) -> Result<BTreeMap<(usize, MatrixId), EditedMatrix>> {
    let mut matrices = BTreeMap::new();
    for edit in candidate.interventions() {
        for matrix in edit.matrix.each(checkpoint.config()) {
            let at = (edit.layer, matrix);
            let mut editable = DecomposedMatrix::new(checkpoint.matrix(edit.layer, matrix)?);
            tell(&mut editable, at, observations(Some(observer), at, [edit].into_iter(), |_| false)?)?;
            matrices.insert(at, edit.apply(&editable)?);
        }
    }
    Ok(matrices)
}

/// A matrix, what is kept of it, what was observed of it, and its edits by the number of their candidate.
type Work<'a> = ((usize, MatrixId), Option<DecomposedMatrix>, Observations, Vec<(usize, &'a Intervention)>);

/// Makes edited models, decomposing each matrix once for all edits of it.
pub struct Editor<'a, B: Backend = Cpu> {
    checkpoint: &'a Checkpoint,
    model: &'a Model<B>,
    /// How many bytes of matrices and their decompositions are kept.
    memory: usize,
    observer: Option<&'a dyn Observer>,
    matrices: HashMap<(usize, MatrixId), DecomposedMatrix>,
}

impl<'a, B: Backend> Editor<'a, B> {
    /// An editor of `model`, which was loaded from `checkpoint`. It keeps what it has decomposed of
    /// a candidate's layers.
    pub fn new(checkpoint: &'a Checkpoint, model: &'a Model<B>) -> Self {
        Self { checkpoint, model, memory: 0, observer: None, matrices: HashMap::new() }
    }

    /// The same, which keeps everything that it has decomposed as long as that takes no more than
    /// `memory` bytes.
    pub fn with_memory(self, memory: usize) -> Self {
        Self { memory, ..self }
    }

    /// The same, which asks `observer` what edits need to know of the unedited model.
    pub fn with_observer(self, observer: Option<&'a dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// A copy of the model under `candidate`, sharing every other weight.
    ///
    /// # Errors
    /// If an edit does not fit the model, or a weight cannot be read, decomposed or prepared.
    pub fn edit(&mut self, candidate: &Candidate) -> Result<Model<B>> {
        Ok(self.edit_all(&[candidate])?.pop().unwrap_or_else(|| self.model.clone()))
    }

    /// What [`Self::edit`] makes of each of some candidates, their matrices decomposed and edited
    /// by all threads.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn edit_all(&mut self, candidates: &[&Candidate]) -> Result<Vec<Model<B>>> {
        let mut models = Vec::with_capacity(candidates.len());
        // Those of other layers wait, so that what is too much to keep is not held all at once.
        for candidates in candidates.chunk_by(|a, b| a.layers().eq(b.layers())) {
            models.extend(self.edit_layers(candidates)?);
        }
        Ok(models)
    }

    /// Of candidates that edit the same layers.
    fn edit_layers(&mut self, candidates: &[&Candidate]) -> Result<Vec<Model<B>>> {
        let mut edits: BTreeMap<(usize, MatrixId), Vec<(usize, &Intervention)>> = BTreeMap::new();
        for (number, candidate) in candidates.iter().enumerate() {
            for edit in candidate.interventions() {
                for matrix in edit.matrix.each(self.model.config()) {
                    edits.entry((edit.layer, matrix)).or_default().push((number, edit));
                }
            }
        }
        if self.matrices.values().map(DecomposedMatrix::bytes).sum::<usize>() > self.memory {
            self.matrices.retain(|&(layer, _), _| edits.keys().any(|&(edited, _)| edited == layer));
        }
        let mut work = Vec::with_capacity(edits.len());
        for (at, edits) in edits {
            let kept: Option<DecomposedMatrix> = self.matrices.remove(&at);
            // By one thread: the observer computes with all of them.
            let known = |curvature| kept.as_ref().is_some_and(|kept| kept.has_observed(curvature));
            let observed = observations(self.observer, at, edits.iter().map(|(_, edit)| *edit), known)?;
            work.push((at, kept, observed, edits));
        }
        let edit = |((layer, matrix), kept, observed, edits): Work<'_>| {
            let mut editable = match kept {
                Some(editable) => editable,
                None => DecomposedMatrix::new(self.checkpoint.matrix(layer, matrix)?),
            };
            tell(&mut editable, (layer, matrix), observed)?;
            let edit = |(number, edit): (usize, &Intervention)| {
                let edited = edit.apply(&editable)?;
                Ok((
                    number,
                    if self.model.backend().takes_factors() { edited } else { EditedMatrix::Dense(dense(edited)) },
                ))
            };
            let edited = edits.into_iter().map(edit).collect::<Result<Vec<(usize, EditedMatrix)>>>()?;
            Ok(((layer, matrix), editable, edited))
        };
        let edited = work.into_par_iter().map(edit).collect::<Result<Vec<_>>>()?;
        let mut models = vec![self.model.clone(); candidates.len()];
        for ((layer, matrix), editable, edited) in edited {
            for (number, edited) in edited {
                models[number] = match edited {
                    EditedMatrix::LowRank(factors) => models[number].replace_by_factors(layer, matrix, &factors)?,
                    other => models[number].replace(layer, matrix, &dense(other))?,
                };
            }
            self.matrices.insert((layer, matrix), editable);
        }
        Ok(models)
    }
}

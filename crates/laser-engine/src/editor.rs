//! Edited copies of a model.

use crate::bases::{Bases, decompose};
use crate::calibration::Observer;
use crate::error::Result;
use laser_checkpoint::Checkpoint;
use laser_edit::{Candidate, Intervention, MatrixId};
use laser_kernels::{Backend, Cpu};
use laser_linalg::{DecomposedMatrix, dense};
use laser_matrix::EditedMatrix;
use laser_model::Model;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// What those edits of `candidate` that need more than their matrix make of it, by layer and matrix.
///
/// # Errors
/// As [`Editor::edit`].
pub fn edited_matrices(
    checkpoint: &Checkpoint,
    candidate: &Candidate,
    observer: Option<&dyn Observer>,
) -> Result<BTreeMap<(usize, MatrixId), EditedMatrix>> {
    let (mut matrices, bases) = (BTreeMap::new(), Bases { checkpoint, observer });
    for edit in candidate.interventions().iter().filter(|edit| edit.edit.basis().is_some()) {
        for matrix in edit.matrix.each(checkpoint.config()) {
            let at = (edit.layer, matrix);
            let mut editable = DecomposedMatrix::new(checkpoint.matrix(edit.layer, matrix)?);
            decompose(&mut editable, at, bases.sources(at, [edit].into_iter(), |_| false)?)?;
            matrices.insert(at, edit.apply(&editable)?);
        }
    }
    Ok(matrices)
}

/// A matrix, what is kept of it, and its edits by the number of their candidate.
struct Work<'a> {
    at: (usize, MatrixId),
    kept: Option<DecomposedMatrix>,
    edits: Vec<(usize, &'a Intervention)>,
}

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
        let mut work: Vec<Work> =
            edits.into_iter().map(|(at, edits)| Work { at, kept: self.matrices.remove(&at), edits }).collect();
        for of_layer in work.chunk_by_mut(|a, b| a.at.0 == b.at.0) {
            self.prepare(of_layer)?;
        }
        let edit = |Work { at: (layer, matrix), kept, edits }: Work<'_>| {
            let editable = match kept {
                Some(editable) => editable,
                None => DecomposedMatrix::new(self.checkpoint.matrix(layer, matrix)?),
            };
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

    /// Decomposes those matrices of a layer in other bases than their own that have edits which ask for it.
    fn prepare(&self, of_layer: &mut [Work]) -> Result<()> {
        let bases = Bases { checkpoint: self.checkpoint, observer: self.observer };
        let mut asked = Vec::new();
        for work in of_layer {
            let known = |basis| work.kept.as_ref().is_some_and(|kept| kept.has(basis));
            // By one thread: an observer computes with all of them.
            let sources = bases.sources(work.at, work.edits.iter().map(|(_, edit)| *edit), known)?;
            if !sources.is_empty() {
                asked.push((work, sources));
            }
        }
        asked.into_par_iter().try_for_each(|(work, sources)| {
            let mut editable = match work.kept.take() {
                Some(editable) => editable,
                None => DecomposedMatrix::new(self.checkpoint.matrix(work.at.0, work.at.1)?),
            };
            decompose(&mut editable, work.at, sources)?;
            work.kept = Some(editable);
            Ok(())
        })
    }
}

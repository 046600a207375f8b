//! Edited copies of a model.

use crate::bases::{Bases, decompose};
use crate::calibration::Observer;
use crate::error::Result;
use laser_checkpoint::{Checkpoint, Config};
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

/// How many matrices a candidate replaces at most, of some candidates.
pub fn most_matrices<'c>(candidates: impl IntoIterator<Item = &'c Candidate>, config: &Config) -> usize {
    let of = |it: &Candidate| it.interventions().iter().map(|edit| edit.matrix.each(config).len()).sum();
    candidates.into_iter().map(of).max().unwrap_or(0)
}

/// Bytes for each of a matrix's elements: itself in f32, and the factors of one decomposition, which have no more than
/// twice as many.
const KEPT_PER_ELEMENT: usize = 3 * size_of::<f32>();

/// A matrix, what is kept of it, and its edits.
struct Work<'a> {
    at: (usize, MatrixId),
    kept: Option<DecomposedMatrix>,
    edits: Vec<SharedEdit<'a>>,
}

/// An edit, and the numbers of the candidates that have it.
struct SharedEdit<'a> {
    edit: &'a Intervention,
    candidates: Vec<usize>,
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
    /// by all threads. Candidates that share an edit share the edited matrix.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn edit_all(&mut self, candidates: &[&Candidate]) -> Result<Vec<Model<B>>> {
        let mut work: BTreeMap<(usize, MatrixId), Vec<SharedEdit>> = BTreeMap::new();
        for (number, candidate) in candidates.iter().enumerate() {
            for edit in candidate.interventions() {
                for matrix in edit.matrix.each(self.model.config()) {
                    let edits = work.entry((edit.layer, matrix)).or_default();
                    match edits.iter_mut().find(|known| known.edit == edit) {
                        Some(known) => known.candidates.push(number),
                        None => edits.push(SharedEdit { edit, candidates: vec![number] }),
                    }
                }
            }
        }
        let mut models = vec![self.model.clone(); candidates.len()];
        let mut work: Vec<Work> = work.into_iter().map(|(at, edits)| Work { at, kept: None, edits }).collect();
        while !work.is_empty() {
            let rest = work.split_off(self.at_once(&work));
            self.edit_some(work, &mut models)?;
            work = rest;
        }
        Ok(models)
    }

    /// How many matrices are decomposed at a time: those of a layer, and of as many more as there is
    /// memory for.
    fn at_once(&self, work: &[Work]) -> usize {
        let (mut count, mut taken) = (0, 0);
        for of_layer in work.chunk_by(|a, b| a.at.0 == b.at.0) {
            taken += of_layer.iter().map(|it| self.bytes(it)).sum::<usize>();
            if count > 0 && taken > self.memory {
                break;
            }
            count += of_layer.len();
        }
        count
    }

    /// Bytes that a matrix and its decomposition take.
    fn bytes(&self, work: &Work) -> usize {
        let [rows, cols] = work.at.1.kind.shape(self.model.config());
        KEPT_PER_ELEMENT * rows * cols
    }

    /// Makes the edits of some matrices.
    fn edit_some(&mut self, mut work: Vec<Work>, models: &mut [Model<B>]) -> Result<()> {
        let kept: usize = self.matrices.values().map(DecomposedMatrix::bytes).sum();
        let new = work.iter().filter(|it| !self.matrices.contains_key(&it.at));
        if kept + new.map(|it| self.bytes(it)).sum::<usize>() > self.memory {
            self.matrices.retain(|&(layer, _), _| work.iter().any(|it| it.at.0 == layer));
        }
        for it in &mut work {
            it.kept = self.matrices.remove(&it.at);
        }
        for of_layer in work.chunk_by_mut(|a, b| a.at.0 == b.at.0) {
            self.prepare(of_layer)?;
        }
        let (checkpoint, model) = (self.checkpoint, self.model);
        let edit = |Work { at: (layer, matrix), kept, edits }: Work| {
            let editable = match kept {
                Some(editable) => editable,
                None => DecomposedMatrix::new(checkpoint.matrix(layer, matrix)?),
            };
            let edit = |shared: SharedEdit| {
                let replacement = match shared.edit.apply(&editable)? {
                    EditedMatrix::LowRank(factors) if model.backend().takes_factors() => {
                        model.prepare_factors(layer, matrix, &factors)?
                    }
                    other => model.prepare(layer, matrix, &dense(other))?,
                };
                Ok((shared.candidates, replacement))
            };
            let edited = edits.into_iter().map(edit).collect::<Result<Vec<_>>>()?;
            Ok(((layer, matrix), editable, edited))
        };
        for (at, editable, edited) in work.into_par_iter().map(edit).collect::<Result<Vec<_>>>()? {
            for (candidates, replacement) in edited {
                for number in candidates {
                    models[number] = models[number].with(&replacement)?;
                }
            }
            self.matrices.insert(at, editable);
        }
        Ok(())
    }

    /// Decomposes those matrices of a layer in other bases than their own that have edits which ask for it.
    fn prepare(&self, of_layer: &mut [Work]) -> Result<()> {
        let bases = Bases { checkpoint: self.checkpoint, observer: self.observer };
        let mut asked = Vec::new();
        for work in of_layer {
            let known = |basis| work.kept.as_ref().is_some_and(|kept| kept.has(basis));
            // By one thread: an observer computes with all of them.
            let sources = bases.sources(work.at, work.edits.iter().map(|it| it.edit), known)?;
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

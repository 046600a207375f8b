//! What is scored: a set of interventions.

use crate::Result;
use laser_checkpoint::{Checkpoint, EditableMatrix, Intervention, MatrixId};
use laser_model::Model;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// A set of interventions on different matrices, in canonical order; the empty set is the unedited model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Intervention>", into = "Vec<Intervention>")]
pub struct Candidate(Vec<Intervention>);

impl TryFrom<Vec<Intervention>> for Candidate {
    type Error = crate::Error;

    fn try_from(interventions: Vec<Intervention>) -> Result<Self> {
        Self::new(interventions)
    }
}

impl From<Candidate> for Vec<Intervention> {
    fn from(candidate: Candidate) -> Self {
        candidate.0
    }
}

impl Candidate {
    /// The unedited model.
    pub fn base() -> Self {
        Self::default()
    }

    /// A candidate of `interventions`; editing one matrix twice is an error.
    pub fn new(interventions: impl IntoIterator<Item = Intervention>) -> Result<Self> {
        Ok(Self(Intervention::combine(interventions)?))
    }

    /// The interventions, ordered by layer and matrix.
    pub fn interventions(&self) -> &[Intervention] {
        &self.0
    }

    /// The lowest edited layer: everything below it is as in the unedited model. `layers` for the base.
    pub fn boundary(&self, layers: usize) -> usize {
        self.0.iter().map(|intervention| intervention.layer).min().unwrap_or(layers)
    }
}

/// The interventions' text forms, or `base`.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("base");
        }
        for (i, intervention) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { " " };
            write!(f, "{separator}{intervention}")?;
        }
        Ok(())
    }
}

/// Makes edited models, decomposing each matrix once for all edits of it.
pub struct Editor<'a> {
    checkpoint: &'a Checkpoint,
    model: &'a Model,
    /// How many bytes of matrices and their decompositions are kept.
    memory: usize,
    matrices: HashMap<(usize, MatrixId), EditableMatrix>,
}

impl<'a> Editor<'a> {
    /// An editor of `model`, which was loaded from `checkpoint`. It keeps what it has decomposed of a candidate's layers.
    pub fn new(checkpoint: &'a Checkpoint, model: &'a Model) -> Self {
        Self { checkpoint, model, memory: 0, matrices: HashMap::new() }
    }

    /// The same, which keeps everything that it has decomposed as long as that takes no more than `memory` bytes.
    pub fn with_memory(self, memory: usize) -> Self {
        Self { memory, ..self }
    }

    /// A copy of the model under `candidate`, sharing every other weight.
    pub fn edit(&mut self, candidate: &Candidate) -> Result<Model> {
        self.prepare(&[candidate])?;
        self.make(candidate)
    }

    /// What [`Self::edit`] makes of each of some candidates, whose matrices are decomposed by all threads.
    pub fn edit_all(&mut self, candidates: &[&Candidate]) -> Result<Vec<Model>> {
        self.prepare(candidates)?;
        candidates.iter().map(|candidate| self.make(candidate)).collect()
    }

    /// Decomposes what the candidates edit, and lets go of other layers where there is too much.
    fn prepare(&mut self, candidates: &[&Candidate]) -> Result<()> {
        let edits = || candidates.iter().flat_map(|candidate| candidate.interventions());
        if self.matrices.values().map(EditableMatrix::bytes).sum::<usize>() > self.memory {
            self.matrices.retain(|&(layer, _), _| edits().any(|edit| edit.layer == layer));
        }
        let mut new: HashMap<(usize, MatrixId), &Intervention> = HashMap::new();
        for edit in edits() {
            for matrix in edit.matrix.each(self.model.config()) {
                if !self.matrices.contains_key(&(edit.layer, matrix)) {
                    new.entry((edit.layer, matrix)).or_insert(edit);
                }
            }
        }
        let decompose = |((layer, matrix), edit): (_, &Intervention)| {
            let editable = EditableMatrix::new(self.checkpoint.matrix(layer, matrix)?);
            // What this edit takes of a decomposition, others do.
            editable.edit(edit)?;
            Ok(((layer, matrix), editable))
        };
        let decomposed = new.into_par_iter().map(decompose).collect::<Result<Vec<_>>>()?;
        self.matrices.extend(decomposed);
        Ok(())
    }

    /// Of a candidate that has been prepared.
    fn make(&self, candidate: &Candidate) -> Result<Model> {
        let mut model = self.model.clone();
        for edit in candidate.interventions() {
            for matrix in edit.matrix.each(self.model.config()) {
                let editable = &self.matrices[&(edit.layer, matrix)];
                model = model.replace(edit.layer, matrix, &editable.edit(edit)?)?;
            }
        }
        Ok(model)
    }
}

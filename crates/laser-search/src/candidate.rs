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

    /// What [`Self::edit`] makes of each of some candidates, whose matrices are decomposed by all threads.
    pub fn edit_all(&mut self, candidates: &[&Candidate]) -> Result<Vec<Model>> {
        let config = self.model.config();
        let mut new: HashMap<(usize, MatrixId), &Intervention> = HashMap::new();
        for edit in candidates.iter().flat_map(|candidate| candidate.interventions()) {
            for matrix in edit.matrix.each(config) {
                if !self.matrices.contains_key(&(edit.layer, matrix)) {
                    new.entry((edit.layer, matrix)).or_insert(edit);
                }
            }
        }
        let decompose = |((layer, matrix), edit): (_, &Intervention)| {
            let editable = EditableMatrix::new(self.checkpoint.matrix(layer, matrix)?);
            editable.edit(edit)?;
            Ok(((layer, matrix), editable))
        };
        let decomposed = new.into_par_iter().map(decompose).collect::<Result<Vec<_>>>()?;
        self.matrices.extend(decomposed);
        candidates.iter().map(|candidate| self.edit(candidate)).collect()
    }

    /// A copy of the model under `candidate`, sharing every other weight.
    pub fn edit(&mut self, candidate: &Candidate) -> Result<Model> {
        if self.matrices.values().map(EditableMatrix::bytes).sum::<usize>() > self.memory {
            let layers = |layer| candidate.interventions().iter().any(|i| i.layer == layer);
            self.matrices.retain(|&(layer, _), _| layers(layer));
        }
        let mut model = self.model.clone();
        for intervention in candidate.interventions() {
            let layer = intervention.layer;
            for matrix in intervention.matrix.each(self.model.config()) {
                let editable = match self.matrices.entry((layer, matrix)) {
                    std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                    std::collections::hash_map::Entry::Vacant(entry) => {
                        entry.insert(EditableMatrix::new(self.checkpoint.matrix(layer, matrix)?))
                    }
                };
                model = model.replace(layer, matrix, &editable.edit(intervention)?)?;
            }
        }
        Ok(model)
    }
}

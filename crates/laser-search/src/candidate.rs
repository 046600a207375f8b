//! What is scored: a set of interventions.

use crate::Result;
use laser_checkpoint::{Checkpoint, EditableMatrix, Intervention, MatrixId};
use laser_linalg::Matrix;
use laser_model::Model;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
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

    /// The edited layers, ascending; one with several edits comes as often.
    fn layers(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|intervention| intervention.layer)
    }

    /// The lowest edited layer: everything below it is as in the unedited model. `layers` for the base.
    pub fn boundary(&self, layers: usize) -> usize {
        self.layers().min().unwrap_or(layers)
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
        Ok(self.edit_all(&[candidate])?.pop().unwrap_or_else(|| self.model.clone()))
    }

    /// What [`Self::edit`] makes of each of some candidates, their matrices decomposed and edited by all threads.
    pub fn edit_all(&mut self, candidates: &[&Candidate]) -> Result<Vec<Model>> {
        let mut models = Vec::with_capacity(candidates.len());
        // Those of other layers wait, so that what is too much to keep is not held all at once.
        for candidates in candidates.chunk_by(|a, b| a.layers().eq(b.layers())) {
            models.extend(self.edit_layers(candidates)?);
        }
        Ok(models)
    }

    /// Of candidates that edit the same layers.
    fn edit_layers(&mut self, candidates: &[&Candidate]) -> Result<Vec<Model>> {
        let mut edits: BTreeMap<(usize, MatrixId), Vec<(usize, &Intervention)>> = BTreeMap::new();
        for (number, candidate) in candidates.iter().enumerate() {
            for edit in candidate.interventions() {
                for matrix in edit.matrix.each(self.model.config()) {
                    edits.entry((edit.layer, matrix)).or_default().push((number, edit));
                }
            }
        }
        if self.matrices.values().map(EditableMatrix::bytes).sum::<usize>() > self.memory {
            self.matrices.retain(|&(layer, _), _| edits.keys().any(|&(edited, _)| edited == layer));
        }
        let kept: Vec<_> = edits.into_iter().map(|(at, edits)| (at, self.matrices.remove(&at), edits)).collect();
        let edit = |((layer, matrix), kept, edits): ((usize, MatrixId), Option<EditableMatrix>, Vec<_>)| {
            let editable = match kept {
                Some(editable) => editable,
                None => EditableMatrix::new(self.checkpoint.matrix(layer, matrix)?),
            };
            let edit = |(number, edit): (usize, &Intervention)| Ok((number, editable.edit(edit)?));
            let edited = edits.into_iter().map(edit).collect::<Result<Vec<(usize, Matrix)>>>()?;
            Ok(((layer, matrix), editable, edited))
        };
        let edited = kept.into_par_iter().map(edit).collect::<Result<Vec<_>>>()?;
        let mut models = vec![self.model.clone(); candidates.len()];
        for ((layer, matrix), editable, edited) in edited {
            for (number, edited) in edited {
                models[number] = models[number].replace(layer, matrix, &edited)?;
            }
            self.matrices.insert((layer, matrix), editable);
        }
        Ok(models)
    }
}

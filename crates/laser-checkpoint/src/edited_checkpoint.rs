//! A checkpoint with edits, one tensor at a time.

use std::{cell::RefCell, collections::BTreeMap};

use laser_linalg::{DecomposedMatrix, dense};
use laser_matrix::{Decompose, EditedMatrix, Matrix};
use serde::Serialize;

use crate::{checkpoint::Checkpoint, error::Result, param_id::ParamId, param_kind::ParamKind};
use laser_edit::{Intervention, MatrixId};

/// What an edit did to its matrix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EditRecord {
    /// The edit.
    #[serde(flatten)]
    pub intervention: Intervention,
    /// Rows and columns of the matrix.
    pub shape: [usize; 2],
    /// The rank that was kept; `None` if the edit is not one of rank.
    pub kept_rank: Option<usize>,
    /// Frobenius norm of the change, relative to the matrix's own.
    pub relative_error: f64,
}

/// A checkpoint with edits, which are applied when their matrix's turn comes.
pub struct EditedCheckpoint<'a> {
    checkpoint: &'a Checkpoint,
    edits: Vec<Intervention>,
    /// By layer and matrix.
    records: RefCell<BTreeMap<(usize, MatrixId), EditRecord>>,
}

impl<'a> EditedCheckpoint<'a> {
    /// # Errors
    /// An edit does not fit the model, or two are of one matrix.
    pub(crate) fn new(checkpoint: &'a Checkpoint, edits: &[Intervention]) -> Result<Self> {
        let edits = Intervention::combine(edits.iter().cloned())?;
        for edit in &edits {
            edit.check(checkpoint.config())?;
        }
        Ok(Self { checkpoint, edits, records: RefCell::default() })
    }

    /// The unedited model.
    pub fn checkpoint(&self) -> &'a Checkpoint {
        self.checkpoint
    }

    /// What is done to a tensor of the model. Of a mixture's experts, the edit names the tensor's
    /// own one.
    pub(crate) fn edit_of(&self, param: ParamId) -> Option<Intervention> {
        let ParamKind::Matrix(kind) = param.kind else { return None };
        let own = MatrixId { kind, expert: Some(param.expert) };
        let mut edits = self.edits.iter().filter(|edit| !param.is_bias && edit.layer == param.layer);
        edits.find(|edit| edit.matrix.overlaps(own)).map(|edit| {
            let matrix = if self.checkpoint.config().is_expert(param.kind) { own } else { edit.matrix };
            Intervention { matrix, ..edit.clone() }
        })
    }

    /// The edit of a matrix, the matrix, and what the edit makes of it: low-rank factors if it can be. `None` if it has no
    /// edit.
    ///
    /// # Errors
    /// The matrix cannot be read, or the edit fails.
    fn edited(&self, param: ParamId) -> Result<Option<(Intervention, DecomposedMatrix, EditedMatrix)>> {
        let Some(edit) = self.edit_of(param) else { return Ok(None) };
        let decomposed = DecomposedMatrix::new(self.checkpoint.read_matrix(param)?);
        let edited = edit.apply(&decomposed)?;
        Ok(Some((edit, decomposed, edited)))
    }

    /// Notes what an edit made of a matrix.
    fn note(&self, edit: Intervention, matrix: &Matrix, edited: &Matrix) {
        let record = EditRecord {
            shape: [matrix.rows(), matrix.cols()],
            kept_rank: edit.edit.kept_rank(matrix.rows(), matrix.cols()),
            relative_error: relative_error(matrix, edited),
            intervention: edit,
        };
        let at = (record.intervention.layer, record.intervention.matrix);
        self.records.borrow_mut().insert(at, record);
    }

    /// The tensor's values after its edit, row-major, rows in Hugging Face's order. A norm's
    /// include what the family adds to them.
    ///
    /// # Errors
    /// The tensor cannot be read, or the edit fails.
    pub(crate) fn values(&self, param: ParamId) -> Result<Vec<f32>> {
        let Some((edit, matrix, edited)) = self.edited(param)? else { return self.checkpoint.read(param) };
        let edited = dense(edited);
        self.note(edit, matrix.matrix(), &edited);
        Ok(edited.into_data())
    }

    /// What the edits that were applied did, by layer and matrix.
    pub(crate) fn into_records(self) -> Vec<EditRecord> {
        self.records.into_inner().into_values().collect()
    }
}

/// ||edited - matrix||_F / ||matrix||_F; 0 where both are zero.
fn relative_error(matrix: &Matrix, edited: &Matrix) -> f64 {
    let change =
        matrix.data().iter().zip(edited.data()).map(|(&before, &after)| (f64::from(after) - f64::from(before)).powi(2));
    let (change, whole) = (change.sum::<f64>().sqrt(), matrix.frobenius_norm());
    if change == 0.0 { 0.0 } else { change / whole }
}

//! A checkpoint with edits, one tensor at a time.

use std::{cell::RefCell, collections::BTreeMap};

use laser_checkpoint::{Checkpoint, ParamId, ParamKind, Precision};
use laser_edit::{Intervention, MatrixId};
use laser_linalg::{DecomposedMatrix, dense};
use laser_matrix::{EditedMatrix, Matrix};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Result,
    patch_file::Patch,
    removed_part::{Removed, removed_by},
};

/// What is done to a model.
#[derive(Clone, Copy, Debug)]
pub enum Changes<'a> {
    /// Edits.
    Edits(&'a [Intervention]),
    /// What edits made of its matrices before.
    Patch(&'a Patch),
}

impl<'a> From<&'a [Intervention]> for Changes<'a> {
    fn from(edits: &'a [Intervention]) -> Self {
        Self::Edits(edits)
    }
}

impl<'a> From<&'a Vec<Intervention>> for Changes<'a> {
    fn from(edits: &'a Vec<Intervention>) -> Self {
        Self::Edits(edits)
    }
}

impl<'a, const N: usize> From<&'a [Intervention; N]> for Changes<'a> {
    fn from(edits: &'a [Intervention; N]) -> Self {
        Self::Edits(edits)
    }
}

impl<'a> From<&'a Patch> for Changes<'a> {
    fn from(patch: &'a Patch) -> Self {
        Self::Patch(patch)
    }
}

/// What an edit did to its matrix.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct EditRecord {
    /// The edit.
    #[serde(flatten)]
    #[schemars(schema_with = "Intervention::fields_schema")]
    pub intervention: Intervention,
    /// Rows and columns of the matrix.
    pub shape: [usize; 2],
    /// The rank that was kept; `None` if the edit is not one of rank.
    pub kept_rank: Option<usize>,
    /// Frobenius norm of the change, relative to the matrix's own.
    pub relative_error: f64,
    /// How the matrix was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
}

/// How an edited matrix was written.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Stored {
    /// The type of its values.
    pub precision: String,
    /// The rank of the two thin matrices, if it is those.
    pub rank: Option<usize>,
    /// Bytes of the matrix in the source.
    pub bytes_before: u64,
    /// Bytes now.
    pub bytes_after: u64,
    /// Multiplications that a token costs in this matrix, before.
    pub products_before: u64,
    /// The same now.
    pub products_after: u64,
    /// Root mean square of the rounding, relative to that of the values, where it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounding: Option<f64>,
    /// Why it is not two thin matrices, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_dense: Option<String>,
}

/// A checkpoint with edits, which are applied when their matrix's turn comes.
pub struct EditedCheckpoint<'a> {
    checkpoint: &'a Checkpoint,
    edits: Vec<Intervention>,
    patch: Option<&'a Patch>,
    /// By layer and matrix.
    records: RefCell<BTreeMap<(usize, MatrixId), EditRecord>>,
}

impl<'a> EditedCheckpoint<'a> {
    /// # Errors
    /// An edit does not fit the model, or two are of one matrix.
    pub(crate) fn new(checkpoint: &'a Checkpoint, changes: Changes<'a>) -> Result<Self> {
        let (edits, patch) = match changes {
            Changes::Edits(edits) => (edits, None),
            Changes::Patch(patch) => (patch.edits(), Some(patch)),
        };
        let edits = Intervention::combine(edits.iter().cloned())?;
        for edit in &edits {
            edit.check(checkpoint.config())?;
        }
        Ok(Self { checkpoint, edits, patch, records: RefCell::default() })
    }

    /// The unedited model.
    pub fn checkpoint(&self) -> &'a Checkpoint {
        self.checkpoint
    }

    /// The edits, by layer and matrix; one may be of all experts.
    pub fn edits(&self) -> &[Intervention] {
        &self.edits
    }

    /// What is done to a tensor of the model. Of a mixture's experts, the edit names the tensor's
    /// own one.
    pub fn edit_of(&self, param: ParamId) -> Option<Intervention> {
        let ParamKind::Matrix(kind) = param.kind else { return None };
        let own = MatrixId { kind, expert: Some(param.expert) };
        let mut edits = self.edits.iter().filter(|edit| !param.is_bias && edit.layer == param.layer);
        edits.find(|edit| edit.matrix.overlaps(own)).map(|edit| {
            let is_expert = self.checkpoint.config().experts_of(kind).is_some();
            Intervention { matrix: if is_expert { own } else { edit.matrix }, ..edit.clone() }
        })
    }

    /// The edited tensors of the model, in the order of its forward pass.
    pub fn edited_params(&self) -> Vec<ParamId> {
        self.checkpoint.params().into_iter().filter(|&param| self.edit_of(param).is_some()).collect()
    }

    /// The largest rank that the edit of a matrix can leave, if that is below the full one; known
    /// before the edit is applied.
    pub fn rank_of(&self, param: ParamId) -> Option<usize> {
        let edit = self.edit_of(param)?;
        let [rows, cols] = edit.matrix.kind.shape(self.checkpoint.config());
        match self.patched(&edit) {
            Some(EditedMatrix::LowRank(factors)) => Some(factors.rank()),
            Some(_) => None,
            None => edit.edit.kept_rank(rows, cols).filter(|&rank| rank < rows.min(cols)),
        }
    }

    fn patched(&self, edit: &Intervention) -> Option<&EditedMatrix> {
        self.patch.and_then(|patch| patch.matrix(edit.layer, edit.matrix))
    }

    /// What the edit makes of a matrix: low-rank factors if it can be. `None` if it has no edit.
    ///
    /// # Errors
    /// The matrix cannot be read, or the edit fails.
    pub fn edited(&self, param: ParamId) -> Result<Option<EditedMatrix>> {
        let Some((edit, matrix, edited)) = self.applied(param)? else { return Ok(None) };
        self.note(edit, &matrix, &dense(edited.clone()));
        Ok(Some(edited))
    }

    /// The edit of a matrix, the matrix, and what the one makes of the other. Of the decomposition
    /// nothing is kept: it is larger than the matrix.
    fn applied(&self, param: ParamId) -> Result<Option<(Intervention, Matrix, EditedMatrix)>> {
        let Some(edit) = self.edit_of(param) else { return Ok(None) };
        let matrix = DecomposedMatrix::new(self.checkpoint.read_matrix(param)?);
        let edited = match self.patched(&edit) {
            Some(edited) => edited.clone(),
            None => edit.apply(&matrix)?,
        };
        Ok(Some((edit, matrix.into_matrix(), edited)))
    }

    /// What the edit takes away from a matrix, as factors, if it is a sum of some of its singular
    /// components; otherwise why not. `None` if it has no edit.
    ///
    /// # Errors
    /// As [`edited`](Self::edited).
    pub(crate) fn removed(&self, param: ParamId, most: usize) -> Result<Option<Removed>> {
        let Some(edit) = self.edit_of(param) else { return Ok(None) };
        if edit.edit.basis().is_some() && self.patched(&edit).is_some() {
            return Ok(self.edited(param)?.map(|_| Removed::Other));
        }
        let matrix = DecomposedMatrix::new(self.checkpoint.read_matrix(param)?);
        let (edited, removed) = removed_by(&edit, &matrix, most)?;
        self.note(edit, &matrix.into_matrix(), &dense(edited));
        Ok(Some(removed))
    }

    /// Notes what an edit made of a matrix; how it was written stays as it was noted.
    fn note(&self, edit: Intervention, matrix: &Matrix, edited: &Matrix) {
        let mut record = EditRecord {
            shape: [matrix.rows(), matrix.cols()],
            kept_rank: edit.edit.kept_rank(matrix.rows(), matrix.cols()),
            relative_error: relative_error(matrix, edited),
            intervention: edit,
            stored: None,
        };
        let at = (record.intervention.layer, record.intervention.matrix);
        let mut records = self.records.borrow_mut();
        record.stored = records.remove(&at).and_then(|earlier| earlier.stored);
        records.insert(at, record);
    }

    /// Notes how an edited matrix was written: densely if `rank` is `None`. Does nothing for others.
    pub(crate) fn note_stored(&self, param: ParamId, precision: Precision, rank: Option<usize>) -> Result<()> {
        let Some(edit) = self.edit_of(param) else { return Ok(()) };
        let [rows, cols] = edit.matrix.kind.shape(self.checkpoint.config());
        let bytes = |precision: Precision, values: usize| {
            (values * precision.block_bytes()).div_ceil(precision.block_values()) as u64
        };
        let values = |rank: Option<usize>| rank.map_or(rows * cols, |rank| rank * (rows + cols));
        let (before, after) = (values(self.checkpoint.thin_rank(param)), values(rank));
        let stored = Stored {
            precision: precision.name().to_owned(),
            rank,
            bytes_before: bytes(self.checkpoint.stored_precision(param)?, before),
            bytes_after: bytes(precision, after),
            products_before: before as u64,
            products_after: after as u64,
            rounding: None,
            why_dense: None,
        };
        self.with_record(&edit, |record| record.stored = Some(stored));
        Ok(())
    }

    /// Adds to what was noted of how a matrix was written.
    pub(crate) fn amend_stored(&self, param: ParamId, amend: impl FnOnce(&mut Stored)) {
        if let Some(edit) = self.edit_of(param) {
            self.with_record(&edit, |record| record.stored.as_mut().map(amend).unwrap_or_default());
        }
    }

    fn with_record(&self, edit: &Intervention, change: impl FnOnce(&mut EditRecord)) {
        self.records.borrow_mut().get_mut(&(edit.layer, edit.matrix)).map(change).unwrap_or_default();
    }

    /// The tensor's values after its edit, row-major, rows in Hugging Face's order. A norm's
    /// include what the family adds to them.
    ///
    /// # Errors
    /// The tensor cannot be read, or the edit fails.
    pub fn values(&self, param: ParamId) -> Result<Vec<f32>> {
        let Some((edit, matrix, edited)) = self.applied(param)? else { return Ok(self.checkpoint.read(param)?) };
        let values = dense(edited);
        self.note(edit, &matrix, &values);
        Ok(values.into_data())
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use laser_edit::InterventionSpec;

    use super::*;

    /// The two thin matrices of a pair may be in two files, so that the edit is applied for each.
    #[test]
    fn how_a_matrix_was_stored_outlives_a_second_application() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/llama");
        let checkpoint = Checkpoint::open(&fixture).unwrap();
        let specs: Vec<InterventionSpec> = vec!["1.fc_in:0.1".parse().unwrap()];
        let edits = InterventionSpec::expand_all(&specs, checkpoint.config()).unwrap();
        let model = EditedCheckpoint::new(&checkpoint, Changes::Edits(&edits)).unwrap();
        let param = model.edited_params()[0];
        model.edited(param).unwrap();
        model.note_stored(param, Precision::F32, Some(4)).unwrap();
        model.edited(param).unwrap();
        let records = model.into_records();
        assert_eq!(records[0].stored.as_ref().and_then(|stored| stored.rank), Some(4));
    }
}

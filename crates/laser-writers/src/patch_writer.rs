//! An edit set as a patch: the edited matrices alone, as factors where those are smaller.

use laser_checkpoint::{ParamId, Precision};
use laser_edit::MatrixId;
use laser_files::Form;
use laser_linalg::dense;
use laser_matrix::EditedMatrix;
use serde_json::json;

use crate::{
    edited_checkpoint::EditedCheckpoint,
    error::{Result, WriteError},
    model_writer::ModelWriter,
    patch_file::{DENSE, FORMAT, INNER, OUTER, PatchHead},
    placed_params::encoded,
    safetensors_shards::{PlannedTensor, put_file},
    staged_file::StagedFile,
    staging::Staging,
    thin_factors::{ThinFactors, is_smaller},
};

/// Writes one safetensors file with what the edits made of their matrices, in the source's types (f16 for
/// quantised ones), and the hashes of the model that it is for. [`Patch::open`](crate::Patch::open) reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PatchWriter;

enum Content {
    Inner(ParamId, usize),
    Outer(ParamId, usize),
    Dense(ParamId),
}

impl ModelWriter for PatchWriter {
    fn form(&self) -> Form {
        Form::File
    }

    fn reserves(&self, _: &str) -> bool {
        true
    }

    fn write(&self, model: &EditedCheckpoint<'_>, to: &Staging) -> Result<()> {
        let checkpoint = model.checkpoint();
        let head = PatchHead { edits: model.edits().to_vec(), base: checkpoint.fingerprint()? };
        let metadata = json!({ "format": FORMAT, "laser": serde_json::to_string(&head).unwrap_or_default() });
        let mut planned = Vec::new();
        for param in model.edited_params() {
            let Some(edit) = model.edit_of(param) else { continue };
            let shape = edit.matrix.kind.shape(checkpoint.config());
            let precision = thin_precision(checkpoint.stored_precision(param)?);
            let name = name(param.layer, edit.matrix);
            let plan = |end: &str, shape: [usize; 2], content| PlannedTensor {
                name: format!("{name}{end}"),
                dtype: precision.to_safetensors(),
                shape: shape.to_vec(),
                content: (content, precision),
            };
            match model.rank_of(param).filter(|&rank| is_smaller(rank, shape)) {
                Some(rank) => {
                    planned.push(plan(INNER, [rank, shape[1]], Content::Inner(param, rank)));
                    planned.push(plan(OUTER, [shape[0], rank], Content::Outer(param, rank)));
                }
                None => planned.push(plan(DENSE, shape, Content::Dense(param))),
            }
        }
        let thin = std::cell::RefCell::new(LastFactors::default());
        let put = |tensor: &PlannedTensor<(Content, Precision)>, to: &mut StagedFile| {
            let (content, precision) = &tensor.content;
            let mut thin = thin.borrow_mut();
            let values = match content {
                Content::Inner(param, rank) => thin.of(model, *param, *rank)?.inner.clone(),
                Content::Outer(param, rank) => thin.of(model, *param, *rank)?.outer.clone(),
                Content::Dense(param) => match model.edited(*param)? {
                    Some(edited) => dense(edited).into_data(),
                    None => Vec::new(),
                },
            };
            let (param, rank) = match content {
                Content::Inner(param, rank) | Content::Outer(param, rank) => (*param, Some(*rank)),
                Content::Dense(param) => (*param, None),
            };
            model.note_stored(param, *precision, rank)?;
            to.put(&encoded(&tensor.name, *precision, &values)?)
        };
        to.file(&to.file_name(), |file| put_file(planned, &metadata, file, &put))
    }
}

/// The factors of the matrix whose turn it was last: its two tensors are written one after the other.
#[derive(Default)]
pub(crate) struct LastFactors {
    last: Option<(ParamId, ThinFactors)>,
}

impl LastFactors {
    /// The factors of an edited matrix, padded with zeros to `rank`.
    pub(crate) fn of(&mut self, model: &EditedCheckpoint<'_>, param: ParamId, rank: usize) -> Result<&ThinFactors> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != param) {
            let factors = match model.edited(param)? {
                Some(EditedMatrix::LowRank(factors)) => ThinFactors::of(&factors, rank),
                _ => {
                    let what = format!("{}.{}", param.layer, param.kind);
                    let why = "the edit left no matrix of low rank".to_owned();
                    return Err(WriteError::Format { format: "two thin matrices", what, why });
                }
            };
            self.last = Some((param, factors));
        }
        // It was put there.
        Ok(&self.last.get_or_insert_with(|| (param, ThinFactors { inner: Vec::new(), outer: Vec::new() })).1)
    }
}

/// The type of thin matrices in place of one that is stored in `precision`.
pub(crate) fn thin_precision(precision: Precision) -> Precision {
    if precision.is_quantised() { Precision::F16 } else { precision }
}

fn name(layer: usize, matrix: MatrixId) -> String {
    format!("{layer}.{matrix}")
}

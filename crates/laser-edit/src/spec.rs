//! Edits as a user types them, `LAYER.MATRIX:EDIT`. LAYER is `27`, `20-27`, `-1` (from the end) or `*`, MATRIX a kind, one
//! expert's as in `fc_in[3]`, or a group (`attn`, `mlp`, `all`), EDIT an [`Edit`].

use std::str::FromStr;

use crate::{Edit, EditError, Intervention, Layers, MatrixGroup, ModelShape, Result};

/// What a user types: one edit of the matrices of a group in a range of layers, not yet bound to a model.
#[derive(Clone, Debug, PartialEq)]
pub struct InterventionSpec {
    /// Which layers.
    pub layers: Layers,
    /// Which matrices.
    pub matrices: MatrixGroup,
    /// What is done to each.
    pub edit: Edit,
}

impl InterventionSpec {
    /// The interventions that this stands for in a model.
    ///
    /// # Errors
    /// If the model lacks a layer or a matrix that is named.
    pub fn expand(&self, shape: &impl ModelShape) -> Result<Vec<Intervention>> {
        let matrices = self.matrices.resolve(shape)?;
        let edit = &self.edit;
        let one = |layer| matrices.iter().map(move |&matrix| Intervention { layer, matrix, edit: edit.clone() });
        Ok(self.layers.resolve(shape.layers())?.flat_map(one).collect())
    }

    /// The interventions of several, in canonical order.
    ///
    /// # Errors
    /// As for [`Self::expand`], and if a matrix is edited twice.
    pub fn expand_all(specs: &[Self], shape: &impl ModelShape) -> Result<Vec<Intervention>> {
        let mut list = Vec::new();
        for spec in specs {
            list.extend(spec.expand(shape)?);
        }
        Intervention::combine(list)
    }
}

impl FromStr for InterventionSpec {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: String| EditError::Text { text: text.to_owned(), why };
        let form = || wrong("write LAYER.MATRIX:EDIT, as in 27.fc_in:0.01 or 20-27.mlp:rank=41".to_owned());
        let (place, edit) = text.split_once(':').ok_or_else(form)?;
        let (layers, matrices) = place.split_once('.').ok_or_else(form)?;
        let layers = layers.parse().map_err(|error| match error {
            EditError::Text { why, .. } => wrong(why),
            other => other,
        })?;
        let edit = Edit::parse(edit).map_err(wrong)?;
        Ok(Self { layers, matrices: matrices.parse()?, edit })
    }
}

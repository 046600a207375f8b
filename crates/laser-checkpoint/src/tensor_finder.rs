//! Where a tensor of the model is, under whichever name this checkpoint has it.

use crate::{
    architecture::Architecture,
    convention::Convention,
    error::{CheckpointError, Result},
    model_config::Config,
    param_id::ParamId,
    param_kind::ParamKind,
    storage_layout::StorageLayout,
    weight_file::{StoredTensor, WeightFile},
};

/// The tensors of a checkpoint, and what they are to the model.
#[derive(Clone, Copy)]
pub(crate) struct TensorFinder<'a> {
    pub architecture: &'a Architecture,
    pub config: &'a Config,
    pub convention: Convention,
    pub weights: &'a dyn WeightFile,
}

impl<'a> TensorFinder<'a> {
    /// Where a tensor lies in this checkpoint's own format.
    pub(crate) fn layout(&self, param: ParamId) -> Result<StorageLayout> {
        let mut layout = self.plain_layout(param)?;
        if let Some(found) = self.name_of(&layout.tensor) {
            layout.tensor = found;
        } else if self.config.tied_head && param == ParamId::of(ParamKind::Embedding) {
            // A tied pair may be stored under either name.
            let head = self.plain_layout(ParamId::of(ParamKind::Head))?.tensor;
            layout.tensor = self.name_of(&head).unwrap_or(layout.tensor);
        }
        Ok(layout)
    }

    /// The tensor, if it is there.
    pub(crate) fn stored(&self, param: ParamId) -> Result<Option<(String, StoredTensor<'a>)>> {
        let name = self.layout(param)?.tensor;
        Ok(self.weights.tensor(&name).map(|stored| (name, stored)))
    }

    fn plain_layout(&self, param: ParamId) -> Result<StorageLayout> {
        StorageLayout::of(self.architecture, self.config, param, self.convention).ok_or_else(|| {
            CheckpointError::MissingTensor {
                tensor: format!("for {}", param.kind),
                path: self.weights.listing().to_owned(),
            }
        })
    }

    fn name_of(&self, name: &str) -> Option<String> {
        // Most names are as the table has them.
        if self.weights.tensor(name).is_some() {
            return Some(name.to_owned());
        }
        let names = self.convention.synonyms(self.architecture, name);
        names.into_iter().find(|name| self.weights.tensor(name).is_some())
    }
}

//! Where a tensor of the model is, under whichever name this checkpoint has it.

use crate::{
    architecture::Architecture,
    convention::Convention,
    error::{CheckpointError, Result},
    factored::{Factored, FactoredPlace, ThinNames},
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
    /// The matrices that are two thin ones.
    pub factored: Option<&'a Factored>,
}

impl<'a> TensorFinder<'a> {
    /// Where a tensor lies in this checkpoint's own format.
    pub(crate) fn layout(&self, param: ParamId) -> Result<StorageLayout> {
        match self.place(param) {
            Some(FactoredPlace::Alone(layout)) => return Ok(layout),
            Some(FactoredPlace::Factors(ThinNames { inner, outer, .. })) => {
                let path = self.weights.listing().to_owned();
                return Err(CheckpointError::MissingTensor { tensor: format!("of {inner} and {outer}"), path });
            }
            None => {}
        }
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

    fn place(&self, param: ParamId) -> Option<FactoredPlace> {
        self.factored?.place(self.architecture, self.config, param)
    }

    /// The names of the two thin matrices that a matrix is, if it is.
    pub(crate) fn thin(&self, param: ParamId) -> Option<ThinNames> {
        match self.place(param)? {
            FactoredPlace::Factors(names) => Some(names),
            FactoredPlace::Alone(_) => None,
        }
    }

    /// The tensors that make up a tensor of the model, with their shapes: two if it is two thin
    /// matrices.
    pub(crate) fn parts(&self, param: ParamId) -> Result<Vec<(String, Vec<usize>)>> {
        match self.thin(param) {
            Some(ThinNames { inner, outer, rank }) => {
                let shape = param.shape(self.architecture, self.config);
                Ok(vec![(inner, vec![rank, shape[1]]), (outer, vec![shape[0], rank])])
            }
            None => {
                let layout = self.layout(param)?;
                Ok(vec![(layout.tensor, layout.shape)])
            }
        }
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

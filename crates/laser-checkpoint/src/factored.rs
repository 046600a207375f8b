//! Folders of which some matrices are two thin ones (`laser apply --format hf-factored`): what `laser`
//! in config.json says of them.

use std::{collections::HashMap, path::Path};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    architecture::Architecture,
    convention::Convention,
    error::{CheckpointError, Result},
    model_config::Config,
    param_id::ParamId,
    storage_layout::StorageLayout,
};

/// The key of config.json.
pub(crate) const KEY: &str = "laser";

/// The modules that are written otherwise than the family's own, by name without its first part.
#[derive(Debug, Default)]
pub(crate) struct Factored {
    modules: HashMap<String, Module>,
}

/// One module: a matrix of low rank, or matrices that the family keeps in one tensor, each on its own.
#[derive(Debug, Deserialize)]
struct Module {
    rank: Option<usize>,
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    name: String,
    rank: Option<usize>,
}

/// Where a tensor of the model lies, if not where the family has it.
#[derive(Debug, PartialEq)]
pub(crate) enum FactoredPlace {
    /// In a tensor of its own.
    Alone(StorageLayout),
    /// In two: W = outer inner.
    Factors(ThinNames),
}

/// Two thin matrices: `inner`, rank x inputs, and `outer`, outputs x rank.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ThinNames {
    pub inner: String,
    pub outer: String,
    pub rank: usize,
}

impl Factored {
    /// What config.json says; `None` if every matrix is whole.
    pub(crate) fn of_config(json: &Value, path: &Path) -> Result<Option<Self>> {
        let Some(modules) = json.get(KEY).and_then(|laser| laser.get("modules")) else { return Ok(None) };
        let wrong = |error: serde_json::Error| CheckpointError::Config {
            path: path.to_owned(),
            key: format!("{KEY}.modules"),
            why: error.to_string(),
        };
        Ok(Some(Self { modules: HashMap::deserialize(modules).map_err(wrong)? }))
    }

    /// Where `param` lies, if it is in one of the modules.
    pub(crate) fn place(&self, architecture: &Architecture, config: &Config, param: ParamId) -> Option<FactoredPlace> {
        let usual = StorageLayout::of(architecture, config, param, Convention::HuggingFace)?.tensor;
        let (module, _) = usual.rsplit_once('.')?;
        let found = self.modules.get(module.split_once('.')?.1)?;
        let (base, rank) = match found.parts.iter().find(|part| part.name == param.kind.to_string()) {
            Some(part) => (format!("{module}.{}", part.name), part.rank),
            None => (module.to_owned(), found.rank),
        };
        let shape = param.shape(architecture, config);
        Some(match rank {
            Some(rank) if !param.is_bias => FactoredPlace::Factors(ThinNames {
                inner: format!("{base}.factor_in.weight"),
                outer: format!("{base}.factor_out.weight"),
                rank,
            }),
            _ => {
                let layer = if rank.is_some() { ".factor_out" } else { "" };
                let tensor = format!("{base}{layer}.{}", if param.is_bias { "bias" } else { "weight" });
                let rows = 0..shape[0];
                FactoredPlace::Alone(StorageLayout { tensor, shape, transposed: false, rows, order: None })
            }
        })
    }
}

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
    param_kind::ParamKind,
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

    /// Refuses modules that are no matrices of the model's, and ranks that no matrix has.
    ///
    /// # Errors
    /// The first such module.
    pub(crate) fn check(&self, architecture: &Architecture, config: &Config, path: &Path) -> Result<()> {
        let mut matrices: HashMap<String, Vec<String>> = HashMap::new();
        for param in ParamId::all(architecture, config) {
            let is_own = matches!(param.kind, ParamKind::Matrix(_)) && !config.is_expert(param.kind) && !param.is_bias;
            if let Some(module) = module_of(architecture, config, param).filter(|_| is_own)
                && let Some((_, name)) = module.split_once('.')
            {
                matrices.entry(name.to_owned()).or_default().push(param.kind.to_string());
            }
        }
        for (name, module) in &self.modules {
            let own = matrices.get(name).map(Vec::as_slice).unwrap_or_default();
            let names = |part: &Part| own.contains(&part.name) && part.rank != Some(0);
            let fits = match module.parts.as_slice() {
                [] => own.len() == 1 && module.rank.is_some_and(|rank| rank > 0),
                parts => parts.len() == own.len() && parts.iter().all(names) && module.rank.is_none(),
            };
            if !fits {
                let what = if own.is_empty() { "no matrix" } else { "other matrices" };
                let why = format!("the model has {what} there: have `laser apply` write the folder again");
                return Err(CheckpointError::Config {
                    path: path.to_owned(),
                    key: format!("{KEY}.modules.{name}"),
                    why,
                });
            }
        }
        Ok(())
    }

    /// Where `param` lies, if it is in one of the modules.
    pub(crate) fn place(&self, architecture: &Architecture, config: &Config, param: ParamId) -> Option<FactoredPlace> {
        let module = module_of(architecture, config, param)?;
        let found = self.modules.get(module.split_once('.')?.1)?;
        let (base, rank) = match found.parts.iter().find(|part| part.name == param.kind.to_string()) {
            Some(part) => (format!("{module}.{}", part.name), part.rank),
            None => (module, found.rank),
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

/// The module that holds a tensor of the model.
fn module_of(architecture: &Architecture, config: &Config, param: ParamId) -> Option<String> {
    let usual = StorageLayout::of(architecture, config, param, Convention::HuggingFace)?.tensor;
    usual.rsplit_once('.').map(|(module, _)| module.to_owned())
}

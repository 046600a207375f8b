//! An edited model as a Hugging Face folder.

use std::collections::HashMap;

use laser_checkpoint::{Checkpoint, Convention, ElementType, InTransformers, Precision};
use safetensors::Dtype;
use serde_json::Value;

use crate::{
    companion_files::{config_json, copy_small_files, is_weights},
    edited_checkpoint::EditedCheckpoint,
    error::{Result, WriteError},
    factored_config,
    model_writer::ModelWriter,
    placed_params::{PlacedParam, assembled, by_tensor, copy, encoded},
    safetensors_shards::{PlannedTensor, SINGLE, write_files, write_shards},
    same_config,
    staged_file::StagedFile,
    staging::Staging,
};

/// Shards as large as transformers' own.
const SHARD_BYTES: u64 = 5_000_000_000;

/// Writes a folder in Hugging Face layout: config.json, the weights as safetensors (in the source's
/// types; f16 for a quantised source) and the source's other small files.
#[derive(Clone, Copy, Debug, Default)]
pub struct HuggingFaceWriter {
    /// The largest shard, in bytes of tensors. By default the files are those of the source, or of
    /// 5 GB where that has no safetensors files.
    pub shard_bytes: Option<u64>,
}

impl ModelWriter for HuggingFaceWriter {
    fn reserves(&self, name: &str) -> bool {
        is_weights(name)
    }

    fn write(&self, model: &EditedCheckpoint<'_>, folder: &Staging) -> Result<()> {
        let checkpoint = model.checkpoint();
        let refusal = |why: &str| {
            let what = format!("a model of the family {} from a GGUF file", checkpoint.architecture().family);
            WriteError::Format { format: "hf", what, why: format!("{why}: write it as gguf") }
        };
        let is_gguf = checkpoint.convention() == Convention::Gguf;
        if is_gguf && checkpoint.architecture().transformers == InTransformers::Remote {
            return Err(refusal("transformers opens it only by code that comes with the model's folder"));
        }
        let planned = plan(model)?;
        let dtype = planned.first().map_or(Dtype::F16, |tensor| tensor.dtype);
        if checkpoint.is_factored() {
            let config = factored_config::unfactored(config_json(checkpoint, dtype)?);
            folder.write_json("config.json", &Value::Object(config))?;
            copy_small_files(checkpoint, &[factored_config::MODELING], folder)?;
        } else {
            // Without the source's contradictions, if it has any.
            if let Some(config) = checkpoint.settled_config() {
                folder.write_json("config.json", config)?;
            }
            copy_small_files(checkpoint, &[], folder)?;
        }
        if !folder.has("config.json") {
            folder.write_json("config.json", &Value::Object(config_json(checkpoint, dtype)?))?;
        }
        let put = |tensor: &PlannedTensor<Content>, to: &mut StagedFile| put(model, tensor, to);
        match (self.shard_bytes, source_files(checkpoint)) {
            (None, Some(files)) => write_files(in_files(planned, &files), folder, &put)?,
            (bytes, _) => write_shards(planned, bytes.unwrap_or(SHARD_BYTES), folder, &put)?,
        }
        if is_gguf { same_config::check(checkpoint, &folder.staged(), &refusal) } else { Ok(()) }
    }
}

enum Content {
    /// As it is in the source's own file, by its name there; whether the model reads it.
    Copy(String, bool),
    /// Put together from tensors of the model, and rounded to this type.
    Assembled(Vec<PlacedParam>, Precision),
}

fn plan(model: &EditedCheckpoint<'_>) -> Result<Vec<PlannedTensor<Content>>> {
    let checkpoint = model.checkpoint();
    let stored = |params: &[PlacedParam]| match params {
        [first, ..] => checkpoint.stored_precision(first.param),
        [] => Ok(Precision::F32),
    };
    let assembled = |name: String, params: Vec<PlacedParam>, precision: Precision| {
        let shape = params.first().map(|first| first.layout.shape.clone()).unwrap_or_default();
        let content = Content::Assembled(params, precision);
        PlannedTensor { name, dtype: precision.to_safetensors(), shape, content }
    };
    if checkpoint.convention() == Convention::HuggingFace && !checkpoint.is_factored() {
        // Under the names that this folder has. Tensors that the model does not read are kept, too.
        let tensors = by_tensor(checkpoint.params(), |param| Ok(Some(checkpoint.layout(param)?)))?;
        let mut by_name: HashMap<String, Vec<PlacedParam>> = tensors.into_iter().collect();
        let plan_one = |name: &str| {
            let params = by_name.remove(name).unwrap_or_default();
            // A name that transformers finds.
            let written = Convention::without_wrapper(name).0.to_owned();
            if params.iter().any(|placed| model.edit_of(placed.param).is_some()) {
                let precision = stored(&params)?;
                return Ok(assembled(written, params, precision));
            }
            let tensor = checkpoint.stored(name)?;
            let (dtype, shape) = (tensor.element().dtype(), tensor.shape().to_vec());
            let content = Content::Copy(name.to_owned(), !params.is_empty());
            Ok(PlannedTensor { name: written, dtype, shape, content })
        };
        return checkpoint.tensor_names().into_iter().map(plan_one).collect();
    }
    let quantised = is_quantised(checkpoint);
    let layout = |param| Ok(checkpoint.layout_in(param, Convention::HuggingFace));
    let tensors = by_tensor(checkpoint.params(), layout)?;
    let plan_one = |(name, params): (String, Vec<PlacedParam>)| {
        let precision = if quantised { Precision::F16 } else { stored(&params)? };
        Ok(assembled(name, params, precision))
    };
    tensors.into_iter().map(plan_one).collect()
}

/// Whether any tensor is stored in quantised blocks.
pub(crate) fn is_quantised(checkpoint: &Checkpoint) -> bool {
    let precision_of = |name| match checkpoint.stored(name).ok()?.element() {
        ElementType::Weights(precision) => Some(precision),
        ElementType::Other(_) => None,
    };
    checkpoint.tensor_names().into_iter().filter_map(precision_of).any(Precision::is_quantised)
}

/// The file of each tensor, where they are safetensors files that have the tensors that are written.
fn source_files(checkpoint: &Checkpoint) -> Option<HashMap<String, String>> {
    if checkpoint.is_factored() {
        return None;
    }
    let file = |name: &str| {
        let path = checkpoint.stored(name).ok()?.path().to_owned();
        let file = path.file_name()?.to_str()?.to_owned();
        let written = Convention::without_wrapper(name).0.to_owned();
        file.ends_with(".safetensors").then_some((written, file))
    };
    checkpoint.tensor_names().into_iter().map(file).collect()
}

/// Tensors by the files of `names`, in the order of those.
fn in_files<C>(
    tensors: Vec<PlannedTensor<C>>,
    names: &HashMap<String, String>,
) -> Vec<(String, Vec<PlannedTensor<C>>)> {
    let mut files: std::collections::BTreeMap<String, Vec<PlannedTensor<C>>> = Default::default();
    for tensor in tensors {
        let file = names.get(&tensor.name).map_or(SINGLE, String::as_str);
        files.entry(file.to_owned()).or_default().push(tensor);
    }
    files.into_iter().collect()
}

fn put(model: &EditedCheckpoint<'_>, tensor: &PlannedTensor<Content>, to: &mut StagedFile) -> Result<()> {
    match &tensor.content {
        Content::Copy(stored, is_read) => copy(stored, &model.checkpoint().stored(stored)?, *is_read, to),
        Content::Assembled(params, precision) => {
            let values = assembled(model, params, Convention::HuggingFace)?;
            to.put(&encoded(&tensor.name, *precision, &values)?)?;
            params.iter().try_for_each(|placed| model.note_stored(placed.param, *precision, None))
        }
    }
}

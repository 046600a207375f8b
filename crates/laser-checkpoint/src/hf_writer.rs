//! An edited model as a Hugging Face folder.

use std::{borrow::Cow, collections::HashMap, fs, io, path::Path};

use safetensors::Dtype;

use crate::{
    checkpoint::Checkpoint,
    convention::Convention,
    edited_checkpoint::EditedCheckpoint,
    error::{CheckpointError, Result},
    hf_config::huggingface_config,
    model_writer::ModelWriter,
    param_id::ParamId,
    precision::Precision,
    safetensors_shards::{self, OutputTensor},
    staging::{RECORD, Staging},
    storage_layout::StorageLayout,
};

/// Files of a source folder above this length, in bytes, are neither configuration nor tokenizer.
const LARGEST_SMALL_FILE: u64 = 1 << 28;

/// Names of weights in any format, which the written ones replace, end like this.
const WEIGHTS: [&str; 10] = [
    ".safetensors",
    ".safetensors.index.json",
    ".bin",
    ".bin.index.json",
    ".pt",
    ".pth",
    ".gguf",
    ".onnx",
    ".h5",
    ".msgpack",
];

/// Writes a folder in Hugging Face layout: config.json, the weights as safetensors (in the source's
/// types; f16 for a quantised source) and the source's other small files.
#[derive(Clone, Copy, Debug)]
pub struct HuggingFaceWriter {
    /// The largest shard, in bytes of tensors.
    pub shard_bytes: u64,
}

impl Default for HuggingFaceWriter {
    /// Shards as large as transformers' own, 5 GB.
    fn default() -> Self {
        Self { shard_bytes: 5_000_000_000 }
    }
}

impl ModelWriter for HuggingFaceWriter {
    fn reserves(&self, name: &str) -> bool {
        is_weights(name)
    }

    fn write(&self, model: &EditedCheckpoint<'_>, folder: &Staging) -> Result<()> {
        let planned = plan(model)?;
        let checkpoint = model.checkpoint();
        match checkpoint.convention() {
            Convention::HuggingFace => {
                if let Some(config) = checkpoint.settled_config() {
                    folder.write_json("config.json", config)?;
                }
                copy_small_files(checkpoint.path(), folder)?;
            }
            Convention::Gguf if folder.has("config.json") => {}
            Convention::Gguf => {
                let dtype = planned.first().map_or(Dtype::F16, |tensor| tensor.dtype);
                write_config(checkpoint, dtype, folder)?;
            }
        }
        safetensors_shards::write(planned, self.shard_bytes, folder, |tensor| content(model, tensor))
    }
}

/// A tensor of the folder.
struct PlannedTensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    content: Content,
}

enum Content {
    /// As it is in the source's own file, by its name there; what the model reads of it is checked
    /// to be readable first.
    Copy(String, Vec<ParamId>),
    /// Put together from tensors of the model, and rounded to this type.
    Assembled(Vec<PlacedParam>, Precision),
}

/// A tensor of the model, and where it goes in a tensor of the folder.
struct PlacedParam {
    param: ParamId,
    layout: StorageLayout,
}

impl OutputTensor for PlannedTensor {
    fn name(&self) -> &str {
        &self.name
    }

    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }
}

impl PlannedTensor {
    fn assembled(name: String, params: Vec<PlacedParam>, precision: Precision) -> Self {
        let shape = params.first().map(|first| first.layout.shape.clone()).unwrap_or_default();
        Self { name, dtype: precision.to_safetensors(), shape, content: Content::Assembled(params, precision) }
    }
}

fn is_weights(name: &str) -> bool {
    WEIGHTS.iter().any(|ending| name.ends_with(ending))
}

fn plan(model: &EditedCheckpoint<'_>) -> Result<Vec<PlannedTensor>> {
    let checkpoint = model.checkpoint();
    let tensors = placed_params(checkpoint)?;
    let stored = |params: &[PlacedParam]| match params {
        [first, ..] => checkpoint.stored_precision(first.param),
        [] => Ok(Precision::F32),
    };
    if checkpoint.convention() == Convention::HuggingFace {
        // Tensors that the model does not read are kept, too.
        let mut by_name: HashMap<String, Vec<PlacedParam>> = tensors.into_iter().collect();
        let plan_one = |name: &str| {
            let params = by_name.remove(name).unwrap_or_default();
            // A name that transformers finds.
            let written = Convention::without_wrapper(name).0.to_owned();
            if params.iter().any(|placed| model.edit_of(placed.param).is_some()) {
                let precision = stored(&params)?;
                return Ok(PlannedTensor::assembled(written, params, precision));
            }
            let tensor = checkpoint.weights().tensor(name).ok_or_else(|| missing(checkpoint, name))?;
            let (dtype, shape) = (tensor.element().dtype(), tensor.shape().to_vec());
            let content = Content::Copy(name.to_owned(), params.iter().map(|placed| placed.param).collect());
            Ok(PlannedTensor { name: written, dtype, shape, content })
        };
        return checkpoint.weights().names().into_iter().map(plan_one).collect();
    }
    let weights = checkpoint.weights();
    let precision_of = |name| weights.tensor(name).and_then(|tensor| tensor.precision().ok());
    let quantised = weights.names().into_iter().filter_map(precision_of).any(Precision::is_quantised);
    let plan_one = |(name, params): (String, Vec<PlacedParam>)| {
        let precision = if quantised { Precision::F16 } else { stored(&params)? };
        Ok(PlannedTensor::assembled(name, params, precision))
    };
    tensors.into_iter().map(plan_one).collect()
}

/// The tensors of the folder that the model reads, by name, in the order in which it reads them.
fn placed_params(checkpoint: &Checkpoint) -> Result<Vec<(String, Vec<PlacedParam>)>> {
    let (architecture, config) = (checkpoint.architecture(), checkpoint.config());
    let mut tensors: Vec<(String, Vec<PlacedParam>)> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for param in ParamId::all(architecture, config) {
        let layout = match checkpoint.convention() {
            // With the names that this folder has.
            Convention::HuggingFace => Some(checkpoint.layout(param)?),
            Convention::Gguf => StorageLayout::of(architecture, config, param, Convention::HuggingFace),
        };
        let Some(layout) = layout else { continue };
        let number = *numbers.entry(layout.tensor.clone()).or_insert_with(|| {
            tensors.push((layout.tensor.clone(), Vec::new()));
            tensors.len() - 1
        });
        tensors[number].1.push(PlacedParam { param, layout });
    }
    Ok(tensors)
}

fn content<'a>(model: &EditedCheckpoint<'a>, tensor: &PlannedTensor) -> Result<Cow<'a, [u8]>> {
    let checkpoint = model.checkpoint();
    let (params, precision) = match &tensor.content {
        Content::Assembled(params, precision) => (params, *precision),
        Content::Copy(source, params) => {
            for param in params {
                checkpoint.read(*param)?;
            }
            let found = checkpoint.weights().tensor(source).map(|found| found.bytes());
            return found.ok_or_else(|| missing(checkpoint, source));
        }
    };
    let mut whole = vec![0.0; tensor.shape.iter().product()];
    let offset = Convention::HuggingFace.norm_offset(checkpoint.architecture());
    for PlacedParam { param, layout } in params {
        let mut values = model.values(*param)?;
        if param.kind.is_norm() && !param.is_bias {
            values.iter_mut().for_each(|value| *value -= offset);
        }
        layout.insert(&values, &mut whole);
    }
    let whole = match params.first() {
        Some(first) => first.layout.as_stored(whole),
        None => whole,
    };
    let overflow = |(index, value)| CheckpointError::Overflow { tensor: tensor.name.clone(), precision, index, value };
    precision.encode(&whole).map(Cow::Owned).map_err(overflow)
}

fn missing(checkpoint: &Checkpoint, tensor: &str) -> CheckpointError {
    CheckpointError::MissingTensor { tensor: tensor.to_owned(), path: checkpoint.path().to_owned() }
}

/// config.json for a source that has none.
fn write_config(checkpoint: &Checkpoint, dtype: Dtype, folder: &Staging) -> Result<()> {
    const PADDING: &str = "tokenizer.ggml.padding_token_id";
    let metadata = checkpoint.metadata(&[PADDING])?.unwrap_or_default();
    let pad = metadata.get(PADDING).and_then(|id| u32::try_from(id.as_u64()?).ok());
    let config = huggingface_config(checkpoint.architecture(), checkpoint.config(), dtype, pad);
    folder.write_json("config.json", &config)
}

fn copy_small_files(source: &Path, folder: &Staging) -> Result<()> {
    let failed = |path: &Path, cause: io::Error| CheckpointError::Io { action: "read", path: path.to_owned(), cause };
    for entry in fs::read_dir(source).map_err(|cause| failed(source, cause))? {
        let path = entry.map_err(|cause| failed(source, cause))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // A link is followed: caches of downloaded models are made of them.
        let Ok(found) = fs::metadata(&path) else { continue };
        let wanted = found.is_file() && found.len() <= LARGEST_SMALL_FILE;
        if wanted && !name.starts_with('.') && name != RECORD && !is_weights(name) && !folder.has(name) {
            folder.write(name, &fs::read(&path).map_err(|cause| failed(&path, cause))?)?;
        }
    }
    Ok(())
}

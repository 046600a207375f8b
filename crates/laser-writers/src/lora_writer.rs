//! Edits as a LoRA adapter that subtracts what they take away: a PEFT folder, with the same as a GGUF
//! adapter.

use laser_checkpoint::{Checkpoint, Convention, InTransformers, ParamId, Precision, StorageLayout, gguf_config};
use safetensors::Dtype;
use serde_json::{Map, Value, json};

use crate::{
    edited_checkpoint::EditedCheckpoint,
    error::{Result, WriteError},
    gguf_file::{self, ALIGNMENT, GgufTensor},
    model_writer::ModelWriter,
    placed_params::{PlacedParam, by_tensor, encoded},
    removed_factors::RemovedFactors,
    removed_part::Removed,
    safetensors_shards::{self, PlannedTensor},
    staged_file::StagedFile,
    staging::Staging,
    thin_factors::{ThinFactors, is_smaller},
};

const WEIGHTS: &str = "adapter_model.safetensors";
const CONFIG: &str = "adapter_config.json";
const GGUF: &str = "adapter.gguf";

/// Writes a folder with an adapter for the unedited model: adapter_config.json and
/// adapter_model.safetensors for PEFT, adapter.gguf for llama.cpp if it has the family. Refuses an edit
/// that takes away more than it leaves: there two thin matrices are the smaller form.
#[derive(Clone, Debug, Default)]
pub struct LoraWriter {
    /// The unedited model's name.
    pub base: String,
}

/// The adapter of one stored tensor: W + b a, a of rank x inputs, b of outputs x rank.
struct Adapter {
    tensor: String,
    /// The matrices that share the tensor, where each has its rows, and their numbers among what is
    /// removed.
    parts: Vec<(StorageLayout, usize)>,
    rank: usize,
}

/// One of an adapter's two matrices.
enum Half<'a> {
    A(&'a Adapter),
    B(&'a Adapter),
}

impl ModelWriter for LoraWriter {
    fn reserves(&self, name: &str) -> bool {
        [WEIGHTS, CONFIG, GGUF].contains(&name)
    }

    fn write(&self, model: &EditedCheckpoint<'_>, folder: &Staging) -> Result<()> {
        let checkpoint = model.checkpoint();
        check_base(checkpoint)?;
        let mut removed = RemovedFactors::new(folder)?;
        for param in model.edited_params() {
            if let Some((rank, factors)) = removed_factors(model, param)? {
                model.note_stored(param, Precision::F32, Some(rank))?;
                removed.push(param, rank, &factors)?;
            }
        }
        if removed.matrices().is_empty() {
            let what = "edits that take nothing away".to_owned();
            let why = "PEFT opens no adapter without matrices: leave them out".to_owned();
            return Err(WriteError::Format { format: "lora", what, why });
        }
        self.write_peft(checkpoint, &removed, folder)?;
        match gguf_config(checkpoint.architecture(), checkpoint.config()) {
            Some(metadata) => write_gguf(metadata, checkpoint, &removed, folder),
            None => Ok(()),
        }
    }
}

/// Refuses models whose modules have other names in transformers than their tensors.
fn check_base(checkpoint: &Checkpoint) -> Result<()> {
    let (what, why) = if checkpoint.is_factored() {
        ("an edit of a folder that is factored already", "write it as hf first")
    } else if checkpoint.is_text_part() || checkpoint.architecture().transformers == InTransformers::Renamed {
        ("an edit of this model", "transformers has its modules under other names: write it as hf")
    } else {
        return Ok(());
    };
    Err(WriteError::Format { format: "lora", what: what.to_owned(), why: why.to_owned() })
}

/// What an edit takes away, with a minus, and its rank; `None` if that is nothing.
fn removed_factors(model: &EditedCheckpoint<'_>, param: ParamId) -> Result<Option<(usize, ThinFactors)>> {
    let Some(edit) = model.edit_of(param) else { return Ok(None) };
    let [rows, cols] = edit.matrix.kind.shape(model.checkpoint().config());
    let refused = |why: String| {
        let why = format!("{why}: write it as hf-factored or hf");
        WriteError::Format { format: "lora", what: edit.to_string(), why }
    };
    if model.checkpoint().config().experts_of(edit.matrix.kind).is_some() {
        return Err(refused("transformers keeps the experts of a layer in one tensor".to_owned()));
    }
    let full = rows.min(cols);
    // The thinner part of two: fewer than half of the components.
    let most = (0..=full / 2).rev().find(|&rank| is_smaller(rank, [rows, cols])).unwrap_or(0);
    match model.removed(param, most)? {
        None => Ok(None),
        Some(Removed::Other) => Err(refused("it takes away no sum of singular components".to_owned())),
        Some(Removed::Many(count)) => {
            let kept = full - count;
            let (thin, whole) = (count * (rows + cols), rows * cols);
            Err(refused(format!(
                "it takes away {count} of {full} components and keeps {kept}: the adapter would have {thin} values, \
                 the {rows} x {cols} matrix has {whole}"
            )))
        }
        Some(Removed::Components(factors)) => {
            let rank = factors.rank();
            let mut thin = ThinFactors::of(&factors, rank);
            thin.outer.iter_mut().for_each(|value| *value = -*value);
            Ok((rank > 0).then_some((rank, thin)))
        }
    }
}

/// The adapters of the stored tensors of a convention: matrices that share a tensor share its adapter.
fn adapters(checkpoint: &Checkpoint, removed: &RemovedFactors, convention: Convention) -> Result<Vec<Adapter>> {
    let layout = |param| Ok(checkpoint.layout_in(param, convention));
    let adapter = |(tensor, params): (String, Vec<PlacedParam>)| {
        let number = |param| removed.matrices().iter().position(|matrix| matrix.param == param);
        let parts: Vec<_> =
            params.into_iter().filter_map(|placed| Some((placed.layout, number(placed.param)?))).collect();
        let rank = parts.iter().map(|&(_, number)| removed.matrices()[number].rank).sum();
        Adapter { tensor, parts, rank }
    };
    let params = removed.matrices().iter().map(|matrix| matrix.param).collect();
    Ok(by_tensor(params, layout)?.into_iter().map(adapter).collect())
}

impl Adapter {
    fn inputs(&self) -> usize {
        self.parts.first().map_or(0, |(layout, _)| layout.cols())
    }

    fn outputs(&self) -> usize {
        self.parts.first().map_or(0, |(layout, _)| layout.stored_rows())
    }

    fn is_transposed(&self) -> bool {
        self.parts.iter().any(|(layout, _)| layout.transposed)
    }

    fn a(&self, removed: &RemovedFactors) -> Result<Vec<f32>> {
        let mut a = Vec::new();
        for &(_, number) in &self.parts {
            a.extend(removed.inner(number)?);
        }
        Ok(a)
    }

    fn b(&self, removed: &RemovedFactors) -> Result<Vec<f32>> {
        let (outputs, rank) = (self.outputs(), self.rank);
        let mut b = vec![0.0; outputs * rank];
        let mut before = 0;
        for (layout, number) in &self.parts {
            let own = removed.matrices()[*number].rank;
            // Rows go where the tensor has the part's.
            let rows = StorageLayout { shape: vec![outputs, own], transposed: false, ..layout.clone() };
            let mut whole = vec![0.0; outputs * own];
            rows.insert(&removed.outer(*number)?, &mut whole);
            for (row, values) in whole.chunks_exact(own).enumerate() {
                b[row * rank + before..][..own].copy_from_slice(values);
            }
            before += own;
        }
        Ok(b)
    }
}

impl Half<'_> {
    fn shape(&self) -> [usize; 2] {
        match self {
            Self::A(adapter) => [adapter.rank, adapter.inputs()],
            Self::B(adapter) => [adapter.outputs(), adapter.rank],
        }
    }

    /// Puts its values into a file, as f32.
    fn put(&self, tensor: &str, removed: &RemovedFactors, to: &mut StagedFile) -> Result<()> {
        let values = match self {
            Self::A(adapter) => adapter.a(removed)?,
            Self::B(adapter) => adapter.b(removed)?,
        };
        to.put(&encoded(tensor, Precision::F32, &values)?)
    }
}

impl LoraWriter {
    fn write_peft(&self, checkpoint: &Checkpoint, removed: &RemovedFactors, folder: &Staging) -> Result<()> {
        let adapters = adapters(checkpoint, removed, Convention::HuggingFace)?;
        let mut ranks = Map::new();
        let mut planned = Vec::new();
        for adapter in &adapters {
            let module = adapter.tensor.strip_suffix(".weight").unwrap_or(&adapter.tensor);
            ranks.insert(module.to_owned(), adapter.rank.into());
            for (end, half) in [("lora_A", Half::A(adapter)), ("lora_B", Half::B(adapter))] {
                planned.push(PlannedTensor {
                    name: format!("base_model.model.{module}.{end}.weight"),
                    dtype: Dtype::F32,
                    shape: half.shape().to_vec(),
                    content: half,
                });
            }
        }
        let largest = adapters.iter().map(|adapter| adapter.rank).max().unwrap_or(1);
        let config = json!({
            "peft_type": "LORA",
            "task_type": if checkpoint.config().masked { Value::Null } else { "CAUSAL_LM".into() },
            "base_model_name_or_path": self.base,
            "inference_mode": true,
            "bias": "none",
            "lora_dropout": 0.0,
            "fan_in_fan_out": adapters.iter().any(Adapter::is_transposed),
            // The scale, alpha / r, is 1 in each.
            "r": largest,
            "lora_alpha": largest,
            "target_modules": ranks.keys().collect::<Vec<_>>(),
            "rank_pattern": ranks,
            "alpha_pattern": ranks,
        });
        folder.write_json(CONFIG, &config)?;
        let put = |tensor: &PlannedTensor<Half<'_>>, to: &mut StagedFile| tensor.content.put(&tensor.name, removed, to);
        let metadata = json!({ "format": "pt" });
        folder.file(WEIGHTS, |to| safetensors_shards::put_file(planned, &metadata, to, &put))
    }
}

fn write_gguf(
    config: Vec<(String, Value)>,
    checkpoint: &Checkpoint,
    removed: &RemovedFactors,
    folder: &Staging,
) -> Result<()> {
    let mut metadata: Vec<(String, Value)> =
        config.into_iter().filter(|(key, _)| key == "general.architecture").collect();
    metadata.push(("general.type".to_owned(), "adapter".into()));
    metadata.push(("adapter.type".to_owned(), "lora".into()));
    // 0: the product is added as it is, whatever its rank.
    metadata.push(("adapter.lora.alpha".to_owned(), json!(0.0)));
    let adapters = adapters(checkpoint, removed, Convention::Gguf)?;
    let mut tensors = Vec::new();
    for adapter in &adapters {
        for (end, half) in [("lora_a", Half::A(adapter)), ("lora_b", Half::B(adapter))] {
            let (name, shape) = (format!("{}.{end}", adapter.tensor), half.shape().to_vec());
            tensors.push(GgufTensor { name, shape, precision: Precision::F32, content: half });
        }
    }
    let put = |tensor: &GgufTensor<Half<'_>>, to: &mut StagedFile| tensor.content.put(&tensor.name, removed, to);
    let head = gguf_file::head(tensors.len(), &metadata);
    folder.file(GGUF, |to| gguf_file::put_file(&head, ALIGNMENT, &tensors, to, &put))
}

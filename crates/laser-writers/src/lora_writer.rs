//! Edits as a LoRA adapter that subtracts what they take away: a PEFT folder, with the same as a GGUF
//! adapter.

use laser_checkpoint::{Checkpoint, Convention, ParamId, Precision, StorageLayout, gguf_config};
use safetensors::Dtype;
use serde_json::{Map, Value, json};

use crate::{
    edited_checkpoint::EditedCheckpoint,
    error::{Result, WriteError},
    gguf_file::{self, ALIGNMENT, GgufTensor},
    model_writer::ModelWriter,
    placed_params::by_tensor,
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
    a: Vec<f32>,
    b: Vec<f32>,
    rank: usize,
    inputs: usize,
    outputs: usize,
    transposed: bool,
}

impl ModelWriter for LoraWriter {
    fn reserves(&self, name: &str) -> bool {
        [WEIGHTS, CONFIG, GGUF].contains(&name)
    }

    fn write(&self, model: &EditedCheckpoint<'_>, folder: &Staging) -> Result<()> {
        let checkpoint = model.checkpoint();
        let mut removed = Vec::new();
        for param in model.edited_params() {
            let factors = removed_factors(model, param)?;
            if let Some((rank, _)) = &factors {
                model.note_stored(param, Precision::F32, Some(*rank))?;
            }
            removed.extend(factors.map(|(rank, factors)| (param, rank, factors)));
        }
        self.write_peft(checkpoint, &removed, folder)?;
        if let Some(metadata) = gguf_config(checkpoint.architecture(), checkpoint.config()) {
            let adapters = adapters(checkpoint, &removed, Convention::Gguf)?;
            write_gguf(metadata, adapters, folder)?;
        }
        Ok(())
    }
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
fn adapters(
    checkpoint: &Checkpoint,
    removed: &[(ParamId, usize, ThinFactors)],
    convention: Convention,
) -> Result<Vec<(String, Adapter)>> {
    let layout = |param| Ok(checkpoint.layout_in(param, convention));
    let tensors = by_tensor(removed.iter().map(|(param, ..)| *param).collect(), layout)?;
    let mut adapters = Vec::new();
    for (name, params) in tensors {
        let parts: Vec<(&StorageLayout, usize, &ThinFactors)> = params
            .iter()
            .filter_map(|placed| {
                let (_, rank, factors) = removed.iter().find(|(param, ..)| *param == placed.param)?;
                Some((&placed.layout, *rank, factors))
            })
            .collect();
        let Some((first, ..)) = parts.first() else { continue };
        let rank: usize = parts.iter().map(|(_, rank, _)| rank).sum();
        let (outputs, inputs) = (first.stored_rows(), first.cols());
        let mut b = vec![0.0; outputs * rank];
        let mut before = 0;
        for (layout, own, factors) in &parts {
            // Rows go where the tensor has the part's.
            let rows = StorageLayout { shape: vec![outputs, *own], transposed: false, ..(*layout).clone() };
            let mut whole = vec![0.0; outputs * own];
            rows.insert(&factors.outer, &mut whole);
            for (row, values) in whole.chunks_exact(*own).enumerate() {
                b[row * rank + before..][..*own].copy_from_slice(values);
            }
            before += own;
        }
        let a = parts.iter().flat_map(|(_, _, factors)| factors.inner.iter().copied()).collect();
        adapters.push((name, Adapter { a, b, rank, inputs, outputs, transposed: first.transposed }));
    }
    Ok(adapters)
}

impl LoraWriter {
    fn write_peft(
        &self,
        checkpoint: &Checkpoint,
        removed: &[(ParamId, usize, ThinFactors)],
        folder: &Staging,
    ) -> Result<()> {
        let adapters = adapters(checkpoint, removed, Convention::HuggingFace)?;
        let mut ranks = Map::new();
        let mut planned = Vec::new();
        let transposed = adapters.iter().any(|(_, adapter)| adapter.transposed);
        let largest = adapters.iter().map(|(_, adapter)| adapter.rank).max().unwrap_or(1);
        for (name, adapter) in adapters {
            let module = name.strip_suffix(".weight").unwrap_or(&name).to_owned();
            ranks.insert(module.clone(), adapter.rank.into());
            let tensor = |end: &str, shape: [usize; 2], content: Vec<f32>| PlannedTensor {
                name: format!("base_model.model.{module}.{end}.weight"),
                dtype: Dtype::F32,
                shape: shape.to_vec(),
                content,
            };
            planned.push(tensor("lora_A", [adapter.rank, adapter.inputs], adapter.a));
            planned.push(tensor("lora_B", [adapter.outputs, adapter.rank], adapter.b));
        }
        let config = json!({
            "peft_type": "LORA",
            "task_type": if checkpoint.config().masked { Value::Null } else { "CAUSAL_LM".into() },
            "base_model_name_or_path": self.base,
            "inference_mode": true,
            "bias": "none",
            "lora_dropout": 0.0,
            "fan_in_fan_out": transposed,
            // The scale, alpha / r, is 1 in each.
            "r": largest,
            "lora_alpha": largest,
            "target_modules": ranks.keys().collect::<Vec<_>>(),
            "rank_pattern": ranks,
            "alpha_pattern": ranks,
        });
        folder.write_json(CONFIG, &config)?;
        let put = |tensor: &PlannedTensor<Vec<f32>>, to: &mut StagedFile| {
            to.put(&Precision::F32.encode(&tensor.content).unwrap_or_default())
        };
        let metadata = json!({ "format": "pt" });
        folder.file(WEIGHTS, |to| safetensors_shards::put_file(planned, &metadata, to, &put))
    }
}

fn write_gguf(config: Vec<(String, Value)>, adapters: Vec<(String, Adapter)>, folder: &Staging) -> Result<()> {
    let mut metadata: Vec<(String, Value)> =
        config.into_iter().filter(|(key, _)| key == "general.architecture").collect();
    metadata.push(("general.type".to_owned(), "adapter".into()));
    metadata.push(("adapter.type".to_owned(), "lora".into()));
    // 0: the product is added as it is, whatever its rank.
    metadata.push(("adapter.lora.alpha".to_owned(), json!(0.0)));
    let mut tensors = Vec::new();
    for (name, adapter) in adapters {
        let tensor = |end: &str, shape: [usize; 2], content: Vec<f32>| GgufTensor {
            name: format!("{name}.{end}"),
            shape: shape.to_vec(),
            precision: Precision::F32,
            content,
        };
        tensors.push(tensor("lora_a", [adapter.rank, adapter.inputs], adapter.a));
        tensors.push(tensor("lora_b", [adapter.outputs, adapter.rank], adapter.b));
    }
    let put = |tensor: &GgufTensor<Vec<f32>>, to: &mut StagedFile| {
        to.put(&Precision::F32.encode(&tensor.content).unwrap_or_default())
    };
    let head = gguf_file::head(tensors.len(), &metadata);
    folder.file(GGUF, |to| gguf_file::put_file(&head, ALIGNMENT, &tensors, to, &put))
}

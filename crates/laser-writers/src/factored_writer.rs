//! An edited model as a Hugging Face folder of which the edited matrices are two thin ones each.

use std::cell::RefCell;

use laser_checkpoint::{Convention, InTransformers};
use safetensors::Dtype;
use serde_json::Value;

use crate::{
    companion_files::{config_json, copy_small_files, is_weights},
    edited_checkpoint::EditedCheckpoint,
    error::{Result, WriteError},
    factored_config::{self, Classes},
    factored_plan::{FactoredContent, FactoredPlan, FactoredTensor},
    model_writer::ModelWriter,
    patch_writer::LastFactors,
    placed_params::{assembled, copy, encoded},
    safetensors_shards::write_shards,
    staged_file::StagedFile,
    staging::Staging,
};

/// Shards as large as transformers' own.
const SHARD_BYTES: u64 = 5_000_000_000;

/// Writes a folder in Hugging Face layout in which each edited matrix of low rank is two thin ones,
/// where those are smaller, and modeling_laser.py, by which transformers opens it. A matrix that its
/// family keeps in one tensor with others stands on its own beside them.
#[derive(Clone, Copy, Debug)]
pub struct FactoredWriter {
    /// Ranks are rounded up to a multiple of this, with zeros: products of odd sizes are slow on GPUs.
    pub rank_multiple: usize,
}

impl ModelWriter for FactoredWriter {
    fn reserves(&self, name: &str) -> bool {
        is_weights(name) || name == factored_config::MODELING || name == "config.json"
    }

    fn write(&self, model: &EditedCheckpoint<'_>, folder: &Staging) -> Result<()> {
        let checkpoint = model.checkpoint();
        let refused = |what: &str, why: &str| {
            Err(WriteError::Format { format: "hf-factored", what: what.to_owned(), why: why.to_owned() })
        };
        if checkpoint.is_factored() {
            return refused("an edit of a folder that is factored already", "write it as hf first");
        }
        if checkpoint.is_text_part() {
            let why = "transformers keeps the text model within another one: write it as hf";
            return refused("the text model of a model for images or sound", why);
        }
        let family = &checkpoint.architecture().family;
        if checkpoint.architecture().transformers != InTransformers::Native {
            let why = "transformers has no class of its own for it: write it as hf";
            return refused(&format!("a model of the family {family}"), why);
        }
        let FactoredPlan { tensors, modules, whole, .. } = FactoredPlan::new(model, self.rank_multiple)?;
        let dtype = tensors.first().map_or(Dtype::F16, |tensor| tensor.dtype);
        let mut config = config_json(checkpoint, dtype)?;
        if !modules.is_empty() {
            let classes = Classes::of(checkpoint.architecture(), checkpoint.config().masked);
            folder.write(factored_config::MODELING, classes.modeling().as_bytes())?;
            config = factored_config::factored(config, &classes, &modules);
        }
        folder.write_json("config.json", &Value::Object(config))?;
        copy_small_files(checkpoint, &[], folder)?;
        let last = RefCell::new(LastFactors::default());
        let put = |tensor: &FactoredTensor, to: &mut StagedFile| put(model, &last, tensor, to);
        write_shards(tensors, SHARD_BYTES, folder, &put)?;
        for (param, why) in whole {
            model.amend_stored(param, |stored| stored.why_dense = Some(why));
        }
        Ok(())
    }
}

fn put(
    model: &EditedCheckpoint<'_>,
    last: &RefCell<LastFactors>,
    tensor: &FactoredTensor,
    to: &mut StagedFile,
) -> Result<()> {
    let (content, precision) = &tensor.content;
    let checkpoint = model.checkpoint();
    let values = match content {
        FactoredContent::Copy(stored, is_read) => return copy(stored, &checkpoint.stored(stored)?, *is_read, to),
        FactoredContent::Assembled(params) => {
            let values = assembled(model, params, Convention::HuggingFace)?;
            params.iter().try_for_each(|placed| model.note_stored(placed.param, *precision, None))?;
            values
        }
        FactoredContent::Alone(param) => {
            let values = model.values(*param)?;
            model.note_stored(*param, *precision, None)?;
            values
        }
        FactoredContent::Inner(param, rank) => {
            let values = last.borrow_mut().of(model, *param, *rank)?.inner.clone();
            model.note_stored(*param, *precision, Some(*rank))?;
            values
        }
        FactoredContent::Outer(param, rank) => last.borrow_mut().of(model, *param, *rank)?.outer.clone(),
    };
    to.put(&encoded(&tensor.name, *precision, &values)?)
}

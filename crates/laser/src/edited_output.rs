//! Writing an edited model: in which form, and what is said of it.

use crate::calibration_text::{edited, need_more};
use crate::error::Result;
use crate::model_card::{ModelCard, base_model};
use crate::read_back;
use laser_checkpoint::{Checkpoint, ParamId, ParamKind, Precision};
use laser_tokenizer::Tokenizer;
use laser_writers::{
    Changes, FactoredWriter, GgufWriter, HuggingFaceWriter, LoraWriter, ModelWriter, PatchWriter, WriteOptions,
    Written, write_model,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A form in which an edited model is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// A Hugging Face folder of the source's own tensors.
    #[default]
    HuggingFace,
    /// A Hugging Face folder with two thin matrices in place of each edited one.
    Factored,
    /// A GGUF file.
    Gguf,
    /// An adapter for the unedited model that subtracts what the edits take away.
    Lora,
    /// What the edits made of their matrices, alone.
    Patch,
}

impl OutputFormat {
    /// Every form.
    pub const ALL: [Self; 5] = [Self::HuggingFace, Self::Factored, Self::Gguf, Self::Lora, Self::Patch];

    /// Its name: `hf`, `hf-factored` ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::HuggingFace => "hf",
            Self::Factored => "hf-factored",
            Self::Gguf => "gguf",
            Self::Lora => "lora",
            Self::Patch => "patch",
        }
    }
}

impl FromStr for OutputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            let nearest = laser_guard::did_you_mean(text, names);
            format!("{text:?} is not a format: {nearest}the formats are {}", names.join(", "))
        })
    }
}

/// How an edited model is written.
#[derive(Debug, Clone, Default)]
pub struct OutputPlan {
    /// The form.
    pub format: OutputFormat,
    /// Replace what is at the target.
    pub force: bool,
    /// Of `gguf`: the type of what is encoded; by default that of the source.
    pub precision: Option<Precision>,
    /// Of `hf-factored`: ranks are rounded up to a multiple of this.
    pub rank_multiple: usize,
    /// Files that are read beside the model: they are not replaced.
    pub reads: Vec<PathBuf>,
    /// Of which search the edits are the outcome, for the model card.
    pub card: ModelCard,
    /// A text that edits are calibrated on which ask for one, if it is not the project's own.
    pub calibration: Option<PathBuf>,
}

impl OutputPlan {
    /// Whether a GGUF file would have quantised matrices.
    fn is_quantised(&self, checkpoint: &Checkpoint) -> bool {
        let stored = || checkpoint.params().into_iter().filter_map(|param| checkpoint.stored_precision(param).ok());
        self.precision.map_or_else(|| stored().any(Precision::is_quantised), Precision::is_quantised)
    }

    fn writer(&self, checkpoint: &Checkpoint) -> Result<Box<dyn ModelWriter>> {
        let base = base_model(checkpoint);
        Ok(match self.format {
            OutputFormat::HuggingFace => Box::new(HuggingFaceWriter::default()),
            OutputFormat::Factored => Box::new(FactoredWriter { rank_multiple: self.rank_multiple }),
            OutputFormat::Gguf => {
                // A GGUF file has its tokenizer in its metadata, which are copied.
                let tokenizer = match checkpoint.gguf_head() {
                    Some(_) => Vec::new(),
                    None => tokenizer_of(checkpoint)?.gguf_entries(checkpoint.config().vocab_size)?,
                };
                Box::new(GgufWriter { precision: self.precision, tokenizer, name: base })
            }
            OutputFormat::Lora => Box::new(LoraWriter { base }),
            OutputFormat::Patch => Box::new(PatchWriter),
        })
    }
}

/// What was written, and how it compares with the unedited model.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Output {
    /// Bytes of the source's tensors.
    pub bytes_before: u64,
    /// Bytes of the tensors that were written.
    pub bytes_after: u64,
    /// Multiplications that a token costs in the matrices and the head, before.
    pub products_before: u64,
    /// The same now.
    pub products_after: u64,
    /// What each edit did.
    pub interventions: Vec<laser_writers::EditRecord>,
}

/// Writes an edited model that need not be loaded to the folder or file `out`.
///
/// # Errors
/// If an edit does not fit the model, the form cannot hold it, or the target cannot be written.
pub fn write_edited<'a>(
    checkpoint: &'a Checkpoint,
    changes: impl Into<Changes<'a>>,
    out: &Path,
    plan: &OutputPlan,
) -> Result<Output> {
    let mut changes = changes.into();
    let (patch, mut calibrated_on);
    let mut record = serde_json::Map::new();
    let mut card = plan.card.clone().of(base_model(checkpoint), plan.format.name());
    if let Changes::Edits(edits) = changes
        && need_more(edits)
    {
        (patch, calibrated_on) = edited(checkpoint, &tokenizer_of(checkpoint)?, edits, plan.calibration.as_deref())?;
        changes = Changes::Patch(&patch);
        if let Some(sha256) = calibrated_on.take() {
            record.insert("calibration".to_owned(), serde_json::json!({ "sha256": sha256 }));
            card = card.calibrated_on(sha256);
        }
    }
    let text = |edits: &[laser_writers::EditRecord]| card.text(checkpoint, edits);
    let is_model = matches!(plan.format, OutputFormat::HuggingFace | OutputFormat::Factored);
    // A folder's tokenizer is copied with its other files, if it has one.
    let from_gguf = is_model && checkpoint.gguf_head().is_some();
    let extra = if from_gguf { tokenizer_of(checkpoint)?.huggingface_files().to_vec() } else { Vec::new() };
    let edits = match changes {
        Changes::Edits(edits) => Some(edits),
        Changes::Patch(_) => None,
    };
    // The rounding of a few bits per value may change logits by any amount.
    let rounds_much = plan.format == OutputFormat::Gguf && plan.is_quantised(checkpoint);
    let edits = edits.filter(|_| !rounds_much);
    let run = |path: &Path| read_back::check_logits(checkpoint, edits, path);
    let is_run = (is_model || plan.format == OutputFormat::Gguf) && read_back::is_small(checkpoint);
    let check: Option<laser_writers::Check<'_>> = if is_run { Some(&run) } else { None };
    let reads = plan.reads.clone();
    let options = WriteOptions { force: plan.force, reads, extra, record, card: Some(&text), check };
    let writer = plan.writer(checkpoint)?;
    let Written { edits, bytes } = write_model(checkpoint, changes, out, &*writer, &options)?;
    let before = products(checkpoint);
    let after = match is_model {
        true => products(&Checkpoint::open_as(out, checkpoint.custom_architecture())?),
        // A patch computes nothing, and an adapter is added to what the model computes.
        false => before,
    };
    Ok(Output {
        bytes_before: checkpoint.weight_bytes(),
        bytes_after: bytes,
        products_before: before,
        products_after: after,
        interventions: edits,
    })
}

/// Multiplications of a token with the matrices of all layers, as they are stored, and the head; of a
/// mixture's experts with as many as it goes through.
fn products(checkpoint: &Checkpoint) -> u64 {
    let config = checkpoint.config();
    let of_matrix = |param: ParamId| {
        let ParamKind::Matrix(kind) = param.kind else { return 0 };
        let [rows, cols] = kind.shape(config);
        let values = checkpoint.thin_rank(param).map_or(rows * cols, |rank| rank * (rows + cols)) as u64;
        config.experts_of(kind).map_or(values, |experts| values * experts.per_token as u64 / experts.count as u64)
    };
    let matrices = checkpoint.params().into_iter().filter(|param| !param.is_bias).map(of_matrix);
    matrices.sum::<u64>() + (config.vocab_size * config.hidden_size) as u64
}

pub(crate) fn tokenizer_of(checkpoint: &Checkpoint) -> Result<Tokenizer> {
    Ok(Tokenizer::open(checkpoint.path(), checkpoint.metadata(&laser_tokenizer::GGUF_KEYS)?.as_ref())?)
}

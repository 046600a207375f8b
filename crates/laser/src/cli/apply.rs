//! What `laser apply` is told.

use super::CheckpointOptions;
use clap::{ArgGroup, Args};
use laser::OutputFormat;
use laser_checkpoint::Precision;
use laser_edit::InterventionSpec;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("edit").required(true).args(["reduce", "recipe", "patch"]))]
pub struct ApplyOptions {
    #[command(flatten)]
    pub checkpoint: CheckpointOptions,
    /// What to edit, as LAYER.MATRIX:EDIT (repeatable)
    #[arg(long, value_name = "SPEC", allow_hyphen_values = true)]
    pub reduce: Vec<InterventionSpec>,
    /// Edit as a search found best: its RUN folder, or RUN/best.json
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Not the chosen edits of the recipe's search, but row N of `laser front RUN`; without N, what is
    /// picked from a menu
    #[arg(long, value_name = "N", requires = "recipe", num_args = 0..=1, default_missing_value = "menu", value_parser = parse_pick)]
    pub pick: Option<Pick>,
    /// Put back the matrices of a patch that was written for this very model
    #[arg(long, value_name = "FILE")]
    pub patch: Option<PathBuf>,
    /// What to write: hf (a Hugging Face folder), hf-factored (the same with two thin matrices in place of each edited one), gguf (a file for llama.cpp), lora (an adapter for the unedited model) or patch (the edited matrices alone) [default: gguf for a PATH that ends in .gguf, else hf]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<OutputFormat>,
    /// The type that gguf encodes in: f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q2_k ... q6_k, or keep, that of the source. Of a GGUF source it is that of the edited tensors alone
    #[arg(long, value_name = "TYPE", default_value = "keep", value_parser = parse_precision)]
    pub quant: Quant,
    /// Round the ranks of hf-factored up to a multiple of N, with zeros: products of odd sizes are slow on GPUs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub rank_multiple: u16,
    /// The folder or file to write
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// Replace PATH if it exists
    #[arg(long)]
    pub force: bool,
}

impl ApplyOptions {
    /// The form that was asked for, or that the name of the output says.
    pub fn form(&self) -> OutputFormat {
        let is_gguf = self.out.extension().is_some_and(|it| it.eq_ignore_ascii_case("gguf"));
        self.format.unwrap_or(if is_gguf { OutputFormat::Gguf } else { OutputFormat::HuggingFace })
    }
}

/// A type of values, or none for the source's own.
#[derive(Debug, Clone, Copy)]
pub struct Quant(pub Option<Precision>);

/// A row of a search's front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// This one.
    Row(usize),
    /// One that is asked for.
    Menu,
}

fn parse_pick(text: &str) -> Result<Pick, String> {
    match text.parse() {
        _ if text == "menu" => Ok(Pick::Menu),
        Ok(row) => Ok(Pick::Row(row)),
        Err(_) => Err(format!("`{text}` is not a row of `laser front RUN`: write its number, or nothing for a menu")),
    }
}

fn parse_precision(text: &str) -> Result<Quant, String> {
    // q8_k is for activations.
    let types = || Precision::ALL.into_iter().filter(|&precision| precision != Precision::Q8K);
    match types().find(|precision| precision.name() == text.to_lowercase()) {
        _ if text == "keep" => Ok(Quant(None)),
        Some(precision) => Ok(Quant(Some(precision))),
        None => {
            let names: Vec<&str> = types().map(Precision::name).collect();
            Err(format!("{text:?} is not a type: the types are keep, {}", names.join(", ")))
        }
    }
}

//! What `laser chat` and `laser compare` are told.

use super::ModelOptions;
use clap::{ArgGroup, Args};
use laser::Sampling;
use laser_edit::InterventionSpec;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct ChatOptions {
    #[command(flatten)]
    pub model: ModelOptions,
    #[command(flatten)]
    pub edit: EditOptions,
    /// Say this and leave after the answer; without it, standard input is read line by line
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    #[command(flatten)]
    pub speech: SpeechOptions,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("edited").required(true).args(["reduce", "recipe"]))]
pub struct CompareOptions {
    #[command(flatten)]
    pub model: ModelOptions,
    #[command(flatten)]
    pub edit: EditOptions,
    /// What to say to both (repeatable); without it, standard input is read line by line
    #[arg(long, value_name = "TEXT")]
    pub prompt: Vec<String>,
    #[command(flatten)]
    pub speech: SpeechOptions,
}

#[derive(Debug, Args)]
pub struct EditOptions {
    /// Edit the model first, as LAYER.MATRIX:EDIT, for example 27.fc_in:0.01 (repeatable)
    #[arg(long, value_name = "SPEC", allow_hyphen_values = true, conflicts_with = "recipe")]
    pub reduce: Vec<InterventionSpec>,
    /// Edit as a search found best: its RUN folder, or RUN/best.json
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SpeechOptions {
    /// Have the model continue the text as it is, not answer it by its chat template; a model without a template always does
    #[arg(long)]
    pub raw: bool,
    /// The longest answer, in tokens
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// 0 takes the likeliest token each time; larger values draw more freely
    #[arg(long, value_name = "T", default_value_t = 0.0, value_parser = parse_temperature)]
    pub temperature: f64,
    /// Seed of the draws
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
}

impl SpeechOptions {
    /// How tokens are chosen.
    pub fn sampling(&self) -> Sampling {
        Sampling { temperature: self.temperature, seed: self.seed }
    }
}

fn parse_temperature(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (0.0..=100.0).contains(&number) { Ok(number) } else { Err("a temperature is from 0 to 100".to_owned()) }
}

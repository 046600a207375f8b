//! `laser apply`: the edited model, as a Hugging Face folder.

use crate::bar::Bar;
use crate::cli::{ApplyOptions, Global};
use crate::{output, subject};
use anyhow::Context;
use laser_checkpoint::{Checkpoint, HuggingFaceWriter, WriteOptions, write_model};
use laser_edit::{Candidate, Recipe};
use laser_model::Tokenizer;
use laser_run::{Progress, Word};
use serde::Deserialize;
use serde_json::json;
use std::fs;
use std::path::Path;

pub fn run(options: &ApplyOptions, global: &Global) -> anyhow::Result<()> {
    let progress = Bar::new(global.quiet);
    let checkpoint = subject::open_checkpoint(&options.checkpoint, &progress)?;
    let candidate = match &options.recipe {
        Some(path) => {
            let best = path.join("best.json");
            let path = if path.is_dir() { best.as_path() } else { path };
            let candidate = read_recipe(path, &checkpoint)?;
            if let Some(Judged { word, because }) = judged(path).filter(|judged| !judged.word.is_better()) {
                progress.note(&format!("the verdict on this edit was {word}: {because}"));
            }
            candidate
        }
        None => subject::candidate(&options.reduce, checkpoint.config())?,
    };
    write(&checkpoint, &candidate, &options.out, options.force)?;
    if global.json {
        return output::print_json(&json!({"out": options.out, "interventions": candidate}));
    }
    output::print(&format!(
        "{candidate} of {} written to {}\n",
        options.checkpoint.model.display(),
        options.out.display()
    ))
}

/// Writes `checkpoint` under `candidate` to the folder `out`.
pub fn write(checkpoint: &Checkpoint, candidate: &Candidate, out: &Path, force: bool) -> anyhow::Result<()> {
    let tokenizer = Tokenizer::open(checkpoint.path(), checkpoint.metadata("tokenizer.")?.as_ref())?;
    let options = WriteOptions { force, extra: tokenizer.huggingface_files().to_vec(), ..WriteOptions::default() };
    write_model(checkpoint, candidate.interventions(), out, &HuggingFaceWriter::default(), &options)?;
    Ok(())
}

/// What a verdict says.
#[derive(Deserialize)]
struct Judged {
    word: Word,
    because: String,
}

/// The verdict beside a recipe, where there is one.
fn judged(recipe: &Path) -> Option<Judged> {
    let text = fs::read_to_string(recipe.with_file_name("verdict.json")).ok()?;
    serde_json::from_str(&text).ok()
}

fn read_recipe(path: &Path, checkpoint: &Checkpoint) -> anyhow::Result<Candidate> {
    if !path.exists() && path.ends_with("best.json") && path.with_file_name("run.json").exists() {
        anyhow::bail!(
            "{}: there is no recipe yet: the search is not finished: run the same search again",
            path.display()
        );
    }
    let text = fs::read_to_string(path).with_context(|| format!("{}: the recipe cannot be read", path.display()))?;
    let recipe: Recipe = serde_json::from_str(&text)
        .with_context(|| format!("{}: this is no recipe: give the best.json of a RUN folder", path.display()))?;
    anyhow::ensure!(
        recipe.model == checkpoint.fingerprint()?,
        "{}: the recipe was found for other model files: give its interventions with --reduce to apply them all the same",
        path.display()
    );
    for intervention in recipe.interventions.interventions() {
        intervention.check(checkpoint.config())?;
    }
    Ok(recipe.interventions)
}

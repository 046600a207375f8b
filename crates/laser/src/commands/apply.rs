//! `laser apply`: the edited model, as a Hugging Face folder.

use crate::bar::Bar;
use crate::cli::{ApplyOptions, Global};
use crate::output;
use laser::{read_recipe, write_edited};
use laser_edit::{Candidate, InterventionSpec};
use laser_run::{Progress, Word};
use serde::Deserialize;
use serde_json::json;
use std::fs;
use std::path::Path;

pub fn run(options: &ApplyOptions, global: &Global) -> anyhow::Result<()> {
    let progress = Bar::new(global.quiet);
    let checkpoint = options.checkpoint.source().open(&progress)?;
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
        None => Candidate::new(InterventionSpec::expand_all(&options.reduce, checkpoint.config())?)?,
    };
    write_edited(&checkpoint, &candidate, &options.out, options.force)?;
    if global.json {
        return output::print_json(&json!({"out": options.out, "interventions": candidate}));
    }
    output::print(&format!(
        "{candidate} of {} written to {}\n",
        options.checkpoint.model.display(),
        options.out.display()
    ))
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

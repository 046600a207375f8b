//! `laser apply`: the edited model, as a Hugging Face folder.

use crate::bar::Bar;
use crate::cli::{ApplyOptions, Global};
use crate::output;
use laser::{read_recipe, write_edited};
use laser_edit::{Candidate, InterventionSpec};
use laser_run::{Progress, StoredVerdict};
use serde_json::json;

pub fn run(options: &ApplyOptions, global: &Global) -> anyhow::Result<()> {
    let progress = Bar::new(global.quiet);
    let checkpoint = options.checkpoint.source().open(&progress)?;
    let candidate = match &options.recipe {
        Some(path) => {
            let recipe = read_recipe(path, &checkpoint)?;
            if let Some(StoredVerdict { word, because }) = recipe.verdict.filter(|verdict| !verdict.word.is_better()) {
                progress.note(&format!("the verdict on this edit was {word}: {because}"));
            }
            recipe.edits
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

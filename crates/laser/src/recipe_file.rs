//! What a search found best, read back.

use crate::error::{Error, Result};
use laser_checkpoint::Checkpoint;
use laser_edit::{Candidate, Recipe};
use std::fs;
use std::path::Path;

/// The edits of a recipe: a RUN folder, its `best.json`, or a file like it.
///
/// # Errors
/// If it is no recipe, or was found for other files than `checkpoint`'s.
pub fn read_recipe(path: &Path, checkpoint: &Checkpoint) -> Result<Candidate> {
    let best = path.join("best.json");
    let path = if path.is_dir() { best.as_path() } else { path };
    if !path.exists() && path.ends_with("best.json") && path.with_file_name("run.json").exists() {
        return Err(Error::NoRecipeYet { path: path.to_owned() });
    }
    let text = fs::read(path).map_err(|source| Error::Unreadable { what: "recipe", path: path.to_owned(), source })?;
    let recipe: Recipe =
        serde_json::from_slice(&text).map_err(|source| Error::NoRecipe { path: path.to_owned(), source })?;
    if recipe.model != checkpoint.fingerprint()? {
        return Err(Error::OtherModel { path: path.to_owned() });
    }
    for intervention in recipe.interventions.interventions() {
        intervention.check(checkpoint.config())?;
    }
    Ok(recipe.interventions)
}

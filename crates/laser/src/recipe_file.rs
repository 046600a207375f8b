//! What a search found best, read back.

use crate::calibration_text::{check, is_needed};
use crate::error::{Error, Result};
use laser_checkpoint::Checkpoint;
use laser_edit::{Candidate, Recipe};
use laser_run::{CostedCandidate, RunFolder, SplitName, StoredVerdict, front};
use std::path::{Path, PathBuf};

/// No recipe is larger, in bytes.
const LARGEST: u64 = 1 << 28;

/// The edits of a recipe, and what the verdict on them was if it comes from a RUN folder.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundRecipe {
    /// The edits.
    pub edits: Candidate,
    /// The verdict's word and reason.
    pub verdict: Option<StoredVerdict>,
}

/// What is on the front of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundFront {
    /// What each candidate gains and costs.
    pub candidates: Vec<CostedCandidate>,
    path: PathBuf,
    /// The SHA-256 of the text that edits are calibrated on, if some are.
    calibrated_on: Option<String>,
}

impl FoundFront {
    /// Refuses to calibrate `edits` on another text than the search did: the one in `calibration`, or the project's own.
    ///
    /// # Errors
    /// If it is another text, or cannot be read.
    pub fn check_calibration(&self, edits: &Candidate, calibration: Option<&Path>) -> Result<()> {
        if is_needed(edits.interventions()) {
            check(&self.path, self.calibrated_on.as_deref(), calibration)?;
        }
        Ok(())
    }
}

/// Reads what is on the front of the search in the RUN folder that `path` is, or whose `best.json` it is: what each candidate
/// gains and costs.
///
/// # Errors
/// If there is no such search, it measured no costs, or it was on other files than `checkpoint`'s.
pub fn read_front(path: &Path, checkpoint: &Checkpoint) -> Result<FoundFront> {
    let run = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let folder = RunFolder::open(if run.as_os_str().is_empty() { Path::new(".") } else { run })?;
    let description = folder.description()?;
    if description.model.files != checkpoint.fingerprint()? {
        return Err(Error::OtherModel { path: path.to_owned() });
    }
    let chosen = folder.recipe()?.map(|recipe| recipe.interventions);
    let entries = folder.entries()?;
    let candidates = front(&entries, &folder.costs()?, &folder.objective(&entries)?, chosen.as_ref());
    if candidates.is_empty() {
        return Err(Error::NoFront { path: folder.path().to_owned() });
    }
    for edit in candidates.iter().flat_map(|candidate| candidate.interventions.interventions()) {
        edit.check(checkpoint.config())?;
    }
    let calibrated_on = description.search.calibration.map(|text| text.sha256);
    Ok(FoundFront { candidates, path: folder.path().to_owned(), calibrated_on })
}

/// Reads a recipe: a RUN folder, its `best.json`, or a file like it. `calibration` is the text that its edits are to be
/// calibrated on, if it is not the project's own.
///
/// # Errors
/// If it is not a recipe, was found for other files than `checkpoint`'s or with another text, or is not of the search beside it.
pub fn read_recipe(path: &Path, checkpoint: &Checkpoint, calibration: Option<&Path>) -> Result<FoundRecipe> {
    let best = path.join("best.json");
    let path = if path.is_dir() { best.as_path() } else { path };
    let run = path.parent().and_then(|folder| RunFolder::open(folder).ok());
    if !path.exists() && path.ends_with("best.json") && run.is_some() {
        return Err(Error::NoRecipeYet { path: path.to_owned() });
    }
    let unreadable = |source| Error::UnreadableRecipe { path: path.to_owned(), source };
    let text = laser_guard::read_file(path, LARGEST).map_err(unreadable)?;
    let recipe: Recipe =
        serde_json::from_slice(&text).map_err(|source| Error::NoRecipe { path: path.to_owned(), source })?;
    if recipe.model != checkpoint.fingerprint()? {
        return Err(Error::OtherModel { path: path.to_owned() });
    }
    if is_needed(recipe.interventions.interventions()) {
        check(path, recipe.calibration.as_deref(), calibration)?;
    }
    for intervention in recipe.interventions.interventions() {
        intervention.check(checkpoint.config())?;
    }
    let edits = recipe.interventions;
    if path.ends_with("best.json") && run.as_ref().is_some_and(|run| was_not_scored(run, &edits)) {
        return Err(Error::UnscoredRecipe { path: path.to_owned(), edits: edits.to_string() });
    }
    // A verdict that cannot be read, or is on other edits, stands in the way of no edit.
    let verdict = run.and_then(|run| run.stored_verdict().ok().flatten());
    let verdict = verdict.filter(|verdict| verdict.best.as_ref().is_none_or(|best| *best == edits));
    Ok(FoundRecipe { edits, verdict })
}

/// Whether a RUN folder's journal says of other edits than these what they gave.
fn was_not_scored(run: &RunFolder, edits: &Candidate) -> bool {
    let scored = run.entries().ok().filter(|entries| !entries.all().is_empty());
    *edits != Candidate::base() && scored.is_some_and(|entries| entries.get(SplitName::Validation, edits).is_none())
}

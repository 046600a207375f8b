//! What a search found best, read back.

use crate::calibration_text::{check, is_needed};
use crate::error::{Error, Result};
use laser_checkpoint::Checkpoint;
use laser_edit::{Candidate, Recipe};
use laser_run::{CostedCandidate, RunFolder, SplitName, Verdict, front};
use std::path::Path;

/// No recipe is larger, in bytes.
const LARGEST: u64 = 1 << 28;

/// The edits of a recipe.
#[derive(Debug, Clone)]
pub struct FoundRecipe {
    /// The edits.
    pub edits: Candidate,
    /// The RUN folder that it comes from.
    run: Option<RunFolder>,
}

impl FoundRecipe {
    /// The RUN folder that it comes from, if it lies in one.
    pub fn run(&self) -> Option<&Path> {
        self.run.as_ref().map(RunFolder::path)
    }

    /// The verdict on the edits, if the search in the recipe's RUN folder chose them.
    pub fn judged(&self) -> Option<JudgedEdits> {
        JudgedEdits::new(self.run.as_ref()?, &self.edits)
    }
}

/// What the search that chose some edits says of them. It follows from all files of the RUN folder: `verdict.json` is not read.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedEdits {
    /// The task that was searched on, as it was named.
    pub task: String,
    /// The verdict.
    pub verdict: Verdict,
}

impl JudgedEdits {
    /// Of `edits`, if the search in `run` is finished and chose them. Files that do not belong together stand in the way of no edit.
    fn new(run: &RunFolder, edits: &Candidate) -> Option<Self> {
        let verdict = run.judge().ok().filter(|verdict| verdict.best == *edits)?;
        Some(Self { task: run.description().ok()?.task.spec, verdict })
    }
}

/// What is on the front of a search.
#[derive(Debug, Clone)]
pub struct FoundFront {
    /// What each candidate gains and costs.
    pub candidates: Vec<CostedCandidate>,
    run: RunFolder,
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
            check(self.run.path(), self.calibrated_on.as_deref(), calibration)?;
        }
        Ok(())
    }

    /// The verdict on `edits`, if the search chose them.
    pub fn judged(&self, edits: &Candidate) -> Option<JudgedEdits> {
        JudgedEdits::new(&self.run, edits)
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
    Ok(FoundFront { candidates, run: folder, calibrated_on })
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
    Ok(FoundRecipe { edits, run })
}

/// Whether a RUN folder's journal says of other edits than these what they gave.
fn was_not_scored(run: &RunFolder, edits: &Candidate) -> bool {
    let scored = run.entries().ok().filter(|entries| !entries.all().is_empty());
    *edits != Candidate::base() && scored.is_some_and(|entries| entries.get(SplitName::Validation, edits).is_none())
}

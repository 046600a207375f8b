//! What another search has scored already.

use crate::cost::Cost;
use crate::description::{RunDescription, SearchDescription};
use crate::entries::Entries;
use crate::entry::{Entry, SplitName};
use crate::error::{Error, Result};
use crate::example_range::ExampleRange;
use crate::measured_costs::Costs;
use crate::run_folder::RunFolder;
use laser_edit::Candidate;
use serde_json::{Value, json};

/// The results of another search of the same model and examples, which hold for this one, too.
#[derive(Debug)]
pub struct ReusedResults {
    entries: Entries,
    /// Nothing where costs were measured on another text or other tasks.
    costs: Costs,
    /// Whether edits that are calibrated on a text were on the same one.
    same_calibration: bool,
    /// Whether ranges are of the same examples: races order them by the seed.
    same_order: bool,
}

impl ReusedResults {
    /// What the search in `folder` has scored, for the search `asked`.
    ///
    /// # Errors
    /// [`Error::NotReusable`] where another model answered, other examples were asked, or other kernels computed; the
    /// folder cannot be read.
    pub fn of(folder: &RunFolder, asked: &RunDescription) -> Result<Self> {
        let found = folder.description()?;
        let parts = [
            ("version", json!(found.version), json!(asked.version)),
            ("model", json!(found.model.files), json!(asked.model.files)),
            ("task, or the sample of it,", json!(found.task.digest), json!(asked.task.digest)),
            ("sample of examples", json!(found.examples_sha256), json!(asked.examples_sha256)),
            ("chat", json!(found.search.chat), json!(asked.search.chat)),
            ("device or kernels", computed_by(&found), computed_by(asked)),
        ];
        if let Some((what, ..)) = parts.iter().find(|(_, found, asked)| found != asked) {
            return Err(Error::NotReusable { path: folder.path().to_owned(), what });
        }
        let costs = if measured_on(&found) == measured_on(asked) { folder.costs()? } else { Costs::default() };
        let same_calibration = calibrated_on(&found) == calibrated_on(asked);
        let same_order = found.search.seed == asked.search.seed;
        Ok(Self { entries: folder.entries()?, costs, same_calibration, same_order })
    }

    /// Everything that it has scored.
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// Everything that it has measured on the same text and tasks.
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// What a candidate gave on a whole split, or on a range of validation, whose examples stand in `order`.
    pub fn entry(
        &self,
        split: SplitName,
        candidate: &Candidate,
        range: Option<ExampleRange>,
        order: &[usize],
    ) -> Option<Entry> {
        if !self.holds(candidate) {
            return None;
        }
        if let Some(entry) = self.entries.get_on(split, candidate, range)
            && (self.same_order || range.is_none())
        {
            return Some(entry.clone());
        }
        let whole = self.entries.get(split, candidate)?;
        let of_range = whole.only(order.get(range?.start..range?.end)?)?;
        Some(Entry { part: range, ..of_range })
    }

    /// What a candidate costs on one half, if that was measured on the same text and tasks.
    pub fn cost(&self, split: SplitName, candidate: &Candidate) -> Option<&Cost> {
        self.costs.get(split, candidate).filter(|_| self.holds(candidate))
    }

    /// Whether a candidate stands for the same weights here and there.
    fn holds(&self, candidate: &Candidate) -> bool {
        self.same_calibration || !candidate.interventions().iter().any(|it| it.edit.is_calibrated())
    }
}

fn computed_by(run: &RunDescription) -> Value {
    json!([run.search.device, run.search.kernel_path, run.search.dtype])
}

fn calibrated_on(run: &RunDescription) -> Value {
    json!(run.search.calibration.as_ref().map(|text| &text.sha256))
}

fn measured_on(run: &RunDescription) -> Value {
    let text = run.search.text.as_ref().map(|text| json!([text.sha256, text.limit, text.window]));
    let guards: Vec<_> = run.search.guards.iter().map(|guard| &guard.digest).collect();
    let SearchDescription { limit, first, seed, split_first, validation, .. } = &run.search;
    json!([text, guards, limit, first, seed, split_first, validation])
}

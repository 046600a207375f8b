//! `laser front`: gain against cost of a search's candidates.

use crate::cli::{FrontOptions, Global};
use crate::output::{self, Usage};
use laser_edit::Candidate;
use laser_report::front_text;
use laser_run::{CostedCandidate, RunFolder, costed};
use schemars::JsonSchema;
use serde::Serialize;

/// Gain against cost, as the program prints it.
#[derive(Serialize, JsonSchema)]
pub struct FrontDocument {
    /// The RUN folder.
    run: String,
    /// The chosen candidate; null before the search's end.
    best: Option<Candidate>,
    /// From the lowest divergence to the highest.
    front: Vec<CostedCandidate>,
}

pub fn run(options: &FrontOptions, global: &Global) -> anyhow::Result<()> {
    let folder = RunFolder::open(&options.run)?;
    let (entries, costs) = (folder.entries()?, folder.costs()?);
    let best = folder.recipe()?.map(|recipe| recipe.interventions);
    let all = costed(&entries, &costs, &folder.objective(&entries)?, best.as_ref());
    let front: Vec<CostedCandidate> = all.into_iter().filter(|it| it.has_row() || options.all).collect();
    if front.is_empty() {
        let why =
            format!("{}: no costs were measured: finish the search, and leave out --no-costs", options.run.display());
        return Err(Usage(why.into()).into());
    }
    if global.json {
        return output::print_json(&FrontDocument { run: output::shown(&options.run), best, front });
    }
    output::print(&front_text(&front))
}

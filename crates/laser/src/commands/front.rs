//! `laser front`: gain against cost of a search's candidates.

use crate::cli::{FrontOptions, Global};
use crate::output::{self, Usage};
use laser_report::front_text;
use laser_run::{CostedCandidate, RunFolder, costed};
use serde_json::json;

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
        return output::print_json(&json!({"run": output::shown(&options.run), "best": best, "front": front}));
    }
    output::print(&front_text(&front))
}

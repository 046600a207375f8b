//! `laser front`: gain against cost of a search's candidates.

use crate::cli::{FrontOptions, Global};
use crate::output::{self, Usage};
use laser_report::front_text;
use laser_run::{CostedCandidate, RunFolder, costed};
use serde_json::json;

pub fn run(options: &FrontOptions, global: &Global) -> anyhow::Result<()> {
    let folder = RunFolder::open(&options.run)?;
    let (entries, costs) = (folder.entries()?, folder.costs()?);
    let all = costed(&entries, &costs);
    let front: Vec<CostedCandidate> = all.iter().filter(|it| it.on_front || options.all).cloned().collect();
    if front.is_empty() {
        let why =
            format!("{}: no costs were measured: finish the search, and leave out --no-costs", options.run.display());
        return Err(Usage(why.into()).into());
    }
    let best = folder.recipe()?.map(|recipe| recipe.interventions);
    if global.json {
        return output::print_json(&json!({"run": options.run, "best": best, "front": front}));
    }
    output::print(&front_text(&front, best.as_ref()))
}

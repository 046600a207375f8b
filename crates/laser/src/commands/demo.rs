//! `laser demo`: search, verdict and apply on a model and a task that are part of the program.

use crate::bar::Bar;
use crate::cli::{DemoOptions, Global};
use crate::output;
use laser::{DemoFiles, SearchPlan, Session, SessionOptions, SpaceChoice, StrategyChoice};
use laser_matrix::Rho;
use laser_report::{quoted, verdict_file};
use laser_run::Progress;
use serde_json::json;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

/// The default fractions, and 0.02: rank 1 of the model's 64.
const RHOS: [f64; 8] = [0.9, 0.8, 0.6, 0.2, 0.1, 0.05, 0.02, 0.01];

pub fn run(options: &DemoOptions, global: &Global) -> anyhow::Result<()> {
    let progress = Arc::new(Bar::new(global.quiet));
    if options.out.to_str().is_none() {
        return Err(output::Usage("--out: the demo's folder needs a name in UTF-8: choose another".into()).into());
    }
    let [run, edited] = ["run", "edited"].map(|name| options.out.join(name));
    let files = DemoFiles::unpack(&options.out)?;
    let typed = |path: &Path| quoted(&path.display().to_string());
    let (model, task) = (typed(&files.model), files.task.display());
    let rhos = RHOS.map(|rho| rho.to_string()).join(",");
    progress.note(&format!(
        "laser search {model} --task {} --strategy exhaustive --rho {rhos} --out {}\n",
        typed(&files.task),
        typed(&run)
    ));

    let how = SessionOptions { progress: progress.clone(), ..SessionOptions::default() };
    let session = Session::open_with(files.model.as_path().into(), how)?;
    let rhos = RHOS.into_iter().map(Rho::new).collect::<Result<_, _>>()?;
    let plan = SearchPlan {
        space: SpaceChoice::Grid { rhos, blocks: vec![NonZeroUsize::MIN], edits: Vec::new() },
        strategy: StrategyChoice::Exhaustive,
        ..SearchPlan::default()
    };
    let found = session.search(&session.task(&task.to_string().into())?, &plan, &run)?;
    if !global.json {
        output::print(&found.text())?;
    }

    let recipe = run.join("best.json");
    progress.note(&format!("\nlaser apply {model} --recipe {} --out {}", typed(&recipe), typed(&edited)));
    // What stands there can only be an earlier demo's: writing refuses anything else.
    let best = &found.verdict.best;
    session.apply(best, &edited, edited.exists())?;
    if global.json {
        let verdict = verdict_file(&found.verdict);
        return output::print_json(
            &json!({"run": output::shown(&run), "edited": output::shown(&edited), "best": best, "verdict": verdict}),
        );
    }
    output::print(&format!("\n{best} written to {}; the RUN folder is {}\n", edited.display(), run.display()))
}

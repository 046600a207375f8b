//! `laser search`: the best reduction for a model and a task.

use crate::bar::Bar;
use crate::cli::{Global, SearchOptions};
use crate::commands::dry_run;
use crate::offered_fleets::made_fleet;
use crate::output;
use laser::{FoundEdits, Session};
use laser_edit::Candidate;
use laser_report::{quoted, verdict_file};
use laser_run::{Bf16Check, CostedCandidate, Progress, SearchTrace, Shard, VerdictFile, front};
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

/// Runs the search that was asked for by `words`, the program's arguments.
pub fn run(options: &SearchOptions, words: &[OsString], global: &Global) -> anyhow::Result<()> {
    let progress = Arc::new(Bar::new(global.quiet));
    let source = options.source()?;
    let plan = options.space.plan(options.costs.plan(&options.text, &source))?;
    // A task that cannot be read is told before a model is loaded for it.
    let task = source.read(&*progress)?;
    let (model, how) = (options.model.checkpoint.source(), options.session(progress.clone()));
    let session = match options.engine.size() {
        Some(size) => Session::open_elsewhere(model, how, made_fleet(words, size)?, &options.out)?,
        None => Session::open_with(model, how)?,
    };
    let task = session.settle(&task, &source)?;
    if options.dry_run {
        return dry_run::tell(&session.dry_run(&task, &plan)?, &options.out, global);
    }
    if let Some(choice) = options.shard {
        let shard = choice.shard(|name| std::env::var(name).ok())?;
        let trace = session.search_shard(&task, &plan, shard, &options.out)?;
        if global.json {
            let document = ShardDocument { run: output::shown(&options.out), shard, strategy: &trace };
            return output::print_json(&document);
        }
        let (scored, run) = (trace.space - trace.dropped, quoted(&output::shown(&options.out)));
        return output::print(&format!(
            "Shard {shard}: {scored} of {} candidates were scored on all examples. When all shards are done: laser merge {run}\n",
            trace.space
        ));
    }
    let found = session.search(&task, &plan, &options.out)?;
    tell(&found, &options.out, &options.model.checkpoint.model, global, &*progress)
}

/// Prints what a search in `run` found for `model`.
pub fn tell(
    found: &FoundEdits,
    run: &Path,
    model: &Path,
    global: &Global,
    progress: &dyn Progress,
) -> anyhow::Result<()> {
    if global.json {
        return output::print_json(&document(run, found));
    }
    output::print(&found.text())?;
    if let Some(width) = output::colour_width()
        && let Some(map) = found.heat_text(width)
    {
        output::print_coloured(&format!("\n{map}"))?;
    }
    if found.verdict.word().is_better() {
        progress.note(&format!("\nWrite the edited model with: {}", next_command(run, model)));
    }
    Ok(())
}

/// What writes the model with the edits that were found in `run`.
fn next_command(run: &Path, model: &Path) -> String {
    let [model, recipe] = [model, run.join("best.json").as_path()].map(|path| quoted(&path.display().to_string()));
    format!("laser apply {model} --recipe {recipe} --out PATH")
}

/// What a search found, as the program prints it.
#[derive(Serialize, JsonSchema)]
pub struct SearchDocument<'a> {
    /// The RUN folder.
    run: String,
    /// The chosen candidate.
    best: &'a Candidate,
    /// How the search went through its space: `strategy.json`.
    strategy: &'a SearchTrace,
    /// What comparing in bf16 changed: `rounding.json`. Null where candidates were compared in f32.
    rounding: Option<&'a [Bf16Check]>,
    /// The verdict: `verdict.json`.
    verdict: VerdictFile<'a>,
    /// Gain against cost: the candidates that no other beats in both, and the chosen one. Empty where no costs were measured.
    front: Vec<CostedCandidate>,
}

/// What a shard did, as the program prints it.
#[derive(Serialize, JsonSchema)]
pub struct ShardDocument<'a> {
    /// The RUN folder.
    run: String,
    /// Which part of the search it is.
    shard: Shard,
    /// How it went through its part of the space.
    strategy: &'a SearchTrace,
}

/// What it found, as JSON.
pub fn document<'a>(run: &Path, found: &'a FoundEdits) -> SearchDocument<'a> {
    SearchDocument {
        run: output::shown(run),
        best: &found.verdict.best,
        strategy: &found.trace,
        rounding: found.bf16_checks.as_deref(),
        verdict: verdict_file(&found.verdict),
        front: front(&found.entries, &found.costs, &found.objective, Some(&found.verdict.best)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_command_that_is_printed_can_be_pasted() {
        assert_eq!(
            next_command(Path::new("a run; rm x"), Path::new("$(m).gguf")),
            "laser apply '$(m).gguf' --recipe 'a run; rm x/best.json' --out PATH"
        );
    }
}

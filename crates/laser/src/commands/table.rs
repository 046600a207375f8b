//! `laser analyze table`: searches over tasks and models, side by side.

use crate::bar::Bar;
use crate::cli::{AnalysisOutput, Global, TableOptions};
use crate::commands::report::names;
use crate::output::{self, make_folder};
use crate::output_place::{OutputFile, check_folder, write_folder};
use laser::{CostPlan, CostText, ModelSource, Session, SessionOptions, TaskSource, TextSource};
use laser_report::{ComparedRuns, ReadRun};
use laser_run::{Progress, RunFolder};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Searches every task with every model; what was finished before is not done again. The page is written after each, so that it
/// shows how far the table is.
pub fn run(options: &TableOptions, to: &AnalysisOutput, global: &Global) -> anyhow::Result<()> {
    let progress = Arc::new(Bar::new(global.quiet));
    make_folder(&options.out)?;
    let (page, reads) = (to.page.clone().unwrap_or_else(|| options.out.join("table.html")), reads(options));
    let page = OutputFile::page(&page, to.force, &reads)?;
    if let Some(csv) = &to.csv {
        check_folder(csv, to.force, &reads)?;
    }
    let text = match &options.text {
        Some(path) => CostText::File(TextSource { path: path.clone(), limit: tokens(options.text_tokens) }),
        None => CostText::Own,
    };
    let plan = options.space.plan(CostPlan { text, ..CostPlan::default() })?;
    let (mut runs, mut compared): (Vec<PathBuf>, ComparedRuns) = (Vec::new(), ComparedRuns { runs: Vec::new() });
    for model in &options.models {
        let how = SessionOptions { progress: progress.clone(), ..SessionOptions::default() };
        let source = ModelSource::from(model.clone());
        let session = Session::open_with(source, how)?;
        for task in &options.tasks {
            let run = options.out.join(format!("{}-{}", name_of(&model.display().to_string()), name_of(task)));
            anyhow::ensure!(
                !runs.contains(&run),
                "{}: two models or tasks of one name: give one of them in a table of its own",
                run.display()
            );
            let of = options.models.len() * options.tasks.len();
            progress.note(&format!("{} of {of}: {} on {task}", runs.len() + 1, model.display()));
            session.search(&session.task(&source_of(task, options))?, &plan, &run)?;
            compared.runs.push(ReadRun::open(&RunFolder::open(&run)?).data);
            runs.push(run);
            page.write(compared.page().as_bytes())?;
        }
    }
    let mut written = vec![page.path().to_owned()];
    if let Some(csv) = &to.csv {
        written.extend(write_folder(csv, to.force, &reads, |folder| Ok(compared.write_csv(folder)?))?);
    }
    if global.json {
        return output::print_json(&json!({"written": names(&written), "runs": compared}));
    }
    output::print(&compared.text())
}

/// What the command line names to be read.
pub(super) fn reads(options: &TableOptions) -> Vec<PathBuf> {
    let tasks = options.tasks.iter().map(|task| source_of(task, options));
    let tasks = tasks.flat_map(|source| [Some(PathBuf::from(source.spec)), source.data]).flatten();
    options.models.iter().chain(&options.text).cloned().chain(tasks).collect()
}

/// `TASK`, or `TASK=FILE`.
fn source_of(task: &str, options: &TableOptions) -> TaskSource {
    let (spec, data) = match task.split_once('=') {
        Some((spec, data)) => (spec, Some(PathBuf::from(data))),
        None => (task, None),
    };
    TaskSource { data, limit: options.limit.map(tokens), seed: options.seed, ..spec.to_owned().into() }
}

/// A folder's name of a path or id: its last part, without what a shell or file system would take amiss.
fn name_of(text: &str) -> String {
    let text = text.split_once('=').map_or(text, |(task, _)| task);
    let last = Path::new(text).file_name().map_or(text.into(), |name| name.to_string_lossy());
    last.chars().map(|letter| if letter.is_alphanumeric() || "._-".contains(letter) { letter } else { '_' }).collect()
}

fn tokens(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

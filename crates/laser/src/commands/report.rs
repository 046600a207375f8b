//! `laser report`: the page of a run, and its data for other programs.

use crate::bar::Bar;
use crate::cli::{Global, ReportOptions};
use crate::output::{self, is_free, is_page_or_free, make_folder};
use anyhow::{Context, ensure};
use laser::write_outcomes;
use laser_report::{ComparedRuns, ReadRun, lm_eval_files, optuna_journal, time_text};
use laser_run::{Progress, RunFolder, write_whole};
use serde_json::json;
use std::path::{Path, PathBuf};

pub fn run(options: &ReportOptions, global: &Global) -> anyhow::Result<()> {
    match &options.run {
        Some(run) if options.compare.is_empty() => one(run, options, global),
        first => several(&first.iter().chain(&options.compare).collect::<Vec<_>>(), options, global),
    }
}

/// The report of one run.
fn one(run: &Path, options: &ReportOptions, global: &Global) -> anyhow::Result<()> {
    let folder = RunFolder::open(run)?;
    let out = options.out.clone().unwrap_or_else(|| folder.report_path());
    let free = |path: &Option<PathBuf>| path.as_deref().map_or(Ok(()), |path| is_free(path, options.force));
    is_page_or_free(&out, options.force)?;
    [&options.csv, &options.parquet, &options.optuna, &options.lm_eval].into_iter().try_for_each(free)?;
    let mut read = ReadRun::open(&folder);
    read.data = read.data.with_times(&folder);
    write_page(&out, &read.data.page(), options.out.is_none())?;
    let mut written = vec![out];
    let time = folder.written()[1].and_then(time_text).unwrap_or_else(|| "1970-01-01T00:00:00.000000Z".to_owned());
    if let Some(csv) = &options.csv {
        make_folder(csv)?;
        written.extend(read.data.write_csv(csv)?.into_iter().map(|name| csv.join(name)));
    }
    if let Some(parquet) = &options.parquet {
        write_outcomes(&read, parquet)?;
        written.push(parquet.clone());
    }
    if let Some(optuna) = &options.optuna {
        write_whole(optuna, optuna_journal(&read, &time).as_bytes())?;
        written.push(optuna.clone());
    }
    if let Some(lm_eval) = &options.lm_eval {
        let files = lm_eval_files(&read, &time);
        ensure!(
            !files.is_empty(),
            "{}: nothing was scored on test yet: --lm-eval needs a search that has come to its end",
            run.display()
        );
        for (name, content) in files {
            let path = lm_eval.join(name);
            let folder = path.parent().unwrap_or(lm_eval);
            make_folder(folder)?;
            write_whole(&path, content.as_bytes())?;
            written.push(path);
        }
    }
    if global.json {
        return output::print_json(&json!({"written": written, "report": read.data}));
    }
    let notes = Bar::new(global.quiet);
    read.data.problems.iter().for_each(|problem| notes.note(problem));
    output::print(&format!("{}\n{}", read.data.sentence(), lines(&written)))
}

/// Several runs side by side.
fn several(runs: &[&PathBuf], options: &ReportOptions, global: &Global) -> anyhow::Result<()> {
    let out = options.out.clone().unwrap_or_else(|| PathBuf::from("compared.html"));
    is_page_or_free(&out, options.force)?;
    if let Some(csv) = &options.csv {
        is_free(csv, options.force)?;
    }
    let read = |run: &&PathBuf| Ok(ReadRun::open(&RunFolder::open(run)?).data);
    let compared = ComparedRuns { runs: runs.iter().map(read).collect::<anyhow::Result<_>>()? };
    write_page(&out, &compared.page(), false)?;
    let mut written = vec![out];
    if let Some(csv) = &options.csv {
        make_folder(csv)?;
        written.extend(compared.write_csv(csv)?.into_iter().map(|name| csv.join(name)));
    }
    if global.json {
        return output::print_json(&json!({"written": written, "runs": compared}));
    }
    output::print(&format!("{}\n{}", compared.text(), lines(&written)))
}

fn lines(written: &[PathBuf]) -> String {
    written.iter().map(|path| format!("{}\n", path.display())).collect()
}

fn write_page(path: &Path, page: &str, in_run: bool) -> anyhow::Result<()> {
    let advice = if in_run { "add --out FILE to write it elsewhere" } else { "choose another --out" };
    write_whole(path, page.as_bytes()).with_context(|| format!("the report cannot be written: {advice}"))
}

//! `laser report`: the page of a run, and its data for other programs.

use crate::bar::Bar;
use crate::cli::{Global, ReportOptions};
use crate::output::{self, shown};
use crate::output_place::{OutputFile, check_apart, check_folder, write_folder};
use anyhow::{Context, ensure};
use laser::outcomes_parquet;
use laser_report::{ComparedRuns, ReadRun, lm_eval_files, optuna_journal, time_text};
use laser_run::{Progress, RunFolder, write_whole};
use serde_json::json;
use std::fs;
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
    let (reads, force) = (folder.files(), options.force);
    let advice = || page_advice(options.out.is_none());
    let page = OutputFile::page(&out, force, &reads).with_context(advice)?;
    let outputs =
        [Some(&out), options.parquet.as_ref(), options.optuna.as_ref(), options.csv.as_ref(), options.lm_eval.as_ref()];
    let outputs: Vec<&PathBuf> = outputs.into_iter().flatten().collect();
    check_apart(&outputs)?;
    let file = |path: &Option<PathBuf>| path.as_ref().map(|path| OutputFile::new(path, force, &reads)).transpose();
    let (parquet, optuna) = (file(&options.parquet)?, file(&options.optuna)?);
    let mut folders = [&options.csv, &options.lm_eval].into_iter().flatten();
    folders.try_for_each(|path| check_folder(path, force, &reads).map(drop))?;
    let mut read = ReadRun::open(&folder);
    read.data = read.data.with_times(&folder);
    page.write(read.data.page().as_bytes()).with_context(advice)?;
    let mut written = vec![out];
    let time = folder.written()[1].and_then(time_text).unwrap_or_else(|| "1970-01-01T00:00:00.000000Z".to_owned());
    if let Some(csv) = &options.csv {
        written.extend(write_folder(csv, force, &reads, |folder| Ok(read.data.write_csv(folder)?))?);
    }
    if let Some(parquet) = parquet {
        parquet.write(&outcomes_parquet(&read, parquet.path())?)?;
        written.push(parquet.path().to_owned());
    }
    if let Some(optuna) = optuna {
        optuna.write(optuna_journal(&read, &time).as_bytes())?;
        written.push(optuna.path().to_owned());
    }
    if let Some(lm_eval) = &options.lm_eval {
        let files = lm_eval_files(&read, &time);
        ensure!(
            !files.is_empty(),
            "{}: nothing was scored on test yet: --lm-eval needs a search that has come to its end",
            run.display()
        );
        written.extend(write_folder(lm_eval, force, &reads, |folder| {
            let mut names = Vec::new();
            for (name, content) in files {
                let path = folder.join(&name);
                fs::create_dir_all(path.parent().unwrap_or(folder))?;
                write_whole(&path, content.as_bytes())?;
                names.push(name);
            }
            Ok(names)
        })?);
    }
    if global.json {
        return output::print_json(&json!({"written": names(&written), "report": read.data}));
    }
    let notes = Bar::new(global.quiet);
    read.data.problems.iter().for_each(|problem| notes.note(problem));
    output::print(&format!("{}\n{}", read.data.sentence(), lines(&written)))
}

/// Several runs side by side.
fn several(runs: &[&PathBuf], options: &ReportOptions, global: &Global) -> anyhow::Result<()> {
    let out = options.out.clone().unwrap_or_else(|| PathBuf::from("compared.html"));
    let folders = runs.iter().map(|run| Ok(RunFolder::open(run)?)).collect::<anyhow::Result<Vec<_>>>()?;
    let reads: Vec<PathBuf> = folders.iter().flat_map(RunFolder::files).collect();
    let page = OutputFile::page(&out, options.force, &reads)?;
    if let Some(csv) = &options.csv {
        check_apart(&[&out, csv])?;
        check_folder(csv, options.force, &reads)?;
    }
    let compared = ComparedRuns { runs: folders.iter().map(|run| ReadRun::open(run).data).collect() };
    page.write(compared.page().as_bytes()).with_context(|| page_advice(false))?;
    let mut written = vec![out];
    if let Some(csv) = &options.csv {
        written.extend(write_folder(csv, options.force, &reads, |folder| Ok(compared.write_csv(folder)?))?);
    }
    if global.json {
        return output::print_json(&json!({"written": names(&written), "runs": compared}));
    }
    output::print(&format!("{}\n{}", compared.text(), lines(&written)))
}

fn lines(written: &[PathBuf]) -> String {
    written.iter().map(|path| format!("{}\n", path.display())).collect()
}

/// As JSON has them.
pub(super) fn names(written: &[PathBuf]) -> Vec<String> {
    written.iter().map(|path| shown(path)).collect()
}

fn page_advice(in_run: bool) -> String {
    let advice = if in_run { "add --out FILE to write it elsewhere" } else { "choose another --out" };
    format!("the report cannot be written: {advice}")
}

//! `laser analyze`: the paper's analyses of why an edit helps.

use crate::bar::Bar;
use crate::cli::{AnalysisChoice, AnalysisOutput, AnalyzeOptions, CheckpointOptions, Global, ModelOptions};
use crate::commands::report::names;
use crate::commands::table;
use crate::output;
use crate::output_place::{OutputFile, check_folder, write_folder};
use anyhow::Context;
use laser::{Session, SessionOptions, SpectraCache, TextSource};
use laser_checkpoint::Checkpoint;
use laser_corpus::{Counting, count_facts, read_facts, size_of};
use laser_edit::{Candidate, InterventionSpec};
use laser_report::{
    Analysis, MatrixSpectrum, Occurrences, ReadRun, frequency, methods_compared, monotone, paraphrase,
    perplexity_change, rank, tail,
};
use laser_run::{Progress, RunFolder, SplitName};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub fn run(options: &AnalyzeOptions, global: &Global) -> anyhow::Result<()> {
    let to = &options.output;
    let reads = reads(&options.analysis);
    let page = to.page.as_ref().map(|page| OutputFile::page(page, to.force, &reads)).transpose()?;
    if let Some(csv) = &to.csv {
        check_folder(csv, to.force, &reads)?;
    }
    let analysis = match &options.analysis {
        AnalysisChoice::Monotone { run, matrix } => {
            let matrix = matrix.map(|matrix| (matrix.0, matrix.1));
            let why =
                "the base and two reductions of the matrix are needed, scored right or wrong on all of validation";
            monotone(&read(run, global)?, matrix).with_context(|| missing(run, why))?
        }
        AnalysisChoice::Prune { run } => {
            let why = "edits of two methods are needed: search with --edit zero --edit prune=0.9";
            methods_compared(&read(run, global)?).with_context(|| missing(run, why))?
        }
        AnalysisChoice::Paraphrase { run } => {
            let why = "a finished search is needed over a task with several examples a group";
            paraphrase(&read(run, global)?).with_context(|| missing(run, why))?
        }
        AnalysisChoice::Rank { run, checkpoint } => of_ranks(run, checkpoint, global)?,
        AnalysisChoice::Frequency { run, facts, corpus, window } => {
            of_frequencies(run, facts, corpus, *window as usize, global)?
        }
        AnalysisChoice::Tail { run, model, reduce, most } => {
            of_tail(run, model, reduce.as_ref(), *most as usize, global)?
        }
        AnalysisChoice::Perplexity { model, text, text_tokens, reduce } => {
            let limit = text_tokens.map_or(usize::MAX, |tokens| usize::try_from(tokens).unwrap_or(usize::MAX));
            of_perplexity(model, &TextSource { path: text.clone(), limit }, reduce, global)?
        }
        AnalysisChoice::Table(options) => return table::run(options, to, global),
    };
    print(&analysis, page, to, &reads, global)
}

/// What the command line names to be read; of a RUN folder its files, so that a page may be put beside them.
fn reads(analysis: &AnalysisChoice) -> Vec<PathBuf> {
    let of_run = |run: &PathBuf| RunFolder::open(run).map(|run| run.files()).unwrap_or_default();
    match analysis {
        AnalysisChoice::Monotone { run, .. } | AnalysisChoice::Prune { run } | AnalysisChoice::Paraphrase { run } => {
            of_run(run)
        }
        AnalysisChoice::Rank { run, checkpoint } => [of_run(run), checkpoint.files()].concat(),
        AnalysisChoice::Frequency { run, facts, corpus, .. } => {
            [of_run(run), vec![facts.clone(), corpus.clone()]].concat()
        }
        AnalysisChoice::Tail { run, model, .. } => [of_run(run), model.checkpoint.files()].concat(),
        AnalysisChoice::Perplexity { model, text, .. } => [model.checkpoint.files(), vec![text.clone()]].concat(),
        AnalysisChoice::Table(options) => table::reads(options),
    }
}

fn read(run: &Path, global: &Global) -> anyhow::Result<ReadRun> {
    let read = ReadRun::open(&RunFolder::open(run)?);
    let notes = Bar::new(global.quiet);
    read.data.problems.iter().for_each(|problem| notes.note(problem));
    Ok(read)
}

fn missing(run: &Path, why: &str) -> String {
    format!("{}: this run lacks what the analysis needs: {why}", run.display())
}

fn print(
    analysis: &Analysis,
    page: Option<OutputFile>,
    to: &AnalysisOutput,
    reads: &[PathBuf],
    global: &Global,
) -> anyhow::Result<()> {
    let mut written: Vec<PathBuf> = Vec::new();
    if let Some(page) = page {
        page.write(analysis.page().as_bytes())?;
        written.push(page.path().to_owned());
    }
    if let Some(csv) = &to.csv {
        written.extend(write_folder(csv, to.force, reads, |folder| Ok(analysis.write_csv(folder)?))?);
    }
    if global.json {
        let mut document = analysis.json();
        document["written"] = serde_json::json!(names(&written));
        return output::print_json(&document);
    }
    output::print(&analysis.text())
}

/// Refuses another model than the one that a run is of.
fn check_model(run: &Path, read: &ReadRun, checkpoint: &Checkpoint) -> anyhow::Result<()> {
    let known = read.data.run.as_ref().map(|run| &run.model.files);
    let here = checkpoint.fingerprint()?;
    let same = known.is_none_or(|known| *known == here);
    anyhow::ensure!(same, "{}: is the run of another model: give its own", run.display());
    Ok(())
}

/// What an edit takes away, on the run's test examples.
fn of_tail(
    run: &Path,
    model: &ModelOptions,
    reduce: Option<&InterventionSpec>,
    most: usize,
    global: &Global,
) -> anyhow::Result<Analysis> {
    let read = read(run, global)?;
    let chat = read.data.run.as_ref().is_some_and(|run| run.search.chat);
    let how = SessionOptions { device: model.device, chat, progress: Arc::new(Bar::new(global.quiet)) };
    let session = Session::open_with(model.checkpoint.source(), how)?;
    check_model(run, &read, session.checkpoint())?;
    let edits = match reduce {
        Some(spec) => InterventionSpec::expand_all(std::slice::from_ref(spec), session.config())?,
        None => read.data.best.as_ref().map(|best| best.edits.interventions().to_vec()).unwrap_or_default(),
    };
    let [edit] = edits.as_slice() else {
        return Err(
            output::Usage("the run's best are several edits: name one with --reduce LAYER.MATRIX:RHO".into()).into()
        );
    };
    // What the search has scored need not be scored again.
    let hits = |candidate: &Candidate| {
        let entry = read.entries.get(SplitName::Test, candidate).filter(|entry| entry.is_binary())?;
        Some(entry.hits().collect::<Vec<bool>>())
    };
    let known = hits(&Candidate::base()).zip(hits(&Candidate::new([edit.clone()])?));
    let found = session.tail(&read.test, known.map(|(before, after)| [before, after]), edit, most)?;
    tail(&read, &found)
        .with_context(|| missing(run, "no test example is turned right by the edit: try another --reduce"))
}

/// The matrices of the run's grid in the model that it is of.
fn of_ranks(run: &Path, checkpoint: &CheckpointOptions, global: &Global) -> anyhow::Result<Analysis> {
    let read = read(run, global)?;
    let progress = Bar::new(global.quiet);
    let checkpoint = checkpoint.source().open(&progress)?;
    check_model(run, &read, &checkpoint)?;
    let cache = SpectraCache::open();
    let rows = &read.data.sweep.rows;
    progress.start("spectra", rows.len(), 0);
    let mut spectra = Vec::with_capacity(rows.len());
    for row in rows {
        // Experts that are edited together have no spectrum in common.
        if row.matrix.each(checkpoint.config()) == [row.matrix] {
            let spectrum = cache.spectrum(&checkpoint, row.layer, row.matrix)?;
            spectra.push(MatrixSpectrum {
                layer: row.layer,
                matrix: row.matrix,
                maximum: spectrum.singular_values().len(),
                effective: spectrum.effective_rank(),
                stable: spectrum.stable_rank(),
                alpha: spectrum.power_law_alpha(),
            });
        }
        progress.advance(1);
    }
    progress.finish();
    rank(&read, &spectra).with_context(|| missing(run, "fractions of whole matrices are needed, on all of validation"))
}

fn of_frequencies(run: &Path, facts: &Path, corpus: &Path, window: usize, global: &Global) -> anyhow::Result<Analysis> {
    let read = read(run, global)?;
    let facts = read_facts(facts)?;
    let why = "a finished search is needed, and facts with the ids of its test examples";
    // Asked before a corpus is read for hours.
    let none = Occurrences { subject: 0, answer: 0, together: 0 };
    let unknown = facts.iter().map(|fact| (fact.id.clone(), none)).collect();
    frequency(&read, &unknown, "").with_context(|| missing(run, why))?;
    let bar = Bar::new(global.quiet);
    bar.start("bytes read", usize::try_from(size_of(corpus)?).unwrap_or(usize::MAX), 0);
    let begun = std::time::Instant::now();
    let counts = count_facts(corpus, &facts, Counting { window }, &|bytes| bar.advance(bytes as usize))?;
    bar.finish();
    let seconds = begun.elapsed().as_secs_f64();
    bar.note(&format!(
        "{:.1} MB in {seconds:.1} s, {:.0} MB/s, {} windows",
        counts.bytes as f64 / 1e6,
        counts.bytes as f64 / 1e6 / seconds.max(1e-9),
        counts.windows
    ));
    let by_id: HashMap<String, Occurrences> = (facts.iter().zip(&counts.facts))
        .map(|(fact, count)| {
            let laser_corpus::FactCount { subject, answer, together } = *count;
            (fact.id.clone(), Occurrences { subject, answer, together })
        })
        .collect();
    frequency(&read, &by_id, &corpus.display().to_string()).with_context(|| missing(run, why))
}

fn of_perplexity(
    model: &ModelOptions,
    source: &TextSource,
    reduce: &[InterventionSpec],
    global: &Global,
) -> anyhow::Result<Analysis> {
    let how = SessionOptions {
        device: model.device,
        progress: Arc::new(Bar::new(global.quiet)),
        ..SessionOptions::default()
    };
    let session = Session::open_with(model.checkpoint.source(), how)?;
    let edits = Candidate::new(InterventionSpec::expand_all(reduce, session.config())?)?;
    let text = session.text(source)?;
    let change = session.perplexity_change(&edits, &text)?;
    Ok(perplexity_change(&edits.to_string(), &source.path.display().to_string(), &change))
}

//! `laser search`: the best reduction for a model and a task.

use crate::bar::Bar;
use crate::cli::{
    Dtype, Global, ModelOptions, SearchOptions, SpaceOptions, StartChoice, Strategy, TaskOptions, TextOptions,
};
use crate::output;
use crate::spectra::SpectraCache;
use crate::subject::{self, Loaded};
use laser_checkpoint::{Checkpoint, MatrixId};
use laser_edit::Candidate;
use laser_engine::{ContentFreePrompts, LocalScorer, Subject, check};
use laser_report::{search_text, verdict_file};
use laser_run::{
    Bf16Check, ModelDescription, Progress, ResultKind, RunDescription, RunFolder, RunWriter, SearchDescription,
    SearchTrace, TaskDescription, TextDescription, Verdict,
};
use laser_search::{Beam, Compose, Exhaustive, Gradient, Plan, Race, TextPlan, grid, noise_edge, search};
use laser_tasks::{Example, Score, Task};
use serde_json::json;
use std::path::Path;

pub fn run(options: &SearchOptions, global: &Global) -> anyhow::Result<()> {
    let progress = Bar::new(global.quiet);
    let finished = find(&options.model, &options.task, &options.text, &options.space, &options.out, &progress)?;
    if global.json {
        return output::print_json(&json!({
            "run": options.out,
            "best": finished.verdict.best,
            "strategy": finished.trace,
            "rounding": finished.bf16_checks,
            "verdict": verdict_file(&finished.verdict),
        }));
    }
    output::print(&finished.text)?;
    if !finished.verdict.word().is_better() {
        return Ok(());
    }
    let reduce = options.model.checkpoint.model.display();
    progress.note(&format!(
        "\nWrite the edited model with: laser apply {reduce} --recipe {} --out PATH",
        options.out.join("best.json").display()
    ));
    Ok(())
}

/// With fewer validation examples than this, one right answer more is several points.
const FEW: usize = 50;

/// Tokens of a text that are measured unless another number is asked for.
const SEARCH_TOKENS: usize = 16_384;

/// A finished search.
pub struct Finished {
    pub verdict: Verdict,
    /// How the space was gone through.
    pub trace: SearchTrace,
    /// What it changed that candidates were compared in bf16, where they were.
    pub bf16_checks: Option<Vec<Bf16Check>>,
    /// The tables that a person reads.
    pub text: String,
}

/// Runs or resumes the search in the RUN folder `out`.
pub fn find(
    model: &ModelOptions,
    task_options: &TaskOptions,
    text_options: &TextOptions,
    space: &SpaceOptions,
    out: &Path,
    progress: &Bar,
) -> anyhow::Result<Finished> {
    space.check()?;
    let task = subject::open_task(task_options, progress)?;
    let loaded = Loaded::open(model, task_options.chat, progress)?;
    let task = subject::settle(&task, task_options, &loaded.tokenizer)?;
    let split = subject::split(&task, task_options)?;
    let text = subject::open_text(text_options, SEARCH_TOKENS, &loaded)?;
    let layers = subject::layers(&space.layers, loaded.model.config().layers)?;
    let matrices = subject::matrices(&space.matrices, loaded.model.config())?;
    let chosen = space.grid();
    let candidates = match &chosen {
        Some((rho, blocks)) => grid(&layers, &matrices, blocks, rho, task_options.data.paper_compat)?,
        None => above_noise(&loaded.checkpoint, &layers, &matrices, progress)?,
    };
    let rounded = (space.dtype == Dtype::Bf16).then(|| loaded.model.rounded()).transpose()?;
    check(&loaded.model, &loaded.tokenizer, &task.examples)?;
    for edit in candidates.iter().flat_map(Candidate::interventions) {
        edit.check(loaded.model.config())?;
    }
    let description = RunDescription {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: ModelDescription {
            path: model.checkpoint.model.display().to_string(),
            files: loaded.checkpoint.fingerprint()?,
        },
        task: describe(&task, task_options),
        search: SearchDescription {
            strategy: space.strategy.name(),
            gradient_examples: space.uses_gradient().then(|| space.gradient_examples()),
            start: space.composes().then(|| space.start().name()),
            width: (space.strategy == Strategy::Beam).then(|| space.width()),
            matrices,
            layers,
            rho: chosen.iter().flat_map(|(rho, _)| rho.iter().map(|rho| rho.get())).collect(),
            blocks: chosen.as_ref().map_or(vec![1], |(_, blocks)| blocks.iter().map(|blocks| blocks.get()).collect()),
            randomised: task_options.data.paper_compat && chosen.is_some(),
            limit: task_options.limit.map(|limit| limit as usize),
            seed: task_options.seed,
            split_first: task_options.split_first || task_options.data.paper_compat,
            chat: task_options.chat,
            text: text.as_ref().map(|text| TextDescription { sha256: text.sha256.clone(), limit: text.limit }),
            dtype: (space.dtype == Dtype::Bf16).then(|| "bf16".to_owned()),
            device: model.device.name().to_owned(),
        },
    };
    let exhaustive = match &space.compare {
        Some(other) => Some(RunFolder::open(other)?.scores(&description, &candidates)?),
        None => None,
    };
    let mut strategy = strategy(space, &candidates, exhaustive);
    let run = RunWriter::create(out, &description)?;
    if split.validation.len() < FEW {
        let n = split.validation.len();
        progress.note(&format!(
            "the best of many candidates on {n} validation examples is often chance: use more examples"
        ));
    }
    let pick = |numbers: &[usize]| -> Vec<&Example> { numbers.iter().map(|&i| &task.examples[i]).collect() };
    let (validation, test) = (pick(&split.validation), pick(&split.test));
    let content_free = ContentFreePrompts::new(&task, &test)?;
    let plan = Plan {
        space: &candidates,
        validation: &validation,
        test: &test,
        seed: task_options.seed,
        check_bf16: rounded.is_some(),
        text: text.as_ref().map(|text| TextPlan { sha256: &text.sha256, windows: text.text.how() }),
        model_files: &description.model.files,
    };
    let mut scorer = LocalScorer::new(Subject {
        checkpoint: &loaded.checkpoint,
        model: &loaded.model,
        compared: rounded.as_ref(),
        tokenizer: &loaded.tokenizer,
        validation: validation.clone(),
        test: test.clone(),
        content_free: &content_free,
        text: text.as_ref().map(|text| &text.text),
        memory: space.memory(),
    });
    let finished = search(&mut *strategy, &plan, &mut scorer, &run, progress)?;
    run.write_verdict(&verdict_file(&finished.verdict))?;
    let laser_search::Finished { verdict, trace, entries, bf16_checks } = finished;
    let text = search_text(&entries, &trace, bf16_checks.as_deref(), &verdict, space.composes());
    Ok(Finished { verdict, trace, bf16_checks, text })
}

/// How the space is gone through.
fn strategy(
    options: &SpaceOptions,
    space: &[Candidate],
    exhaustive: Option<Vec<Score>>,
) -> Box<dyn laser_search::Strategy> {
    let space = || space.to_vec();
    let gradient = || Gradient::new(space(), options.gradient_examples(), exhaustive.clone());
    let start = || -> Box<dyn laser_search::Strategy> {
        match options.start() {
            StartChoice::Race => Box::new(Race::new(space())),
            StartChoice::Gradient => Box::new(gradient()),
        }
    };
    match options.strategy {
        Strategy::Exhaustive | Strategy::NoiseEdge => Box::new(Exhaustive::new(space())),
        Strategy::Race => Box::new(Race::new(space())),
        Strategy::Gradient => Box::new(gradient()),
        Strategy::Compose => Box::new(Compose::new(space(), start())),
        Strategy::Beam => Box::new(Beam::new(space(), start(), options.width())),
    }
}

/// The candidates of the noise edge; spectra are kept for the next time.
fn above_noise(
    checkpoint: &Checkpoint,
    layers: &[usize],
    matrices: &[MatrixId],
    progress: &Bar,
) -> anyhow::Result<Vec<Candidate>> {
    let spectra = SpectraCache::open();
    let config = checkpoint.config();
    let each = matrices.iter().map(|matrix| matrix.each(config).len()).sum::<usize>();
    progress.start("spectra", layers.len() * each, 0);
    let candidates = noise_edge(config, layers, matrices, |layer, matrix| {
        progress.advance(1);
        anyhow::Ok(spectra.spectrum(checkpoint, layer, matrix)?.noise_edge().rank)
    });
    progress.finish();
    let candidates = candidates?;
    let left_out = layers.len() * matrices.len() - candidates.len();
    if left_out > 0 {
        progress.note(&format!(
            "{left_out} of {} matrices are left out: all their singular values lie on one side of the noise edge",
            layers.len() * matrices.len()
        ));
    }
    Ok(candidates)
}

fn describe(task: &Task, options: &TaskOptions) -> TaskDescription {
    TaskDescription {
        spec: options.task.clone().unwrap_or_default(),
        digest: task.digest.clone(),
        examples: task.examples.len(),
        results: ResultKind::Binary,
    }
}

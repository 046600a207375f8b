//! `laser search`: the best reduction for a model and a task.

use crate::cli::{
    Dtype, Global, ModelOptions, SearchOptions, SpaceOptions, StartChoice, Strategy, TaskOptions, TextOptions,
};
use crate::output;
use crate::progress::Bar;
use crate::spectra::SpectraCache;
use crate::subject::{self, Loaded};
use laser_checkpoint::{Checkpoint, MatrixId};
use laser_report::{account_text, rounding_text, sweep_table, verdict_text};
use laser_search::{
    Account, All, Beam, Candidate, Compose, Entry, Gradient, ModelDescription, Plan, Progress, ROUNDING_FILE, Race,
    Rounding, RunDescription, RunFolder, SearchDescription, SplitName, Start, Subject, TaskDescription,
    TextDescription, Verdict, check, exhaustive, noise_edge, search,
};
use laser_tasks::{Score, Task};
use serde_json::json;
use std::path::Path;

pub fn run(options: &SearchOptions, global: &Global) -> anyhow::Result<()> {
    let progress = Bar::new(global.quiet);
    let finished = find(&options.model, &options.task, &options.text, &options.space, &options.out, &progress)?;
    if global.json {
        return output::print_json(&json!({
            "run": options.out,
            "best": finished.verdict.best,
            "strategy": finished.account,
            "rounding": finished.rounding,
            "verdict": finished.verdict,
        }));
    }
    output::print(&finished.text)?;
    if !finished.verdict.word.is_better() {
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
    pub account: Option<Account>,
    /// What it changed that candidates were compared in bf16, where they were.
    pub rounding: Option<Vec<Rounding>>,
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
    let grid = space.grid();
    let candidates = match &grid {
        Some((rho, blocks)) => exhaustive(&layers, &matrices, blocks, rho, task_options.data.paper_compat)?,
        None => above_noise(&loaded.checkpoint, &layers, &matrices, progress)?,
    };
    let rounded = (space.dtype == Dtype::Bf16).then(|| loaded.model.to_bf16()).transpose()?;
    check(&loaded.model, &loaded.tokenizer, &task)?;
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
            rho: grid.iter().flat_map(|(rho, _)| rho.iter().map(|rho| rho.get())).collect(),
            blocks: grid.as_ref().map_or(vec![1], |(_, blocks)| blocks.iter().map(|blocks| blocks.get()).collect()),
            randomised: task_options.data.paper_compat && grid.is_some(),
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
        Some(other) => Some(RunFolder::open_existing(other)?.scores(&description, &candidates)?),
        None => None,
    };
    let strategy = strategy(space, exhaustive);
    let run = RunFolder::open(out, &description)?;
    if split.validation.len() < FEW {
        let n = split.validation.len();
        progress.note(&format!(
            "the best of many candidates on {n} validation examples is often chance: use more examples"
        ));
    }
    let subject = Subject { checkpoint: &loaded.checkpoint, model: &loaded.model, tokenizer: &loaded.tokenizer };
    let plan = Plan {
        candidates: &candidates,
        rounded: rounded.as_ref(),
        strategy: &*strategy,
        split: &split,
        seed: task_options.seed,
        memory: space.memory(),
        model_files: &description.model.files,
        text: text.as_ref().map(|text| (&text.text, text.sha256.as_str())),
    };
    let verdict = search(&subject, &task, &plan, &run, progress)?;
    let text = summary(&run, &verdict, space.composes())?;
    let advice = "run the search again, which writes it anew";
    let account = run.read_json("strategy.json", advice)?;
    let rounding = run.read_json(ROUNDING_FILE, advice)?;
    Ok(Finished { verdict, account, rounding, text })
}

/// How the space is gone through.
fn strategy(space: &SpaceOptions, exhaustive: Option<Vec<Score>>) -> Box<dyn laser_search::Strategy> {
    let gradient = || Gradient { examples: space.gradient_examples(), exhaustive: exhaustive.clone() };
    let start = match space.start() {
        StartChoice::Race => Start::Race,
        StartChoice::Gradient => Start::Gradient(gradient()),
    };
    match space.strategy {
        Strategy::Exhaustive | Strategy::NoiseEdge => Box::new(All),
        Strategy::Race => Box::new(Race),
        Strategy::Gradient => Box::new(gradient()),
        Strategy::Compose => Box::new(Compose { start }),
        Strategy::Beam => Box::new(Beam { start, width: space.width() }),
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
        anyhow::Ok(spectra.spectrum(checkpoint, layer, matrix)?.noise_edge())
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
    }
}

fn summary(run: &RunFolder, verdict: &Verdict, composed: bool) -> anyhow::Result<String> {
    let journal = run.journal()?;
    let mut entries: Vec<&Entry> =
        journal.entries().iter().filter(|it| it.split == SplitName::Validation && it.part.is_none()).collect();
    entries.sort_by_key(|entry| entry.interventions.boundary(usize::MAX));
    let account: Option<Account> = run.read_json("strategy.json", "run the search again, which writes it anew")?;
    Ok(format!(
        "Accuracy on validation, % (base {:.1}, best marked *)\n\n{}\n{}{}",
        100.0 * verdict.base.validation.score.accuracy,
        sweep_table(&entries, &verdict.best, account.as_ref().map_or(0, |account| account.dropped)),
        account.map(|account| account_text(&account, composed)).unwrap_or_default(),
        judged(run, verdict)?
    ))
}

/// The verdict, after what comparing in bf16 changed, if it was.
pub fn judged(run: &RunFolder, verdict: &Verdict) -> anyhow::Result<String> {
    let rounding: Option<Vec<Rounding>> = run.read_json(ROUNDING_FILE, "run the search again, which writes it anew")?;
    Ok(rounding.map(|rounding| rounding_text(&rounding)).unwrap_or_default() + &verdict_text(verdict))
}

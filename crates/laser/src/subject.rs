//! Opening what a command works on.

use crate::cli::{CheckpointOptions, ModelOptions, SplitChoice, TaskOptions};
use crate::progress::Bar;
use anyhow::Context;
use laser_checkpoint::{
    Architecture, Checkpoint, Config, Download, Hub, InterventionSpec, Layers, MatrixGroup, MatrixId, is_hub_id,
};
use laser_model::{Model, Tokenizer};
use laser_search::{Candidate, Progress};
use laser_tasks::{Split, Task};
use std::path::PathBuf;
use std::sync::Arc;

/// The share of the examples that candidates are chosen on.
pub const VALIDATION_FRACTION: f64 = 0.2;

/// Weights that would take more bytes than this in f32 stay on disk, and are read when their layer is computed.
const WEIGHTS_IN_MEMORY: usize = 8_000_000_000;

/// Opens a checkpoint, by a table of the user's own where one is given. A hub id is fetched first, as far as the cache lacks it.
pub fn open_checkpoint(options: &CheckpointOptions, progress: &Bar) -> anyhow::Result<Checkpoint> {
    let path = &options.model;
    let architecture = options.architecture.as_deref().map(Architecture::open).transpose()?;
    match path.to_str().filter(|text| !path.exists() && is_hub_id(text)) {
        Some(id) => {
            let folder = fetch(id, progress)?;
            Ok(Checkpoint::open_as(&folder, architecture)?)
        }
        None => Ok(Checkpoint::open_as(path, architecture)?),
    }
}

fn fetch(id: &str, progress: &Bar) -> anyhow::Result<PathBuf> {
    let mut current = String::new();
    let mut done = 0;
    let folder = Hub::from_env().resolve(id, &mut |download: Download| {
        if download.file != current {
            current = download.file.to_owned();
            done = 0;
            progress.start(&current, download.total as usize, 0);
        }
        progress.advance(download.done.saturating_sub(done) as usize);
        done = download.done;
    });
    progress.finish();
    folder.with_context(|| format!("{id}: there is no such file or folder, and as a model of the hub"))
}

/// A model, loaded.
pub struct Loaded {
    pub checkpoint: Arc<Checkpoint>,
    pub model: Model,
    pub tokenizer: Tokenizer,
}

impl Loaded {
    /// `chat`: prompts go through the model's chat template.
    pub fn open(options: &ModelOptions, chat: bool, progress: &Bar) -> anyhow::Result<Self> {
        let checkpoint = Arc::new(open_checkpoint(&options.checkpoint, progress)?);
        let tokenizer = Tokenizer::open(&checkpoint.tokenizer_source()?)?;
        let tokenizer = if chat { tokenizer.in_chat()? } else { tokenizer };
        let device = options.device.open()?;
        progress.start("loading", checkpoint.config().layers, 0);
        let model = Model::load(&checkpoint, &device, WEIGHTS_IN_MEMORY, |_| progress.advance(1))?;
        progress.finish();
        Ok(Self { checkpoint, model, tokenizer })
    }
}

/// The task, sampled as asked.
pub fn open_task(options: &TaskOptions) -> anyhow::Result<Task> {
    let task = Task::open(&options.task)?;
    Ok(match options.limit {
        Some(limit) => task.limit(usize::try_from(limit).unwrap_or(usize::MAX), options.seed)?,
        None => task,
    })
}

/// Which examples are for choosing and which for judging.
pub fn split(task: &Task, options: &TaskOptions) -> anyhow::Result<Split> {
    Ok(if options.split_first {
        Split::first(task, VALIDATION_FRACTION)?
    } else {
        Split::shuffled(task, VALIDATION_FRACTION, options.seed)?
    })
}

/// The examples of a split, by number.
pub fn chosen(task: &Task, options: &TaskOptions, choice: SplitChoice) -> anyhow::Result<Vec<usize>> {
    Ok(match choice {
        SplitChoice::All => (0..task.examples.len()).collect(),
        SplitChoice::Validation => split(task, options)?.validation,
        SplitChoice::Test => split(task, options)?.test,
    })
}

/// The layers that were asked for; all where none was.
pub fn layers(asked: &[Layers], count: usize) -> anyhow::Result<Vec<usize>> {
    if asked.is_empty() {
        return Ok((0..count).collect());
    }
    let mut layers = Vec::new();
    for range in asked {
        layers.extend(range.resolve(count)?);
    }
    layers.sort_unstable();
    layers.dedup();
    Ok(layers)
}

/// The matrices that were asked for and that the model has, in the order of a layer's forward pass.
pub fn matrices(asked: &[MatrixGroup], config: &Config) -> anyhow::Result<Vec<MatrixId>> {
    let mut matrices = Vec::new();
    for group in asked {
        matrices.extend(group.resolve(config)?);
    }
    matrices.sort();
    matrices.dedup();
    Ok(matrices)
}

/// The interventions that `--reduce` options stand for in a model.
pub fn candidate(specs: &[InterventionSpec], config: &Config) -> anyhow::Result<Candidate> {
    Ok(Candidate::new(InterventionSpec::expand_all(specs, config)?)?)
}

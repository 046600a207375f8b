//! Opening what a command works on.

use crate::cli::{ModelOptions, SplitChoice, TaskOptions};
use crate::progress::Bar;
use laser_checkpoint::{Checkpoint, InterventionSpec};
use laser_model::{Model, Tokenizer};
use laser_search::{Candidate, Progress};
use laser_tasks::{Split, Task};

/// The share of the examples that candidates are chosen on.
pub const VALIDATION_FRACTION: f64 = 0.2;

/// A model, loaded.
pub struct Loaded {
    pub checkpoint: Checkpoint,
    pub model: Model,
    pub tokenizer: Tokenizer,
}

impl Loaded {
    /// `chat`: prompts go through the model's chat template.
    pub fn open(options: &ModelOptions, chat: bool, progress: &Bar) -> anyhow::Result<Self> {
        let checkpoint = Checkpoint::open(&options.model)?;
        let tokenizer = Tokenizer::open(&checkpoint.tokenizer_source()?)?;
        let tokenizer = if chat { tokenizer.in_chat()? } else { tokenizer };
        let device = options.device.open()?;
        progress.start("loading", checkpoint.config().layers, 0);
        let model = Model::load(&checkpoint, &device, |_| progress.advance(1))?;
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

/// The interventions that `--reduce` options stand for in a model of `layers` layers.
pub fn candidate(specs: &[InterventionSpec], layers: usize) -> anyhow::Result<Candidate> {
    Ok(Candidate::new(InterventionSpec::expand_all(specs, layers)?)?)
}

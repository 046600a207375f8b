//! Opening what a command works on.

use crate::bar::Bar;
use crate::cli::{CheckpointOptions, DataOptions, ModelOptions, SplitChoice, TaskOptions, TextOptions};
use crate::output::Usage;
use anyhow::Context;
use laser_checkpoint::{Architecture, Checkpoint, Config, EditError, InterventionSpec, Layers, MatrixGroup, MatrixId};
use laser_edit::Candidate;
use laser_engine::{Corpus, windows_for};
use laser_hub::{DatasetFiles, Download, Hub, is_hub_id};
use laser_model::{Model, Tokenizer};
use laser_run::Progress;
use laser_tasks::{Example, HubSplit, OpenOptions, Split, Task};
use sha2::{Digest, Sha256};
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
    let mut files = FileProgress::new(progress);
    let folder = Hub::from_env().resolve(id, &mut |download| files.note(download));
    progress.finish();
    folder.with_context(|| format!("{id}: there is no such file or folder, and as a model of the hub"))
}

/// Shows one file after another on its way.
struct FileProgress<'b> {
    bar: &'b Bar,
    file: String,
    done: u64,
}

impl<'b> FileProgress<'b> {
    fn new(bar: &'b Bar) -> Self {
        Self { bar, file: String::new(), done: 0 }
    }

    fn note(&mut self, download: Download) {
        if download.file != self.file {
            (self.file, self.done) = (download.file.to_owned(), 0);
            self.bar.start(&self.file, download.total as usize, 0);
        }
        self.bar.advance(download.done.saturating_sub(self.done) as usize);
        self.done = download.done;
    }
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
        let tokenizer = Tokenizer::open(checkpoint.path(), checkpoint.metadata("tokenizer.")?.as_ref())?;
        let tokenizer = if chat { tokenizer.in_chat()? } else { tokenizer };
        let device = options.device.open()?;
        progress.start("loading", checkpoint.config().layers, 0);
        let model = Model::load(&checkpoint, &device, WEIGHTS_IN_MEMORY, |_| progress.advance(1))?;
        progress.finish();
        Ok(Self { checkpoint, model, tokenizer })
    }
}

/// A task as its file has it, before a model has a say.
pub fn read_task(spec: &str, data: &DataOptions, seed: u64, progress: &Bar) -> anyhow::Result<Task> {
    let fetch = |split: &HubSplit| {
        let files =
            DatasetFiles { id: split.dataset.clone(), config: split.config.clone(), split: split.split.clone() };
        let mut files_progress = FileProgress::new(progress);
        let fetched = Hub::from_env().dataset(&files, &mut |download| files_progress.note(download));
        progress.finish();
        fetched.map_err(|error| error.to_string())
    };
    let options = OpenOptions { data: data.data.as_deref(), paper_compat: data.paper_compat, seed, fetch: &fetch };
    let task = Task::open_with(spec, &options)?;
    if task.left_out > 0 {
        progress.note(&format!("{}: `where` leaves out {} rows of the data", task.name, task.left_out));
    }
    Ok(task)
}

/// The task that was asked for, as its file has it.
pub fn open_task(options: &TaskOptions, progress: &Bar) -> anyhow::Result<Task> {
    let spec = options.task.as_deref().ok_or(Usage("no task was given: add --task TASK".into()))?;
    read_task(spec, &options.data, options.seed, progress)
}

/// The task for a model's tokenizer, sampled as asked.
pub fn settle(task: &Task, options: &TaskOptions, tokenizer: &Tokenizer) -> anyhow::Result<Task> {
    let tokens = |example: &Example| {
        let text = example.continuation(example.answer());
        // A text that cannot be encoded is refused where it is scored.
        tokenizer.encode_continuation(&example.prompt, &text).map_or(0, |ids| ids.len())
    };
    let task = task.for_tokenizer(tokenizer.is_sentencepiece(), tokens)?;
    Ok(match options.limit {
        Some(limit) => task.limit(usize::try_from(limit).unwrap_or(usize::MAX), options.seed)?,
        None => task,
    })
}

/// Which examples are for choosing and which for judging.
pub fn split(task: &Task, options: &TaskOptions) -> anyhow::Result<Split> {
    Ok(if options.split_first || options.data.paper_compat {
        Split::first(task, VALIDATION_FRACTION)?
    } else {
        Split::shuffled(task, VALIDATION_FRACTION, options.seed)?
    })
}

/// A text to be measured.
pub struct OpenText {
    pub text: Corpus,
    pub sha256: String,
    pub limit: usize,
}

/// The text that was asked for, at most `limit` tokens of it unless another number was given.
pub fn open_text(options: &TextOptions, limit: usize, loaded: &Loaded) -> anyhow::Result<Option<OpenText>> {
    let Some(path) = &options.text else { return Ok(None) };
    let bytes = std::fs::read(path).with_context(|| format!("{}: the text cannot be read", path.display()))?;
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let text = String::from_utf8(bytes)
        .map_err(|_| anyhow::anyhow!("{}: invalid UTF-8: save the file as UTF-8", path.display()))?;
    let limit = options.text_tokens.map_or(limit, |tokens| usize::try_from(tokens).unwrap_or(usize::MAX));
    let windows = windows_for(&loaded.model);
    let text = Corpus::new(&text, &loaded.tokenizer, &loaded.model, windows, limit)
        .with_context(|| format!("{}", path.display()))?;
    Ok(Some(OpenText { text, sha256, limit }))
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
        layers.extend(range.resolve(count).map_err(|error| match error {
            EditError::Text { text, why } => anyhow::anyhow!("--layers {text}: {why}: write 20-29"),
            other => other.into(),
        })?);
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

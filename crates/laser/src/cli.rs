//! What can be typed.

use crate::output::Usage;
use anyhow::Context;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use laser_checkpoint::{InterventionSpec, Layers, MatrixGroup};
use laser_linalg::Rho;
use laser_model::DeviceKind;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// The kept fractions of the paper's table 5.
const DEFAULT_RHOS: &str = "0.9,0.8,0.6,0.2,0.1,0.05,0.01";
const ALL_BUT_NOISE_EDGE: &str = "all but it, which has its own rank for each matrix";

/// Find, judge and apply rank reductions that improve a trained transformer.
#[derive(Debug, Parser)]
#[command(
    name = "laser",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    arg_required_else_help = false,
    subcommand_required = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: Global,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a model's matrices, and what their singular values look like
    Inspect(InspectOptions),
    /// Score a model on a task, as it is or edited
    Eval(EvalOptions),
    /// Find the reduction that helps most on a task, and judge it on unseen examples
    Search(SearchOptions),
    /// Write an edited model as a Hugging Face folder
    Apply(ApplyOptions),
    /// Search, judge and apply on a small model and task that are part of this program
    Demo(DemoOptions),
    /// Judge a finished search once more, from its RUN folder
    Verdict(VerdictOptions),
    /// List the built-in tasks, or show one
    Tasks(TasksOptions),
}

#[derive(Debug, Args)]
pub struct Global {
    /// Print one JSON document on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Show no progress and no notes on standard error
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Threads to compute with [default: one a core]
    #[arg(long, allow_negative_numbers = true, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

impl Global {
    pub fn start_threads(&self) -> anyhow::Result<()> {
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads.into())
                .build_global()
                .context("the threads cannot be started")?;
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub struct CheckpointOptions {
    /// A Hugging Face folder (config.json, weights, tokenizer), a .gguf file, or a hub id such as EleutherAI/gpt-j-6b@float16
    pub model: PathBuf,
    /// A table of the model's family, where it is none of those that are built in
    #[arg(long, value_name = "FILE")]
    pub architecture: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ModelOptions {
    #[command(flatten)]
    pub checkpoint: CheckpointOptions,
    /// Where to compute: cpu, cuda or metal
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: DeviceKind,
}

#[derive(Debug, Args)]
pub struct TaskOptions {
    /// A built-in task (see `laser tasks`), a .yaml file, or examples as .jsonl, .json, .csv, .tsv or .parquet
    #[arg(long, value_name = "TASK", required_unless_present = "text")]
    pub task: Option<String>,
    #[command(flatten)]
    pub data: DataOptions,
    /// Use a random sample of at most N examples (groups of paraphrases stay whole)
    #[arg(long, allow_negative_numbers = true, value_name = "N", requires = "task", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Seed of the sample, the split and the bootstrap
    #[arg(long, default_value_t = 0, value_name = "S")]
    pub seed: u64,
    /// Take the first 20 % of the examples as the validation split, not a random 20 %; groups may be cut
    #[arg(long)]
    pub split_first: bool,
    /// Put each prompt to the model as a user's message in its own chat template; the answer follows where the template has it begin
    #[arg(long)]
    pub chat: bool,
}

#[derive(Debug, Args)]
pub struct DataOptions {
    /// Take the task's examples from FILE (.jsonl, .json, .csv, .tsv, .parquet), not from the Hugging Face hub
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Do as the paper's published code does: its prompts to the letter, the first 20 % as the validation split, and in a search randomised approximations (row blocks and noise-edge stay exact)
    #[arg(long)]
    pub paper_compat: bool,
}

#[derive(Debug, Args)]
pub struct TextOptions {
    /// Measure the perplexity of a text file, too
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Use the first N tokens of the text [default: all in eval, 16384 in search]
    #[arg(long, allow_negative_numbers = true, value_name = "N", requires = "text", value_parser = clap::value_parser!(u64).range(2..))]
    pub text_tokens: Option<u64>,
}

#[derive(Debug, Args)]
pub struct VerdictOptions {
    /// The RUN folder of a finished search
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
}

#[derive(Debug, Args)]
pub struct TasksOptions {
    #[command(subcommand)]
    pub command: Option<TasksCommand>,
}

#[derive(Debug, Subcommand)]
pub enum TasksCommand {
    /// Show a built-in task: its prompt, how it is scored, where its data comes from
    Show {
        /// The task
        name: String,
        #[command(flatten)]
        data: DataOptions,
    },
}

#[derive(Debug, Args)]
pub struct InspectOptions {
    #[command(flatten)]
    pub checkpoint: CheckpointOptions,
    /// Decompose the matrices: effective and stable rank, where noise ends, the energy that each rho keeps
    #[arg(long)]
    pub spectrum: bool,
    /// Matrices to show: kinds, one expert's as in fc_in[3], or attn, mlp, all
    #[arg(long, default_value = "all", value_delimiter = ',', value_name = "LIST")]
    pub matrices: Vec<MatrixGroup>,
    /// Layers to show, such as 20-29 or 0,5,-1 [default: all]
    #[arg(long, value_delimiter = ',', value_name = "LIST", allow_hyphen_values = true, value_parser = parse_layers)]
    pub layers: Vec<Layers>,
    /// Kept fractions of the rank
    #[arg(long, default_value = DEFAULT_RHOS, value_delimiter = ',', value_name = "LIST", allow_hyphen_values = true, value_parser = parse_rho)]
    pub rho: Vec<Rho>,
}

#[derive(Debug, Args)]
pub struct EvalOptions {
    #[command(flatten)]
    pub model: ModelOptions,
    #[command(flatten)]
    pub task: TaskOptions,
    #[command(flatten)]
    pub text: TextOptions,
    /// Edit the model first, as LAYER.MATRIX:EDIT, for example 27.fc_in:0.01 (repeatable)
    #[arg(long, value_name = "SPEC", allow_hyphen_values = true)]
    pub reduce: Vec<InterventionSpec>,
    /// Which examples to score
    #[arg(long, default_value = "all", value_enum)]
    pub split: SplitChoice,
    /// Write one JSON line an example to FILE
    #[arg(long, value_name = "FILE", requires = "task")]
    pub examples: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long, requires = "examples")]
    pub force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitChoice {
    Validation,
    Test,
    All,
}

#[derive(Debug, Args)]
pub struct SearchOptions {
    #[command(flatten)]
    pub model: ModelOptions,
    #[command(flatten)]
    pub task: TaskOptions,
    #[command(flatten)]
    pub text: TextOptions,
    /// The RUN folder: made if it is not there, resumed if it holds this very search
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    #[command(flatten)]
    pub space: SpaceOptions,
}

#[derive(Debug, Args)]
pub struct SpaceOptions {
    /// How candidates are chosen
    #[arg(long, default_value = "exhaustive", value_enum)]
    pub strategy: Strategy,
    /// Matrices to try: q_proj, k_proj, v_proj, out_proj, fc_in, fc_up, fc_out, one expert's as in
    /// fc_in[3], or attn, mlp, all
    #[arg(long, default_value = "mlp", value_delimiter = ',', value_name = "LIST")]
    pub matrices: Vec<MatrixGroup>,
    /// Layers to try, such as 20-29 or 0,5,-1 [default: all]
    #[arg(long, value_delimiter = ',', value_name = "LIST", allow_hyphen_values = true, value_parser = parse_layers)]
    pub layers: Vec<Layers>,
    /// Kept fractions of the rank to try [default: 0.9,0.8,0.6,0.2,0.1,0.05,0.01]
    #[arg(long, value_delimiter = ',', value_name = "LIST", allow_hyphen_values = true, value_parser = parse_rho)]
    pub rho: Vec<Rho>,
    /// Numbers of blocks to cut the rows into, each block reduced by itself; 1 is the whole matrix [default: 1]
    #[arg(long, allow_negative_numbers = true, value_delimiter = ',', value_name = "LIST", value_parser = parse_blocks)]
    pub blocks: Vec<NonZeroUsize>,
    /// Validation examples of the backward pass by which a gradient ranks candidates [default: 100]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub gradient_examples: Option<u64>,
    /// What finds the reductions that compose and beam put together [default: race]
    #[arg(long, value_enum, value_name = "STRATEGY")]
    pub start: Option<StartChoice>,
    /// How many compositions of a size a beam keeps [default: 4]
    #[arg(long, allow_negative_numbers = true, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    pub width: Option<u64>,
    /// Say how well the gradient's ranking finds what an exhaustive search of the same space, in this RUN folder, has found
    #[arg(long, value_name = "RUN")]
    pub compare: Option<PathBuf>,
    /// Compare candidates in bf16, which is faster on CPUs with AVX512-BF16 and rounds; the winner is judged in f32 all the same
    #[arg(long, default_value = "f32", value_enum)]
    pub dtype: Dtype,
    /// Memory for kept activations [default: a quarter of the machine's]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub memory: Option<Bytes>,
}

impl SpaceOptions {
    /// The kept fractions and numbers of blocks to try; none where each matrix has a rank of its own.
    pub fn grid(&self) -> Option<(Vec<Rho>, Vec<NonZeroUsize>)> {
        if self.strategy == Strategy::NoiseEdge {
            return None;
        }
        let defaults = || DEFAULT_RHOS.split(',').filter_map(|rho| parse_rho(rho).ok()).collect();
        let rho = if self.rho.is_empty() { defaults() } else { self.rho.clone() };
        let blocks = if self.blocks.is_empty() { vec![NonZeroUsize::MIN] } else { self.blocks.clone() };
        Some((rho, blocks))
    }

    /// What finds the reductions that are composed.
    pub fn start(&self) -> StartChoice {
        self.start.unwrap_or(StartChoice::Race)
    }

    /// Validation examples of a backward pass.
    pub fn gradient_examples(&self) -> usize {
        usize::try_from(self.gradient_examples.unwrap_or(100)).unwrap_or(usize::MAX)
    }

    /// How many compositions of a size a beam keeps.
    pub fn width(&self) -> usize {
        usize::try_from(self.width.unwrap_or(4)).unwrap_or(usize::MAX)
    }

    /// Whether reductions are composed.
    pub fn composes(&self) -> bool {
        matches!(self.strategy, Strategy::Compose | Strategy::Beam)
    }

    /// Whether a gradient ranks candidates.
    pub fn uses_gradient(&self) -> bool {
        self.strategy == Strategy::Gradient || (self.composes() && self.start() == StartChoice::Gradient)
    }

    /// Refuses options that the strategy would not heed.
    pub fn check(&self) -> anyhow::Result<()> {
        let gradient = "--strategy gradient, or compose or beam with --start gradient";
        let unheeded = [
            ("--gradient-examples", self.gradient_examples.is_some() && !self.uses_gradient(), gradient),
            ("--compare", self.compare.is_some() && !self.uses_gradient(), gradient),
            ("--start", self.start.is_some() && !self.composes(), "--strategy compose or beam"),
            ("--rho", !self.rho.is_empty() && self.grid().is_none(), ALL_BUT_NOISE_EDGE),
            ("--blocks", !self.blocks.is_empty() && self.grid().is_none(), ALL_BUT_NOISE_EDGE),
            ("--width", self.width.is_some() && self.strategy != Strategy::Beam, "--strategy beam"),
        ];
        match unheeded.into_iter().find(|(_, unheeded, _)| *unheeded) {
            Some((option, _, strategies)) => {
                let strategy = self.strategy.name();
                let why = format!("{option} means nothing to --strategy {strategy}: it is for {strategies}");
                Err(Usage(why.into()).into())
            }
            None => Ok(()),
        }
    }

    /// Bytes for kept activations.
    pub fn memory(&self) -> usize {
        const UNKNOWN: usize = 16_000_000_000;
        let available = || machine_memory().unwrap_or(UNKNOWN).min(container_memory().unwrap_or(usize::MAX));
        self.memory.map_or_else(|| available() / 4, |memory| memory.0)
    }
}

/// What a Linux container may take, in bytes, where it is limited (control groups v2, v1).
fn container_memory() -> Option<usize> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    files.iter().find_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok())
}

/// The machine's memory in bytes, where the system tells it in a file.
fn machine_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Strategy {
    /// Every layer, matrix, number of blocks and rho
    Exhaustive,
    /// Every layer and matrix, each at the rank above its noise (Marchenko-Pastur)
    NoiseEdge,
    /// All on a few examples, the better ones on more, the best on all
    Race,
    /// A race of the half that one backward pass ranks first
    Gradient,
    /// Several reductions at once, added one by one from the last layer down, each only if it helps
    Compose,
    /// Several reductions at once, the best few compositions of each size kept
    Beam,
}

/// In what precision candidates are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dtype {
    F32,
    Bf16,
}

/// What finds the reductions that are composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StartChoice {
    Race,
    Gradient,
}

impl StartChoice {
    /// As it is typed.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl Strategy {
    /// As it is typed.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("edit").required(true).args(["reduce", "recipe"]))]
pub struct ApplyOptions {
    #[command(flatten)]
    pub checkpoint: CheckpointOptions,
    /// What to edit, as LAYER.MATRIX:EDIT (repeatable)
    #[arg(long, value_name = "SPEC", allow_hyphen_values = true)]
    pub reduce: Vec<InterventionSpec>,
    /// Edit as a search found best: its RUN folder, or RUN/best.json
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// The folder to write
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// Replace PATH if it exists
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct DemoOptions {
    /// The folder for the model, the RUN folder and the edited model
    #[arg(long, value_name = "PATH", default_value = "laser-demo")]
    pub out: PathBuf,
}

fn parse_layers(text: &str) -> Result<Layers, String> {
    text.parse().map_err(|_| format!("`{text}` is no layer: write 7, 20-29, or -1 for the last"))
}

fn parse_rho(text: &str) -> Result<Rho, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number: rho is a fraction from 0 to 1"))?;
    Rho::new(number).map_err(|error| error.to_string())
}

fn parse_blocks(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("`{text}` is no number of blocks: write 1 or more"))
}

/// A number of bytes: `500MB`, `4GB`, `1.5GiB`.
#[derive(Debug, Clone, Copy)]
pub struct Bytes(pub usize);

impl std::str::FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
            "b" => 1.0,
            "kb" | "k" => 1e3,
            "mb" | "m" => 1e6,
            "gb" | "g" => 1e9,
            "kib" => 1024.0,
            "mib" => 1024.0 * 1024.0,
            "gib" => 1024.0 * 1024.0 * 1024.0,
            "" => return Err(format!("`{text}` has no unit: write {text}GB or {text}MB")),
            _ => return Err(format!("`{text}` is no size: write 500MB or 4GB")),
        };
        match text[..digits].parse::<f64>() {
            Ok(number) if number > 0.0 && number * unit < 1e15 => Ok(Self((number * unit) as usize)),
            _ => Err(format!("`{text}` is no size: write 500MB or 4GB")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes() {
        assert_eq!("4GB".parse::<Bytes>().unwrap().0, 4_000_000_000);
        assert_eq!("1.5 MiB".parse::<Bytes>().unwrap().0, 1_572_864);
        assert_eq!("2G".parse::<Bytes>().unwrap().0, 2_000_000_000);
        for wrong in ["", "GB", "-1GB", "4XB", "0", "4", "0GB", "1.2.3GB"] {
            assert!(wrong.parse::<Bytes>().is_err(), "{wrong}");
        }
    }
}

//! What can be typed.

mod analyze_options;
mod apply;
mod costs;
mod doctor;
mod fleet;
mod inputs;
mod sokoban;
mod space;
mod talk;
mod typed_values;

pub use analyze_options::{AnalysisChoice, AnalysisOutput, AnalyzeOptions, TableOptions};
pub use apply::{ApplyOptions, Pick};
pub use costs::CostOptions;
pub use doctor::{CompletionsOptions, DoctorOptions, ManOptions};
pub use fleet::{EngineOptions, FleetOptions, MergeOptions, Scheduler, ShardChoice};
pub use inputs::{CheckpointOptions, DataOptions, ModelOptions, TaskOptions, TextOptions, named_task};
pub use sokoban::{
    EvalLevelsOptions, LevelsOptions, MoveOptions, Moves, PlayOptions, SearchLevelsOptions, SokobanCommand,
    SokobanOptions, SolveOptions, TrainOptions, Worth,
};
pub use space::SpaceOptions;
pub use talk::{ChatOptions, CompareOptions, EditOptions, SpeechOptions};

use crate::output::Usage;
use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use laser::{SessionOptions, TaskSource};
use laser_edit::{InterventionSpec, Layers, MatrixGroup};
use laser_matrix::Rho;
use laser_run::Progress;
use std::path::PathBuf;
use std::sync::Arc;
use typed_values::{default_rhos, parse_layers, parse_rho, parse_weight};

/// The first things to type.
pub const EXAMPLES: &str = "\
Examples:
  laser demo                                            see it work, in seconds
  laser search MODEL --task qa.jsonl --out run          find what helps on your questions
  laser apply MODEL --recipe run --out edited           write the edited model";

/// Find, judge and apply rank reductions that improve a trained transformer.
#[derive(Debug, Parser)]
#[command(
    name = "laser",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    arg_required_else_help = false,
    subcommand_required = true,
    after_help = EXAMPLES
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
    #[command(override_usage = "laser eval [OPTIONS] <--task <TASK>|--text <FILE>> <MODEL>")]
    Eval(EvalOptions),
    /// Find the reduction that helps most on a task, and judge it on unseen examples
    #[command(override_usage = "laser search [OPTIONS] --task <TASK> --out <RUN> <MODEL>")]
    Search(Box<SearchOptions>),
    /// Put the shards of a search together, go on from there, and judge what is found
    Merge(MergeOptions),
    /// Print the batch file that runs a search in shards: for Slurm, HyperQueue or Kubernetes
    Fleet(FleetOptions),
    /// Write an edited model: as a Hugging Face folder, whole or factored, as a patch ...
    Apply(ApplyOptions),
    /// Type to a model, as it is or edited
    Chat(ChatOptions),
    /// See what a model says before and after an edit, side by side
    Compare(CompareOptions),
    /// Search, judge and apply on a small model and task that are part of this program
    Demo(DemoOptions),
    /// Judge a finished search once more, from its RUN folder
    Verdict(VerdictOptions),
    /// Show what a search's candidates gain against what they cost
    Front(FrontOptions),
    /// Write a page that shows a search, also one that is still running, and its data for other programs
    Report(ReportOptions),
    /// Look into why an edit helps: the paper's analyses
    Analyze(AnalyzeOptions),
    /// List the built-in tasks, show a task, check task files
    Tasks(TasksOptions),
    /// Sokoban: levels, a planner, and a Decision Transformer to train, edit and judge
    Sokoban(SokobanOptions),
    /// Show what this machine has, and how a model fits it
    Doctor(DoctorOptions),
    /// Print what makes a shell complete laser's commands and options
    Completions(CompletionsOptions),
    /// Write the manual pages
    Man(ManOptions),
}

/// No machine computes faster with more threads, and starting very many takes all that it has.
const MOST_THREADS: u16 = 1024;

/// The variables by which the library of threads is told how many to start.
const THREAD_VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"];

#[derive(Debug, Args)]
pub struct Global {
    /// Print one JSON document on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Show no progress and no notes on standard error
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Threads to compute with [default: one per core]
    #[arg(long, allow_negative_numbers = true, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_THREADS)))]
    pub threads: Option<u16>,
}

impl Global {
    pub fn start_threads(&self) -> anyhow::Result<()> {
        for name in THREAD_VARIABLES {
            let asked = std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
            if let Some(asked) = asked.filter(|&asked| asked > usize::from(MOST_THREADS)) {
                let why = format!("{name}={asked}: at most {MOST_THREADS} threads are started: set a smaller number");
                return Err(Usage(why.into()).into());
            }
        }
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
pub struct VerdictOptions {
    /// The RUN folder of a finished search
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
}

#[derive(Debug, Args)]
pub struct FrontOptions {
    /// The RUN folder of a search
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Show all candidates whose cost was measured, not only those that no other beats in both gain
    /// and cost
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct ReportOptions {
    /// The RUN folder of a search
    #[arg(value_name = "RUN", required_unless_present = "compare")]
    pub run: Option<PathBuf>,
    /// The page to write [default: RUN/report.html, of several runs compared.html]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Put several runs side by side: RUN, if it is given, and these
    #[arg(long, value_name = "RUN", num_args = 1.., conflicts_with_all = ["parquet", "optuna", "lm_eval"])]
    pub compare: Vec<PathBuf>,
    /// Write every table as CSV into this folder
    #[arg(long, value_name = "DIR")]
    pub csv: Option<PathBuf>,
    /// Write what each example gave under each candidate to a Parquet file
    #[arg(long, value_name = "FILE")]
    pub parquet: Option<PathBuf>,
    /// Write the journal for `optuna-dashboard FILE`
    #[arg(long, value_name = "FILE")]
    pub optuna: Option<PathBuf>,
    /// Write results and samples of base and best as lm-evaluation-harness does, into this folder
    #[arg(long, value_name = "DIR")]
    pub lm_eval: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct TasksOptions {
    #[command(subcommand)]
    pub command: Option<TasksCommand>,
}

#[derive(Debug, Subcommand)]
pub enum TasksCommand {
    /// Show a task: its prompt, how it is scored, where its data comes from
    Show {
        /// A built-in task, a .yaml file, or a file of examples
        name: String,
        #[command(flatten)]
        data: DataOptions,
    },
    /// Check task files: keys, templates, metrics, and data that is at hand (what is on the hub is not fetched)
    Check {
        /// Task files, data files, or folders of task files
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
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
    #[arg(long, default_value = default_rhos(), value_delimiter = ',', value_name = "LIST", allow_hyphen_values = true, value_parser = parse_rho)]
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
    /// Write one JSON line per example to FILE
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
    /// What a gain on each task counts for, in the tasks' order, such as 2,1 [default: all alike]
    #[arg(long, value_delimiter = ',', value_name = "LIST", requires = "task", value_parser = parse_weight)]
    pub weights: Vec<f64>,
    #[command(flatten)]
    pub text: TextOptions,
    /// The RUN folder: made if it is not there, resumed if it holds this very search
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Score only a part of the layers: 2/4 for the second of four shards, auto for the one of this
    /// task of Slurm, auto/4 for that of HyperQueue or Kubernetes; `laser merge RUN` puts them together
    #[arg(long, value_name = "SHARD")]
    pub shard: Option<ShardChoice>,
    /// Say what the search would take, in evaluations, time and memory, and stop; RUN is not touched
    #[arg(long, conflicts_with_all = ["shard", "engine"])]
    pub dry_run: bool,
    #[command(flatten)]
    pub engine: EngineOptions,
    #[command(flatten)]
    pub space: SpaceOptions,
    #[command(flatten)]
    pub costs: CostOptions,
}

impl SearchOptions {
    /// How the model is opened.
    pub fn session(&self, progress: Arc<dyn Progress>) -> SessionOptions {
        SessionOptions { device: self.model.device, chat: self.task.chat, progress }
    }

    /// The task, or the tasks and what each counts for.
    pub fn source(&self) -> anyhow::Result<TaskSource> {
        let source = self.task.source()?;
        let (tasks, weights) = (source.others.len() + 1, self.weights.len());
        if weights > 0 && (tasks == 1 || weights != tasks) {
            let why = format!("--weights has {weights} numbers for {tasks} tasks: give one for each of several tasks");
            return Err(Usage(why.into()).into());
        }
        Ok(TaskSource { weights: self.weights.clone(), ..source })
    }
}

#[derive(Debug, Args)]
pub struct DemoOptions {
    /// The folder for the model, the RUN folder and the edited model
    #[arg(long, value_name = "PATH", default_value = "laser-demo")]
    pub out: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    /// `docs/commands.md` is the help of every command. `LASER_WRITE_DOCS=1` writes it anew.
    #[test]
    fn the_book_has_every_command_as_its_help_says_it() {
        let mut command = Cli::command().term_width(92);
        command.build();
        let mut page = "# Commands\n\nEvery command with all of its options, as `--help` prints them.\n".to_owned();
        commands(&command, &mut page);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");
        if std::env::var_os("LASER_WRITE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap();
        assert!(found == page, "docs/commands.md is old: run this test with LASER_WRITE_DOCS=1");
    }

    fn commands(command: &clap::Command, page: &mut String) {
        let name = command.get_bin_name().unwrap_or("laser").to_owned();
        let help = command.clone().render_long_help().to_string();
        let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
        page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", help.join("\n")));
        command.get_subcommands().filter(|it| !it.is_hide_set()).for_each(|it| commands(it, page));
    }
}

//! What `laser sokoban` is told.

use super::EditOptions;
use super::typed_values::{default_rhos, parse_layers, parse_rho};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use laser_edit::{Layers, MatrixGroup};
use laser_matrix::Rho;
use std::num::NonZeroUsize;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct SokobanOptions {
    #[command(subcommand)]
    pub command: SokobanCommand,
}

#[derive(Debug, Subcommand)]
pub enum SokobanCommand {
    /// Make levels that can be solved, in Boxoban's text format
    Levels(LevelsOptions),
    /// Solve levels by a planner, and write its episodes to learn from
    Solve(SolveOptions),
    /// Train a Decision Transformer on a planner's episodes, or resume that
    Train(TrainOptions),
    /// Let a model play levels, as it is or edited: solved levels and mean return
    Eval(EvalLevelsOptions),
    /// Find the reduction with which a model plays best, and judge it on unseen levels
    Search(Box<SearchLevelsOptions>),
    /// Show an episode, and beside it that of the edited model
    Play(PlayOptions),
}

#[derive(Debug, Args)]
pub struct LevelsOptions {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// Boxes in each
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub boxes: u8,
    /// The seed that they follow from
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Write them to FILE [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long, requires = "out")]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct SolveOptions {
    /// Files of levels
    #[arg(value_name = "LEVELS", required = true)]
    pub levels: Vec<PathBuf>,
    /// What the planner's heuristic is multiplied by: 1 finds the shortest solutions, more is
    /// faster
    #[arg(long, value_name = "W", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub weight: u32,
    /// The planner gives up after so many nodes
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub nodes: u32,
    /// Solve the first N levels by the shortest solutions, too, and say how much longer these are
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub compare: usize,
    /// Write episodes to learn from, one JSON line per level, with a move here and there that is
    /// not the planner's
    #[arg(long, value_name = "FILE")]
    pub episodes: Option<PathBuf>,
    /// The seed of those moves
    #[arg(long, value_name = "S", default_value_t = 1, requires = "episodes")]
    pub seed: u64,
    /// Replace FILE if it exists
    #[arg(long, requires = "episodes")]
    pub force: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("lessons").required(true).multiple(true).args(["levels", "generate", "episodes"]))]
pub struct TrainOptions {
    /// The folder of the model: made if it is not there, resumed if it holds this very training
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// Files of levels whose episodes the planner makes (repeatable)
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub levels: Vec<PathBuf>,
    /// Make so many levels, too
    #[arg(long, value_name = "N")]
    pub generate: Option<u32>,
    /// Files of episodes that `solve` wrote (repeatable)
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub episodes: Vec<PathBuf>,
    /// Steps; a training may be prolonged until its learning rate falls, in the last third
    #[arg(long, value_name = "N", default_value_t = 6_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// The seed of levels, episodes, weights and order
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// The highest learning rate
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    pub rate: f64,
    /// Windows of an episode in a step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub windows: u32,
    /// Width of the residual stream
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub hidden: usize,
    /// Layers
    #[arg(long = "depth", value_name = "N", default_value_t = 6)]
    pub layers: usize,
    /// Attention heads
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub heads: usize,
    /// Steps of an episode that the model sees at once
    #[arg(long, value_name = "K", default_value_t = 4)]
    pub context: usize,
    /// Channels of the board's encoder
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub channels: usize,
    /// Pairs of convolutions of the board's encoder
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub pairs: usize,
}

#[derive(Debug, Args)]
pub struct EvalLevelsOptions {
    /// The folder of a trained model
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// A file of levels
    #[arg(long, value_name = "FILE")]
    pub levels: PathBuf,
    /// Play the first N levels only
    #[arg(long, value_name = "N")]
    pub first: Option<NonZeroUsize>,
    #[command(flatten)]
    pub moves: MoveOptions,
    #[command(flatten)]
    pub edit: EditOptions,
    /// Write one JSON line per level to FILE
    #[arg(long, value_name = "FILE")]
    pub examples: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long, requires = "examples")]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct SearchLevelsOptions {
    /// The folder of a trained model
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// The file of the levels that candidates are chosen on
    #[arg(long, value_name = "FILE")]
    pub validation: PathBuf,
    /// The file of the levels that only the base and the chosen candidate see
    #[arg(long, value_name = "FILE")]
    pub test: PathBuf,
    /// The RUN folder: made if it is not there, resumed if it holds this very search
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// What candidates are compared by
    #[arg(long, default_value = "solved", value_enum)]
    pub by: Worth,
    #[command(flatten)]
    pub moves: MoveOptions,
    /// Take the first N validation levels only
    #[arg(long, value_name = "N")]
    pub first: Option<NonZeroUsize>,
    /// Matrices to try: kinds, or attn, mlp, all
    #[arg(long, default_value = "all", value_delimiter = ',', value_name = "LIST")]
    pub matrices: Vec<MatrixGroup>,
    /// Layers to try, such as 2-4 or 0,-1 [default: all]
    #[arg(long, value_delimiter = ',', value_name = "LIST", allow_hyphen_values = true, value_parser = parse_layers)]
    pub layers: Vec<Layers>,
    /// Kept fractions of the rank to try
    #[arg(long, default_value = default_rhos(), value_delimiter = ',', value_name = "LIST", allow_hyphen_values = true, value_parser = parse_rho)]
    pub rho: Vec<Rho>,
    /// The seed of bootstrap and randomisation tests
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
}

/// How moves are chosen.
#[derive(Debug, Clone, Copy, Args)]
pub struct MoveOptions {
    /// Which move is made
    #[arg(long, default_value = "untried", value_enum)]
    pub moves: Moves,
}

/// Which move is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Moves {
    /// The likeliest that the episode has not yet made on this board
    Untried,
    /// The likeliest
    Likeliest,
}

/// What an episode is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Worth {
    /// Whether the level is solved
    Solved,
    /// The return, capped at 10 as in the paper
    Return,
}

#[derive(Debug, Args)]
pub struct PlayOptions {
    /// The folder of a trained model, or `planner`
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// A file of levels
    #[arg(long, value_name = "FILE")]
    pub levels: PathBuf,
    /// Which of them, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub level: usize,
    #[command(flatten)]
    pub moves: MoveOptions,
    #[command(flatten)]
    pub edit: EditOptions,
    /// Milliseconds per step in a terminal
    #[arg(long, value_name = "MS", default_value_t = 120)]
    pub pause: u64,
    /// Write an animated picture to FILE instead
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long, requires = "svg")]
    pub force: bool,
}

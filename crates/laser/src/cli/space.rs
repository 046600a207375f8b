//! What a search tries, and how it goes about it.

use super::typed_values::{Bytes, parse_blocks, parse_layers, parse_rho};
use crate::output::Usage;
use clap::{Args, ValueEnum};
use laser::{
    BEAM_WIDTH, CostPlan, EVOLVE_EVALUATIONS, GRADIENT_EXAMPLES, PAPER_RHOS, PoolChoice, SearchPlan, SpaceChoice,
    StrategyChoice,
};
use laser_edit::{Edit, Layers, MatrixGroup};
use laser_matrix::Rho;
use std::num::NonZeroUsize;
use std::path::PathBuf;

const ALL_BUT_NOISE_EDGE: &str = "all but it, which has its own rank for each matrix";

#[derive(Debug, Args)]
pub struct SpaceOptions {
    /// How candidates are chosen
    #[arg(long, default_value = "race", value_enum)]
    pub strategy: Strategy,
    /// Matrices to try: q_proj, k_proj, v_proj, out_proj, fc_in, fc_up, fc_out, one expert's as in
    /// fc_in[3], or attn, mlp, all
    #[arg(long, default_value = "all", value_delimiter = ',', value_name = "LIST")]
    pub matrices: Vec<MatrixGroup>,
    /// Layers to try, such as 20-29 or 0,5,-1 [default: all]
    #[arg(long, value_delimiter = ',', value_name = "LIST", allow_hyphen_values = true, value_parser = parse_layers)]
    pub layers: Vec<Layers>,
    /// Kept fractions of the rank to try [default: 0.9,0.8,0.6,0.2,0.1,0.05,0.01]
    #[arg(long, value_delimiter = ',', value_name = "LIST", allow_hyphen_values = true, value_parser = parse_rho)]
    pub rho: Vec<Rho>,
    /// Try this edit of each matrix, too, such as zero or prune=0.9 (repeatable)
    #[arg(long, value_name = "EDIT")]
    pub edit: Vec<Edit>,
    /// Numbers of blocks to cut the rows into, each block reduced by itself; 1 is the whole matrix [default: 1]
    #[arg(long, allow_negative_numbers = true, value_delimiter = ',', value_name = "LIST", value_parser = parse_blocks)]
    pub blocks: Vec<NonZeroUsize>,
    /// Validation examples of the backward pass by which a gradient ranks candidates [default: 100]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub gradient_examples: Option<u64>,
    /// What finds the reductions that compose, beam and evolve put together [default: race]
    #[arg(long, value_enum, value_name = "STRATEGY")]
    pub start: Option<StartChoice>,
    /// How many compositions of a size a beam keeps [default: 4]
    #[arg(long, allow_negative_numbers = true, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    pub width: Option<u64>,
    /// After how many evaluations of an example evolve ends, those of its start not counted
    /// [default: 40000]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub evaluations: Option<u64>,
    /// Where the strategy has come to its end, go on by evolution for at least N more candidates; run
    /// again with a larger N, a search goes on from there
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub more: Option<u64>,
    /// Say how well the gradient's ranking finds what an exhaustive search of the same space, in this RUN folder, has found
    #[arg(long, value_name = "RUN")]
    pub compare: Option<PathBuf>,
    /// Take over what the search in this RUN folder has scored of the same model, task and sample, under
    /// other limits or by another strategy (repeatable)
    #[arg(long, value_name = "RUN")]
    pub reuse: Vec<PathBuf>,
    /// Compare candidates in bf16, which is faster on CPUs with AVX512-BF16 and rounds; the winner is judged in f32 all the same
    #[arg(long, default_value = "f32", value_enum)]
    pub dtype: Dtype,
    /// Memory for kept activations [default: a quarter of the machine's, on a GPU half of what is free]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub memory: Option<Bytes>,
}

impl SpaceOptions {
    /// What the options ask for.
    pub fn plan(&self, costs: CostPlan) -> anyhow::Result<SearchPlan> {
        self.check()?;
        let examples =
            usize::try_from(self.gradient_examples.unwrap_or(GRADIENT_EXAMPLES as u64)).unwrap_or(usize::MAX);
        let pool = match self.start {
            None | Some(StartChoice::Race) => PoolChoice::Race,
            Some(StartChoice::Gradient) => PoolChoice::Gradient { examples },
        };
        let width = usize::try_from(self.width.unwrap_or(BEAM_WIDTH as u64)).unwrap_or(usize::MAX);
        let strategy = match self.strategy {
            Strategy::Exhaustive | Strategy::NoiseEdge => StrategyChoice::Exhaustive,
            Strategy::Race => StrategyChoice::Race,
            Strategy::Gradient => StrategyChoice::Gradient { examples },
            Strategy::Compose => StrategyChoice::Compose { pool },
            Strategy::Beam => StrategyChoice::Beam { pool, width },
            Strategy::Evolve => StrategyChoice::Evolve {
                pool,
                evaluations: self.evaluations.map_or(EVOLVE_EVALUATIONS, |n| usize::try_from(n).unwrap_or(usize::MAX)),
            },
        };
        Ok(SearchPlan {
            space: self.space(),
            strategy,
            matrices: self.matrices.clone(),
            layers: self.layers.clone(),
            more: self.more.and_then(|more| NonZeroUsize::new(usize::try_from(more).unwrap_or(usize::MAX))),
            bf16: self.dtype == Dtype::Bf16,
            costs,
            compare: self.compare.clone(),
            reuse: self.reuse.clone(),
            memory: self.memory.map(|memory| memory.0),
        })
    }

    fn space(&self) -> SpaceChoice {
        if self.strategy == Strategy::NoiseEdge {
            return SpaceChoice::NoiseEdge;
        }
        let defaults = || PAPER_RHOS.into_iter().filter_map(|rho| Rho::new(rho).ok()).collect();
        let rhos = if self.rho.is_empty() { defaults() } else { self.rho.clone() };
        let blocks = if self.blocks.is_empty() { vec![NonZeroUsize::MIN] } else { self.blocks.clone() };
        SpaceChoice::Grid { rhos, blocks, edits: self.edit.clone() }
    }

    /// Whether reductions are composed.
    fn composes(&self) -> bool {
        matches!(self.strategy, Strategy::Compose | Strategy::Beam | Strategy::Evolve)
    }

    /// Whether a gradient ranks candidates.
    fn uses_gradient(&self) -> bool {
        self.strategy == Strategy::Gradient || (self.composes() && self.start == Some(StartChoice::Gradient))
    }

    /// Refuses options that the strategy would not heed.
    fn check(&self) -> anyhow::Result<()> {
        let gradient = "--strategy gradient, or compose, beam or evolve with --start gradient";
        let unheeded = [
            ("--gradient-examples", self.gradient_examples.is_some() && !self.uses_gradient(), gradient),
            ("--compare", self.compare.is_some() && !self.uses_gradient(), gradient),
            ("--start", self.start.is_some() && !self.composes(), "--strategy compose, beam or evolve"),
            ("--evaluations", self.evaluations.is_some() && self.strategy != Strategy::Evolve, "--strategy evolve"),
            ("--rho", !self.rho.is_empty() && self.strategy == Strategy::NoiseEdge, ALL_BUT_NOISE_EDGE),
            ("--edit", !self.edit.is_empty() && self.strategy == Strategy::NoiseEdge, ALL_BUT_NOISE_EDGE),
            ("--blocks", !self.blocks.is_empty() && self.strategy == Strategy::NoiseEdge, ALL_BUT_NOISE_EDGE),
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
    /// Several reductions at once, by what all results so far tell of each
    Evolve,
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

impl Strategy {
    /// As it is typed.
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

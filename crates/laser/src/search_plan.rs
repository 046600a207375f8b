//! What a search tries, and how it goes about it.

use crate::cost_plan::CostPlan;
use crate::error::{Error, Result};
use laser_checkpoint::Config;
use laser_edit::{Candidate, Edit, EditError, Layers, MatrixGroup, MatrixId, MatrixKind};
use laser_matrix::Rho;
use laser_search::Strategy;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// The kept fractions of the paper's table 5.
pub const PAPER_RHOS: [f64; 7] = [0.9, 0.8, 0.6, 0.2, 0.1, 0.05, 0.01];

/// Validation examples of a backward pass, unless another number is asked for.
pub const GRADIENT_EXAMPLES: usize = 100;

/// How many compositions of a size a beam keeps, unless another number is asked for.
pub const BEAM_WIDTH: usize = 4;

/// Examples that evolution scores its candidates on, summed over the candidates, unless another number is asked for.
pub const EVOLVE_EVALUATIONS: usize = 40_000;

/// A search over single reductions of some matrices in some layers, and what is made of them.
#[derive(Debug, Clone)]
pub struct SearchPlan {
    /// The candidates of each matrix.
    pub space: SpaceChoice,
    /// Which candidates are scored, and on what.
    pub strategy: StrategyChoice,
    /// The matrices. Of a group, those that the model has.
    pub matrices: Vec<MatrixGroup>,
    /// The layers; none for all.
    pub layers: Vec<Layers>,
    /// How many candidates are made beyond the strategy's own end, at least.
    pub more: Option<NonZeroUsize>,
    /// Whether candidates are compared in bf16. The best is judged in f32 all the same.
    pub bf16: bool,
    /// What edits cost elsewhere: what it is measured on, and what it may be.
    pub costs: CostPlan,
    /// The RUN folder of an exhaustive search of the same space, to say how well a gradient's ranking finds what it found.
    pub compare: Option<PathBuf>,
    /// RUN folders of searches of the same model, task and sample, whose results are taken over.
    pub reuse: Vec<PathBuf>,
    /// Bytes for kept activations and decompositions; `None` for a quarter of the machine's memory, on a GPU half of what is
    /// free beside the weights.
    pub memory: Option<usize>,
}

/// What is tried of each matrix.
#[derive(Debug, Clone, PartialEq)]
pub enum SpaceChoice {
    /// Every combination.
    Grid {
        /// Kept fractions of the rank.
        rhos: Vec<Rho>,
        /// Numbers of row blocks, each reduced by itself; 1 is the whole matrix.
        blocks: Vec<NonZeroUsize>,
        /// Other edits of each matrix.
        edits: Vec<Edit>,
    },
    /// The rank above the matrix's noise edge (Marchenko-Pastur).
    NoiseEdge,
}

/// Which candidates are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrategyChoice {
    /// All, on all validation examples.
    Exhaustive,
    /// All on a few examples, the better ones on more.
    Race,
    /// A race of those that a backward pass ranks first.
    Gradient {
        /// Validation examples of the backward pass.
        examples: usize,
    },
    /// Several reductions at once, added one by one.
    Compose {
        /// What finds the reductions.
        pool: PoolChoice,
    },
    /// Several reductions at once, the best few compositions of each size kept.
    Beam {
        /// What finds the reductions.
        pool: PoolChoice,
        /// How many compositions of a size are kept.
        width: usize,
    },
    /// Several reductions at once, by evolution towards more right answers at a lower cost.
    Evolve {
        /// What finds the reductions that it starts from.
        pool: PoolChoice,
        /// Examples that its candidates are scored on, summed over the candidates.
        evaluations: usize,
    },
    /// A strategy of the caller's own.
    Own(OwnStrategy),
}

/// A strategy that is not one of this library's.
#[derive(Debug, Clone, Copy)]
pub struct OwnStrategy {
    /// What it is called in `run.json`. Another name is another search.
    pub name: &'static str,
    /// Begins it on the candidates of the space.
    pub begin: fn(Vec<Candidate>) -> Box<dyn Strategy>,
}

impl PartialEq for OwnStrategy {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for OwnStrategy {}

/// What finds the reductions that are composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolChoice {
    /// A race.
    Race,
    /// A race of those that a backward pass ranks first.
    Gradient {
        /// Validation examples of the backward pass.
        examples: usize,
    },
}

impl Default for SearchPlan {
    /// A race of every matrix of every layer, whole, at the paper's fractions.
    fn default() -> Self {
        let rhos = PAPER_RHOS.into_iter().filter_map(|rho| Rho::new(rho).ok()).collect();
        Self {
            space: SpaceChoice::Grid { rhos, blocks: vec![NonZeroUsize::MIN], edits: Vec::new() },
            strategy: StrategyChoice::Race,
            matrices: vec![MatrixGroup::of(&MatrixKind::ALL)],
            layers: Vec::new(),
            more: None,
            bf16: false,
            costs: CostPlan::default(),
            compare: None,
            reuse: Vec::new(),
            memory: None,
        }
    }
}

impl SearchPlan {
    /// The name of the strategy, or of a space that has none of its own, as `run.json` has it.
    pub(crate) fn name(&self) -> &'static str {
        match (&self.space, self.strategy) {
            (SpaceChoice::NoiseEdge, StrategyChoice::Exhaustive) => "noise-edge",
            (_, StrategyChoice::Exhaustive) => "exhaustive",
            (_, StrategyChoice::Race) => "race",
            (_, StrategyChoice::Gradient { .. }) => "gradient",
            (_, StrategyChoice::Compose { .. }) => "compose",
            (_, StrategyChoice::Beam { .. }) => "beam",
            (_, StrategyChoice::Evolve { .. }) => "evolve",
            (_, StrategyChoice::Own(own)) => own.name,
        }
    }

    /// What finds the reductions that are composed, if any are.
    pub(crate) fn pool(&self) -> Option<PoolChoice> {
        match self.strategy {
            StrategyChoice::Compose { pool }
            | StrategyChoice::Beam { pool, .. }
            | StrategyChoice::Evolve { pool, .. } => Some(pool),
            _ => None,
        }
    }

    /// Validation examples of the backward pass, if there is one.
    pub(crate) fn gradient_examples(&self) -> Option<usize> {
        match (self.strategy, self.pool()) {
            (StrategyChoice::Gradient { examples }, _) | (_, Some(PoolChoice::Gradient { examples })) => Some(examples),
            _ => None,
        }
    }

    /// Examples that evolution may score its candidates on, if there is one.
    pub(crate) fn evaluations(&self) -> Option<usize> {
        match self.strategy {
            StrategyChoice::Evolve { evaluations, .. } => Some(evaluations),
            _ => None,
        }
    }

    /// How many compositions of a size are kept, if a number is.
    pub(crate) fn width(&self) -> Option<usize> {
        match self.strategy {
            StrategyChoice::Beam { width, .. } => Some(width),
            _ => None,
        }
    }
}

impl PoolChoice {
    /// As `run.json` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            PoolChoice::Race => "race",
            PoolChoice::Gradient { .. } => "gradient",
        }
    }
}

/// The layers of a model that has `count`, ascending; all if none is asked for.
///
/// # Errors
/// If the model lacks one, or a range's first layer comes after its last.
pub fn layers_of(asked: &[Layers], count: usize) -> Result<Vec<usize>> {
    if asked.is_empty() {
        return Ok((0..count).collect());
    }
    let mut layers = Vec::new();
    for range in asked {
        layers.extend(range.resolve(count).map_err(|error| match error {
            EditError::Text { text, why } => Error::Layers { text, why },
            other => other.into(),
        })?);
    }
    layers.sort_unstable();
    layers.dedup();
    Ok(layers)
}

/// The matrices that are asked for and that the model has, in the order of a layer's forward pass.
///
/// # Errors
/// If the model lacks one that is named by itself.
pub fn matrices_of(asked: &[MatrixGroup], config: &Config) -> Result<Vec<MatrixId>> {
    let mut matrices = Vec::new();
    for group in asked {
        matrices.extend(group.resolve(config)?);
    }
    matrices.sort();
    matrices.dedup();
    Ok(matrices)
}

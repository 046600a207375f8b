//! Edits of one matrix: their text form, their JSON form, and what they do.
//!
//! Text: `LAYER.MATRIX:EDIT`, where LAYER is `27`, `20-27`, `-1` (from the end) or `*`, MATRIX a kind, one expert's as in
//! `fc_in[3]`, or a group (`attn`, `mlp`, `all`), EDIT a kept fraction `0.01` or one of `rank=41`, `tail=0.01`, `zero`, `prune=0.9`, `blocks=4,0.05`, `randomised=0.01`.
//! JSON: `{"layer":27,"matrix":"fc_in","rho":0.01}`; the other edits name their key.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    num::NonZeroUsize,
    str::FromStr,
};

use laser_linalg::{Matrix, Rho, RowBlocks, Svd, magnitude_prune, randomised_truncate, rank_for};
use serde::{Deserialize, Serialize};

use crate::{CheckpointError, Config, MatrixGroup, MatrixId, Result};

/// What is done to a matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edit {
    /// Keep the floor(rho * min(rows, cols)) largest singular components (the paper's reduction).
    Rho(Rho),
    /// Keep this many of the largest singular components.
    Rank(usize),
    /// Keep only the components that `Rho` would remove.
    Tail(Rho),
    /// What the paper's published code does in place of `Rho`: a randomised approximation of that rank, which is not the best.
    Randomised(Rho),
    /// All zeros.
    Zero,
    /// Zero this fraction of the entries, those smallest in magnitude.
    Prune(Rho),
    /// Cut the rows into blocks and reduce each.
    Blocks {
        /// Number of blocks.
        blocks: NonZeroUsize,
        /// Kept fraction of each block's maximum rank.
        rho: Rho,
    },
}

impl Edit {
    /// The rank that is kept of a `rows` x `cols` matrix, where the edit keeps one.
    pub fn rank(&self, rows: usize, cols: usize) -> Option<usize> {
        match *self {
            Self::Rho(rho) | Self::Randomised(rho) => Some(rank_for(rho, rows, cols)),
            Self::Rank(rank) => Some(rank),
            Self::Tail(rho) => Some(rows.min(cols) - rank_for(rho, rows, cols)),
            Self::Zero => Some(0),
            Self::Prune(_) | Self::Blocks { .. } => None,
        }
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rho(rho) => write!(f, "{}", rho.get()),
            Self::Rank(rank) => write!(f, "rank={rank}"),
            Self::Tail(rho) => write!(f, "tail={}", rho.get()),
            Self::Randomised(rho) => write!(f, "randomised={}", rho.get()),
            Self::Zero => f.write_str("zero"),
            Self::Prune(fraction) => write!(f, "prune={}", fraction.get()),
            Self::Blocks { blocks, rho } => write!(f, "blocks={blocks},{}", rho.get()),
        }
    }
}

impl FromStr for Edit {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: String| CheckpointError::Intervention { text: text.to_owned(), why };
        let fraction = |number: &str| parse_fraction(number).map_err(wrong);
        match text.split_once('=') {
            None if text == "zero" => Ok(Self::Zero),
            None => fraction(text).map(Self::Rho),
            Some(("rank", rank)) => {
                let rank =
                    rank.parse().map_err(|_| wrong(format!("{rank:?} is no rank; rank=41 keeps 41 components")))?;
                Ok(Self::Rank(rank))
            }
            Some(("tail", rho)) => fraction(rho).map(Self::Tail),
            Some(("randomised", rho)) => fraction(rho).map(Self::Randomised),
            Some(("prune", share)) => fraction(share).map(Self::Prune),
            Some(("blocks", value)) => {
                let (blocks, rho) = value
                    .split_once(',')
                    .ok_or_else(|| wrong("blocks needs a number and a fraction, as in blocks=4,0.05".to_owned()))?;
                let blocks = blocks
                    .parse()
                    .map_err(|_| wrong("the number of blocks must be a whole number from 1".to_owned()))?;
                Ok(Self::Blocks { blocks, rho: fraction(rho)? })
            }
            Some((key, _)) => Err(wrong(format!("unknown edit {key:?}; {EDITS}"))),
        }
    }
}

/// Of the paper's code, `torch.svd_lowrank(niter=2)`; its random numbers are unseeded, ours are always the same.
const POWER_ITERATIONS: usize = 2;
const SEED: u64 = 0;

const EDITS: &str =
    "the edits are a fraction such as 0.01, rank=41, tail=0.01, zero, prune=0.9, blocks=4,0.05 and randomised=0.01";

fn parse_fraction(text: &str) -> std::result::Result<Rho, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number; {EDITS}"))?;
    Rho::new(number).map_err(|error| error.to_string())
}

/// One edit of one matrix of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Json", into = "Json")]
pub struct Intervention {
    /// The layer, from 0.
    pub layer: usize,
    /// The matrix.
    pub matrix: MatrixId,
    /// What is done to it.
    pub edit: Edit,
}

impl Intervention {
    /// The edited matrix, of `matrix`'s shape.
    pub fn apply(&self, matrix: &Matrix) -> Result<Matrix> {
        self.apply_with(matrix, &Decompositions::default())
    }

    fn apply_with(&self, matrix: &Matrix, decompositions: &Decompositions) -> Result<Matrix> {
        let failed = |why: String| CheckpointError::Edit { intervention: self.to_string(), why };
        let decomposition = &decompositions.whole;
        let svd = || match decomposition.get() {
            Some(svd) => Ok(svd),
            None => {
                let svd = Svd::of(matrix).map_err(|error| failed(error.to_string()))?;
                Ok(decomposition.get_or_init(|| svd))
            }
        };
        let (rows, cols) = (matrix.rows(), matrix.cols());
        self.check_shape(rows, cols)?;
        let full = rows.min(cols);
        match self.edit {
            // Nothing is removed: not even a rounding error shall be.
            Edit::Rank(_) | Edit::Rho(_) | Edit::Randomised(_) | Edit::Tail(_)
                if self.edit.rank(rows, cols) == Some(full) =>
            {
                Ok(matrix.clone())
            }
            Edit::Rho(rho) => Ok(svd()?.truncate(rank_for(rho, rows, cols))),
            Edit::Rank(rank) => Ok(svd()?.truncate(rank)),
            Edit::Randomised(rho) => randomised_truncate(matrix, rank_for(rho, rows, cols), POWER_ITERATIONS, SEED)
                .map_err(|error| failed(error.to_string())),
            Edit::Tail(rho) => Ok(svd()?.tail(rank_for(rho, rows, cols))),
            Edit::Zero => Ok(Matrix::zeros(rows, cols)),
            Edit::Prune(fraction) => Ok(magnitude_prune(matrix, fraction)),
            Edit::Blocks { blocks, rho } => {
                let mut cuts = decompositions.blocks.borrow_mut();
                let cut = match cuts.entry(blocks) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => {
                        entry.insert(RowBlocks::of(matrix, blocks).map_err(|error| failed(error.to_string()))?)
                    }
                };
                Ok(cut.truncate(rho))
            }
        }
    }

    /// A list in canonical order (by layer, then matrix), in which no matrix comes twice.
    pub fn combine(list: impl IntoIterator<Item = Self>) -> Result<Vec<Self>> {
        let mut list: Vec<Self> = list.into_iter().collect();
        list.sort_by_key(|intervention| (intervention.layer, intervention.matrix));
        // All experts' matrices come before a single one's: what overlaps it does so with the first of its kind.
        let of_kind = |a: &Self, b: &Self| (a.layer, a.matrix.kind) == (b.layer, b.matrix.kind);
        for run in list.chunk_by(of_kind) {
            let overlaps =
                |pair: &[Self]| pair[0].matrix.overlaps(pair[1].matrix) || run[0].matrix.overlaps(pair[1].matrix);
            if let Some(pair) = run.windows(2).find(|pair| overlaps(pair)) {
                return Err(CheckpointError::EditedTwice { layer: pair[1].layer, matrix: pair[1].matrix });
            }
        }
        Ok(list)
    }

    /// Refuses what a matrix of this shape cannot be cut to.
    fn check_shape(&self, rows: usize, cols: usize) -> Result<()> {
        let failed = |why: String| Err(CheckpointError::Edit { intervention: self.to_string(), why });
        let full = rows.min(cols);
        match self.edit {
            Edit::Rank(rank) if rank > full => {
                failed(format!("the matrix is {rows} x {cols}: its rank is at most {full}"))
            }
            Edit::Blocks { blocks, .. } if blocks.get() > rows => {
                failed(format!("the matrix has {rows} rows: use at most as many blocks"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a layer or a matrix that the model lacks, and an edit that the matrix is too small for.
    pub fn check(&self, config: &Config) -> Result<()> {
        if self.layer < config.layers {
            self.matrix.check(config)?;
            let [rows, cols] = self.matrix.kind.shape(config);
            return self.check_shape(rows, cols);
        }
        let layer = i64::try_from(self.layer).unwrap_or(i64::MAX);
        Err(CheckpointError::LayerOutOfRange { layer, count: config.layers })
    }
}

/// A matrix that is edited in several ways, one decomposition for all of them.
#[derive(Debug)]
pub struct EditableMatrix {
    matrix: Matrix,
    decompositions: Decompositions,
}

/// What has been decomposed of a matrix.
#[derive(Debug, Default)]
struct Decompositions {
    whole: OnceCell<Svd>,
    /// By the number of row blocks.
    blocks: RefCell<BTreeMap<NonZeroUsize, RowBlocks>>,
}

impl EditableMatrix {
    /// Nothing is decomposed yet.
    pub fn new(matrix: Matrix) -> Self {
        Self { matrix, decompositions: Decompositions::default() }
    }

    /// The matrix as it was.
    pub fn unedited(&self) -> &Matrix {
        &self.matrix
    }

    /// How much memory it takes, at most.
    pub fn bytes(&self) -> usize {
        let decompositions =
            usize::from(self.decompositions.whole.get().is_some()) + self.decompositions.blocks.borrow().len();
        // The factors of one have no more elements than two such matrices.
        size_of_val(self.matrix.data()) * (1 + 2 * decompositions)
    }

    /// What [`Intervention::apply`] gives.
    pub fn edit(&self, intervention: &Intervention) -> Result<Matrix> {
        intervention.apply_with(&self.matrix, &self.decompositions)
    }
}

impl fmt::Display for Intervention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}:{}", self.layer, self.matrix, self.edit)
    }
}

/// The JSON form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    layer: usize,
    matrix: MatrixId,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tail: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zero: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prune: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks: Option<NonZeroUsize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rho: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    randomised: Option<f64>,
}

impl From<Intervention> for Json {
    fn from(Intervention { layer, matrix, edit }: Intervention) -> Self {
        let mut json = Self {
            layer,
            matrix,
            rank: None,
            tail: None,
            zero: None,
            prune: None,
            blocks: None,
            rho: None,
            randomised: None,
        };
        match edit {
            Edit::Rho(rho) => json.rho = Some(rho.get()),
            Edit::Rank(rank) => json.rank = Some(rank),
            Edit::Randomised(rho) => json.randomised = Some(rho.get()),
            Edit::Tail(rho) => json.tail = Some(rho.get()),
            Edit::Zero => json.zero = Some(true),
            Edit::Prune(fraction) => json.prune = Some(fraction.get()),
            Edit::Blocks { blocks, rho } => (json.blocks, json.rho) = (Some(blocks), Some(rho.get())),
        }
        json
    }
}

impl TryFrom<Json> for Intervention {
    type Error = String;

    fn try_from(json: Json) -> std::result::Result<Self, String> {
        let fraction = |number: f64| Rho::new(number).map_err(|error| error.to_string());
        let edit = match (json.rho, json.rank, json.tail, json.zero, json.prune, json.blocks, json.randomised) {
            (Some(rho), None, None, None, None, None, None) => Edit::Rho(fraction(rho)?),
            (None, Some(rank), None, None, None, None, None) => Edit::Rank(rank),
            (None, None, Some(rho), None, None, None, None) => Edit::Tail(fraction(rho)?),
            (None, None, None, Some(true), None, None, None) => Edit::Zero,
            (None, None, None, None, Some(share), None, None) => Edit::Prune(fraction(share)?),
            (Some(rho), None, None, None, None, Some(blocks), None) => Edit::Blocks { blocks, rho: fraction(rho)? },
            (None, None, None, None, None, None, Some(rho)) => Edit::Randomised(fraction(rho)?),
            _ => {
                return Err(
                    "a reduction needs one of rho, rank, tail, zero (true), prune, randomised, or blocks and rho"
                        .to_owned(),
                );
            }
        };
        Ok(Self { layer: json.layer, matrix: json.matrix, edit })
    }
}

/// What a user types: one edit of the matrices of a group in a range of layers, not yet bound to a model.
#[derive(Clone, Debug, PartialEq)]
pub struct InterventionSpec {
    /// Which layers.
    pub layers: Layers,
    /// Which matrices.
    pub matrices: MatrixGroup,
    /// What is done to each.
    pub edit: Edit,
}

impl InterventionSpec {
    /// The interventions that this stands for in a model.
    pub fn expand(&self, config: &Config) -> Result<Vec<Intervention>> {
        let matrices = self.matrices.resolve(config)?;
        let edit = self.edit;
        let one = |layer| matrices.iter().map(move |&matrix| Intervention { layer, matrix, edit });
        Ok(self.layers.resolve(config.layers)?.flat_map(one).collect())
    }

    /// The interventions of several, in canonical order; no matrix may be edited twice.
    pub fn expand_all(specs: &[Self], config: &Config) -> Result<Vec<Intervention>> {
        let mut list = Vec::new();
        for spec in specs {
            list.extend(spec.expand(config)?);
        }
        Intervention::combine(list)
    }
}

impl FromStr for InterventionSpec {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: String| CheckpointError::Intervention { text: text.to_owned(), why };
        let form = || wrong("write LAYER.MATRIX:EDIT, as in 27.fc_in:0.01 or 20-27.mlp:rank=41".to_owned());
        let (place, edit) = text.split_once(':').ok_or_else(form)?;
        let (layers, matrices) = place.split_once('.').ok_or_else(form)?;
        let layers = layers.parse().map_err(|error| match error {
            CheckpointError::Intervention { why, .. } => wrong(why),
            other => other,
        })?;
        let edit = edit.parse().map_err(|error| match error {
            CheckpointError::Intervention { why, .. } => wrong(why),
            other => other,
        })?;
        Ok(Self { layers, matrices: matrices.parse()?, edit })
    }
}

/// A range of layers; negative numbers count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// `*`.
    All,
    /// `27`, `-1`, or `20-27` with both ends included.
    Range(i64, i64),
}

impl Layers {
    /// The layers of a model that has `count`.
    pub fn resolve(self, count: usize) -> Result<std::ops::RangeInclusive<usize>> {
        let index = |layer: i64| {
            let from_start = if layer < 0 {
                i64::try_from(count).ok().and_then(|count| count.checked_add(layer))
            } else {
                Some(layer)
            };
            let index = from_start.and_then(|layer| usize::try_from(layer).ok()).filter(|&layer| layer < count);
            index.ok_or(CheckpointError::LayerOutOfRange { layer, count })
        };
        let (first, last) = match self {
            Self::All => (0, -1),
            Self::Range(first, last) => (first, last),
        };
        let range = index(first)?..=index(last)?;
        if range.is_empty() {
            let why = "the first layer comes after the last".to_owned();
            return Err(CheckpointError::Intervention { text: self.to_string(), why });
        }
        Ok(range)
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Range(first, last) if first == last => write!(f, "{first}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl FromStr for Layers {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self> {
        if text == "*" {
            return Ok(Self::All);
        }
        // The dash of a range is the first one that is not a sign.
        let dash = text.char_indices().skip(1).find(|&(_, letter)| letter == '-').map(|(at, _)| at);
        let (first, last) = dash.map_or((text, text), |at| (&text[..at], &text[at + 1..]));
        match (parse_layer(first), parse_layer(last)) {
            (Some(first), Some(last)) => Ok(Self::Range(first, last)),
            _ => Err(CheckpointError::Intervention {
                text: text.to_owned(),
                why: format!("{text:?} is no layer: write 27, 20-27, -1 (the last) or *"),
            }),
        }
    }
}

fn parse_layer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

//! The kinds of weight matrix that can be edited, in the names of the paper's code.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{CheckpointError, Config, Result};

/// One kind of weight matrix (the paper's tau). In a gated MLP `fc_in` is the gate and `fc_up` the up projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatrixKind {
    /// Queries, `[heads * head_dim, hidden]`.
    QProj,
    /// Keys, `[kv_heads * head_dim, hidden]`.
    KProj,
    /// Values, `[kv_heads * head_dim, hidden]`.
    VProj,
    /// Attention output, `[hidden, heads * head_dim]`.
    OutProj,
    /// MLP gate, `[intermediate, hidden]`.
    FcIn,
    /// MLP up projection, `[intermediate, hidden]`.
    FcUp,
    /// MLP down projection, `[hidden, intermediate]`.
    FcOut,
}

use MatrixKind::{FcIn, FcOut, FcUp, KProj, OutProj, QProj, VProj};

impl MatrixKind {
    /// Every kind, in the order of a layer's forward pass.
    pub const ALL: [Self; 7] = [QProj, KProj, VProj, OutProj, FcIn, FcUp, FcOut];
    /// The kinds of the attention block.
    pub const ATTN: [Self; 4] = [QProj, KProj, VProj, OutProj];
    /// The kinds of the MLP block.
    pub const MLP: [Self; 3] = [FcIn, FcUp, FcOut];
    /// Names of the groups.
    pub const GROUPS: [&str; 3] = ["attn", "mlp", "all"];

    /// The name: `q_proj`, `fc_in` ...
    pub const fn name(self) -> &'static str {
        match self {
            QProj => "q_proj",
            KProj => "k_proj",
            VProj => "v_proj",
            OutProj => "out_proj",
            FcIn => "fc_in",
            FcUp => "fc_up",
            FcOut => "fc_out",
        }
    }

    /// Every name, joined by commas.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Shape of this matrix, `[outputs, inputs]`: rows are output features.
    pub fn shape(self, config: &Config) -> [usize; 2] {
        let queries = config.heads * config.head_dim;
        let keys = config.kv_heads * config.head_dim;
        match self {
            QProj => [queries, config.hidden_size],
            KProj | VProj => [keys, config.hidden_size],
            OutProj => [config.hidden_size, queries],
            FcIn | FcUp => [config.intermediate_size, config.hidden_size],
            FcOut => [config.hidden_size, config.intermediate_size],
        }
    }
}

impl fmt::Display for MatrixKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for MatrixKind {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| CheckpointError::UnknownMatrix { found: text.to_owned() })
    }
}

/// A matrix of a layer: a kind and, in a mixture of experts, whose. Text form `fc_in` (all experts' at once) or `fc_in[3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MatrixId {
    /// The kind.
    pub kind: MatrixKind,
    /// The expert, from 0; `None` for all of them, and where there are none.
    pub expert: Option<usize>,
}

impl MatrixId {
    /// The single matrices that this stands for: every expert's where all are meant.
    pub fn each(self, config: &Config) -> Vec<Self> {
        match config.experts_of(self.kind).filter(|_| self.expert.is_none()) {
            Some(experts) => (0..experts.count).map(|expert| Self { expert: Some(expert), ..self }).collect(),
            None => vec![self],
        }
    }

    /// Whether the two have a matrix in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.kind == other.kind && (self.expert.is_none() || other.expert.is_none() || self.expert == other.expert)
    }

    /// Refuses a matrix that the model lacks.
    pub fn check(self, config: &Config) -> Result<()> {
        let missing = |why: String| Err(CheckpointError::NoSuchMatrix { matrix: self, why });
        if !config.matrices.contains(&self.kind) {
            let known: Vec<&str> = config.matrices.iter().map(|kind| kind.name()).collect();
            return missing(format!("this model's are {}", known.join(", ")));
        }
        let experts = config.experts_of(self.kind).map(|experts| experts.count);
        match (self.expert, experts) {
            (Some(_), None) => missing(format!("{} has no experts: leave out the brackets", self.kind)),
            (Some(expert), Some(count)) if expert >= count => missing(format!("the experts are 0 to {}", count - 1)),
            _ => Ok(()),
        }
    }
}

impl From<MatrixKind> for MatrixId {
    fn from(kind: MatrixKind) -> Self {
        Self { kind, expert: None }
    }
}

impl fmt::Display for MatrixId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expert {
            Some(expert) => f.pad(&format!("{}[{expert}]", self.kind)),
            None => f.pad(self.kind.name()),
        }
    }
}

impl FromStr for MatrixId {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self> {
        let Some((kind, rest)) = text.split_once('[') else {
            return Ok(text.parse::<MatrixKind>()?.into());
        };
        let expert = rest.strip_suffix(']').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let expert = expert.and_then(|digits| digits.parse().ok());
        let unknown = || CheckpointError::UnknownMatrix { found: text.to_owned() };
        Ok(Self { kind: kind.parse()?, expert: Some(expert.ok_or_else(unknown)?) })
    }
}

impl TryFrom<String> for MatrixId {
    type Error = CheckpointError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<MatrixId> for String {
    fn from(matrix: MatrixId) -> Self {
        matrix.to_string()
    }
}

/// What a user names: one matrix, or a group (`attn`, `mlp`, `all`), of which a model need not have every one.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixGroup {
    matrices: Vec<MatrixId>,
    is_group: bool,
}

impl MatrixGroup {
    /// Those that the model has, in the order of a layer's forward pass.
    pub fn resolve(&self, config: &Config) -> Result<Vec<MatrixId>> {
        let mut there = Vec::with_capacity(self.matrices.len());
        for matrix in &self.matrices {
            match matrix.check(config) {
                Ok(()) => there.push(*matrix),
                Err(error) if !self.is_group => return Err(error),
                Err(_) => {}
            }
        }
        Ok(there)
    }
}

impl FromStr for MatrixGroup {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self> {
        let kinds: &[MatrixKind] = match text {
            "attn" => &MatrixKind::ATTN,
            "mlp" => &MatrixKind::MLP,
            "all" => &MatrixKind::ALL,
            _ => return Ok(Self { matrices: vec![text.parse()?], is_group: false }),
        };
        Ok(Self { matrices: kinds.iter().map(|&kind| kind.into()).collect(), is_group: true })
    }
}

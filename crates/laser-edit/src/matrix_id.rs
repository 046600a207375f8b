//! Matrices of a layer, one by one and in groups.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{EditError, MatrixKind, ModelShape, Result};

/// A matrix of a layer: a kind and, in a mixture of experts, whose. Text form `fc_in` (all experts' at once) or `fc_in[3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("pattern" = r"^(q_proj|k_proj|v_proj|out_proj|fc_in|fc_up|fc_out)(\[[0-9]+\])?$"))]
pub struct MatrixId {
    /// The kind.
    pub kind: MatrixKind,
    /// The expert, from 0; `None` for all of them, and where there are none.
    pub expert: Option<usize>,
}

impl MatrixId {
    /// The single matrices that this stands for: every expert's where all are meant.
    pub fn each(self, shape: &impl ModelShape) -> Vec<Self> {
        match shape.experts(self.kind).filter(|_| self.expert.is_none()) {
            Some(experts) => (0..experts).map(|expert| Self { expert: Some(expert), ..self }).collect(),
            None => vec![self],
        }
    }

    /// Whether the two have a matrix in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.kind == other.kind && (self.expert.is_none() || other.expert.is_none() || self.expert == other.expert)
    }

    /// Refuses a matrix that the model lacks.
    ///
    /// # Errors
    /// If it does.
    pub fn check(self, shape: &impl ModelShape) -> Result<()> {
        let missing = |why: String| Err(EditError::NoSuchMatrix { matrix: self.to_string(), why });
        if !shape.matrices().contains(&self.kind) {
            let known: Vec<&str> = shape.matrices().iter().map(|kind| kind.name()).collect();
            return missing(format!("this model's are {}", known.join(", ")));
        }
        match (self.expert, shape.experts(self.kind)) {
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
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self> {
        let Some((kind, rest)) = text.split_once('[') else {
            return Ok(text.parse::<MatrixKind>()?.into());
        };
        let expert = rest.strip_suffix(']').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let expert = expert.and_then(|digits| digits.parse().ok());
        let kind = kind.parse()?;
        match expert {
            Some(expert) => Ok(Self { kind, expert: Some(expert) }),
            None => Err(MatrixKind::unknown(text)),
        }
    }
}

impl TryFrom<String> for MatrixId {
    type Error = EditError;

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
    /// Matrices of these kinds, of which a model need not have every one.
    pub fn of(kinds: &[MatrixKind]) -> Self {
        Self { matrices: kinds.iter().map(|&kind| kind.into()).collect(), is_group: true }
    }

    /// Those that the model has, in the order of a layer's forward pass.
    ///
    /// # Errors
    /// If the model lacks a matrix that is named by itself.
    pub fn resolve(&self, shape: &impl ModelShape) -> Result<Vec<MatrixId>> {
        let mut there = Vec::with_capacity(self.matrices.len());
        for matrix in &self.matrices {
            match matrix.check(shape) {
                Ok(()) => there.push(*matrix),
                Err(error) if !self.is_group => return Err(error),
                Err(_) => {}
            }
        }
        Ok(there)
    }
}

impl FromStr for MatrixGroup {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self> {
        let kinds: &[MatrixKind] = match text {
            "attn" => &MatrixKind::ATTN,
            "mlp" => &MatrixKind::MLP,
            "all" => &MatrixKind::ALL,
            _ => return Ok(Self { matrices: vec![text.parse()?], is_group: false }),
        };
        Ok(Self::of(kinds))
    }
}

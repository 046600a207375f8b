//! The kinds of weight matrix that can be edited, in the names of the paper's code.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{EditError, Result};

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

    /// What is said of a name that no kind has.
    pub(crate) fn unknown(found: &str) -> EditError {
        EditError::UnknownMatrix {
            found: found.to_owned(),
            nearest: Self::meant(found),
            kinds: Self::names(),
            groups: Self::GROUPS.join(", "),
        }
    }

    /// A question whether another name was meant: that of other programs, or one with a few other letters.
    fn meant(found: &str) -> String {
        let ours = match found {
            "gate_proj" | "w1" | "c_fc" => "fc_in",
            "up_proj" | "w3" => "fc_up",
            "down_proj" | "w2" => "fc_out",
            "o_proj" => "out_proj",
            other => other,
        };
        laser_guard::did_you_mean(ours, Self::ALL.map(Self::name).into_iter().chain(Self::GROUPS))
    }

    /// Shape of this matrix, `[outputs, inputs]`: rows are output features.
    pub fn shape(self, model: &impl ModelShape) -> [usize; 2] {
        model.matrix_shape(self)
    }
}

impl fmt::Display for MatrixKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for MatrixKind {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| Self::unknown(text))
    }
}

/// What checks of edits need to know of a model.
pub trait ModelShape {
    /// Number of layers.
    fn layers(&self) -> usize;

    /// The matrices that a layer has, in the order of its forward pass.
    fn matrices(&self) -> &[MatrixKind];

    /// Shape of a matrix, `[outputs, inputs]`; in a mixture of experts, of each expert's.
    fn matrix_shape(&self, kind: MatrixKind) -> [usize; 2];

    /// How many experts have a matrix of this kind of their own; None where there is one for all tokens.
    fn experts(&self, kind: MatrixKind) -> Option<usize>;
}

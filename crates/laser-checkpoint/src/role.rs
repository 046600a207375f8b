//! What a tensor is to the model, and its shape.

use std::fmt;

use serde::Deserialize;

use crate::{
    Config, MatrixId, MatrixKind,
    architecture::{Architecture, NormWidth},
};

/// A place in the model that weights go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// Token embeddings, `[vocabulary, hidden]`.
    Embedding,
    /// Learned positions, `[positions, hidden]`.
    Positions,
    /// Embeddings of the token types, `[types, hidden]`; every token is of type 0.
    TokenTypes,
    /// The norm of the embeddings.
    EmbeddingNorm,
    /// The norm of a layer's attention: before it, or behind the addition in a `post` layout.
    AttentionNorm,
    /// The norm of what attention adds to the residual stream.
    AttentionOutputNorm,
    /// The norm of the queries.
    QueryNorm,
    /// The norm of the keys.
    KeyNorm,
    /// The norm of a layer's MLP, as `AttentionNorm`.
    MlpNorm,
    /// The norm of what the MLP adds to the residual stream.
    MlpOutputNorm,
    /// The weights that choose a token's experts, `[experts, hidden]`.
    Router,
    /// A weight matrix.
    #[serde(skip)]
    Matrix(MatrixKind),
    /// The norm before the head.
    FinalNorm,
    /// A masked model's transformation before its head, `[hidden, hidden]`.
    HeadDense,
    /// The norm behind it.
    HeadNorm,
    /// The head, `[vocabulary, hidden]`.
    Head,
}

use Slot::{
    AttentionNorm, AttentionOutputNorm, Embedding, EmbeddingNorm, FinalNorm, Head, HeadDense, HeadNorm, KeyNorm,
    MlpNorm, MlpOutputNorm, Positions, QueryNorm, Router, TokenTypes,
};

impl Slot {
    /// The slots before the layers, in a layer, and behind them, in the order of the forward pass.
    const BEFORE: [Self; 4] = [Embedding, Positions, TokenTypes, EmbeddingNorm];
    const LAYER: [Self; 14] = [
        AttentionNorm,
        Self::Matrix(MatrixKind::QProj),
        Self::Matrix(MatrixKind::KProj),
        Self::Matrix(MatrixKind::VProj),
        QueryNorm,
        KeyNorm,
        Self::Matrix(MatrixKind::OutProj),
        AttentionOutputNorm,
        MlpNorm,
        Router,
        Self::Matrix(MatrixKind::FcIn),
        Self::Matrix(MatrixKind::FcUp),
        Self::Matrix(MatrixKind::FcOut),
        MlpOutputNorm,
    ];
    const BEHIND: [Self; 4] = [FinalNorm, HeadDense, HeadNorm, Head];

    /// Every slot, in the order of the forward pass.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::BEFORE.into_iter().chain(Self::LAYER).chain(Self::BEHIND)
    }

    /// Whether each layer has one.
    pub fn is_in_layer(self) -> bool {
        Self::LAYER.contains(&self)
    }

    /// Whether it is a norm.
    pub fn is_norm(self) -> bool {
        matches!(
            self,
            EmbeddingNorm
                | AttentionNorm
                | AttentionOutputNorm
                | QueryNorm
                | KeyNorm
                | MlpNorm
                | MlpOutputNorm
                | FinalNorm
                | HeadNorm
        )
    }

    /// Whether each expert has its own.
    pub(crate) fn is_expert(self, config: &Config) -> bool {
        matches!(self, Self::Matrix(kind) if config.experts_of(kind).is_some())
    }

    /// `[rows, cols]`, or `[length]` of a norm.
    fn shape(self, architecture: &Architecture, config: &Config) -> Vec<usize> {
        let hidden = config.hidden_size;
        let normed = |heads| match architecture.block.query_key_norm {
            NormWidth::Head => vec![config.head_dim],
            NormWidth::All => vec![heads * config.head_dim],
        };
        match self {
            Embedding | Head => vec![config.vocab_size, hidden],
            Positions => vec![config.position_rows, hidden],
            TokenTypes => vec![config.token_types, hidden],
            QueryNorm => normed(config.heads),
            KeyNorm => normed(config.kv_heads),
            Router => vec![config.experts.map_or(0, |experts| experts.count), hidden],
            HeadDense => vec![hidden, hidden],
            Self::Matrix(kind) => kind.shape(config).into(),
            EmbeddingNorm | AttentionNorm | AttentionOutputNorm | MlpNorm | MlpOutputNorm | FinalNorm | HeadNorm => {
                vec![hidden]
            }
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Embedding => "embedding",
            Positions => "positions",
            TokenTypes => "token_types",
            EmbeddingNorm => "embedding_norm",
            AttentionNorm => "attention_norm",
            AttentionOutputNorm => "attention_output_norm",
            QueryNorm => "query_norm",
            KeyNorm => "key_norm",
            MlpNorm => "mlp_norm",
            MlpOutputNorm => "mlp_output_norm",
            Router => "router",
            Self::Matrix(kind) => kind.name(),
            FinalNorm => "final_norm",
            HeadDense => "head_dense",
            HeadNorm => "head_norm",
            Head => "head",
        };
        f.pad(name)
    }
}

/// One tensor of a model, or one part of a tensor that several share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Role {
    pub slot: Slot,
    /// 0 for what is in no layer.
    pub layer: usize,
    /// 0 for what no expert has.
    pub expert: usize,
    pub is_bias: bool,
}

impl Role {
    /// The weight of a slot that is in no layer.
    pub(crate) fn of(slot: Slot) -> Self {
        Self { slot, layer: 0, expert: 0, is_bias: false }
    }

    /// The weight of a slot in a layer.
    pub(crate) fn in_layer(slot: Slot, layer: usize) -> Self {
        Self { layer, ..Self::of(slot) }
    }

    /// A weight matrix; of a mixture's experts, the named one or the first.
    pub(crate) fn of_matrix(layer: usize, matrix: MatrixId) -> Self {
        Self { expert: matrix.expert.unwrap_or(0), ..Self::in_layer(Slot::Matrix(matrix.kind), layer) }
    }

    /// The bias that goes with this weight.
    pub(crate) fn bias(self) -> Self {
        Self { is_bias: true, ..self }
    }

    /// Every tensor of a model, in the order of its forward pass.
    pub(crate) fn all(architecture: &Architecture, config: &Config) -> Vec<Self> {
        let mut roles = Vec::new();
        let mut push = |slot: Slot, layer| {
            let experts = config.experts.filter(|_| slot.is_expert(config)).map_or(1, |experts| experts.count);
            for expert in 0..experts {
                let role = Self { expert, ..Self::in_layer(slot, layer) };
                if config.has_weight(architecture, slot) {
                    roles.push(role);
                }
                if config.has_bias(slot) {
                    roles.push(role.bias());
                }
            }
        };
        Slot::BEFORE.into_iter().for_each(|slot| push(slot, 0));
        for layer in 0..config.layers {
            Slot::LAYER.into_iter().for_each(|slot| push(slot, layer));
        }
        Slot::BEHIND.into_iter().for_each(|slot| push(slot, 0));
        roles
    }

    /// `[rows, cols]` or `[length]`.
    pub(crate) fn shape(self, architecture: &Architecture, config: &Config) -> Vec<usize> {
        let mut shape = self.slot.shape(architecture, config);
        if self.is_bias {
            shape.truncate(1);
        }
        shape
    }
}

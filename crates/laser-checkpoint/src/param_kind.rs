//! The kinds of tensor that a model has.

use std::fmt;

use serde::Deserialize;

use laser_edit::MatrixKind;

/// What a tensor is to the model, whatever its layer and expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// Token embeddings, `[vocabulary, hidden]`.
    Embedding,
    /// Learned positions, `[positions, hidden]`.
    Positions,
    /// Embeddings of the token types, `[types, hidden]`; every token is of type 0.
    TokenTypes,
    /// The norm of the embeddings.
    EmbeddingNorm,
    /// The norm of a layer's attention: before it, or after the addition in a `post` layout.
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
    /// The expert that every token goes through beside its own: its gate, `[shared, hidden]`. It is
    /// not edited.
    SharedIn,
    /// Its up projection, `[shared, hidden]`.
    SharedUp,
    /// Its down projection, `[hidden, shared]`.
    SharedOut,
    /// How much of its output a token gets: the sigmoid of this product, `[1, hidden]`.
    SharedGate,
    /// A weight matrix.
    #[serde(skip)]
    Matrix(MatrixKind),
    /// The norm before the head.
    FinalNorm,
    /// A masked model's transformation before its head, `[hidden, hidden]`.
    HeadDense,
    /// The norm after it.
    HeadNorm,
    /// The head, `[vocabulary, hidden]`.
    Head,
}

use ParamKind::{
    AttentionNorm, AttentionOutputNorm, Embedding, EmbeddingNorm, FinalNorm, Head, HeadDense, HeadNorm, KeyNorm,
    MlpNorm, MlpOutputNorm, Positions, QueryNorm, Router, SharedGate, SharedIn, SharedOut, SharedUp, TokenTypes,
};

impl ParamKind {
    /// The kinds before the layers, in the order of the forward pass.
    pub(crate) const BEFORE: [Self; 4] = [Embedding, Positions, TokenTypes, EmbeddingNorm];
    /// The kinds of a layer, in the order of the forward pass.
    pub(crate) const LAYER: [Self; 18] = [
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
        SharedIn,
        SharedUp,
        SharedOut,
        SharedGate,
        Self::Matrix(MatrixKind::FcIn),
        Self::Matrix(MatrixKind::FcUp),
        Self::Matrix(MatrixKind::FcOut),
        MlpOutputNorm,
    ];
    /// The kinds after the layers, in the order of the forward pass.
    pub(crate) const AFTER: [Self; 4] = [FinalNorm, HeadDense, HeadNorm, Head];

    /// Every kind, in the order of the forward pass.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::BEFORE.into_iter().chain(Self::LAYER).chain(Self::AFTER)
    }

    /// Whether each layer has one.
    pub fn is_in_layer(self) -> bool {
        Self::LAYER.contains(&self)
    }

    /// Whether it belongs to the expert that every token goes through.
    pub fn is_shared_expert(self) -> bool {
        matches!(self, SharedIn | SharedUp | SharedOut | SharedGate)
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
}

impl fmt::Display for ParamKind {
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
            SharedIn => "shared_in",
            SharedUp => "shared_up",
            SharedOut => "shared_out",
            SharedGate => "shared_gate",
            Self::Matrix(kind) => kind.name(),
            FinalNorm => "final_norm",
            HeadDense => "head_dense",
            HeadNorm => "head_norm",
            Head => "head",
        };
        f.pad(name)
    }
}

//! Which tensor of the model, and its shape.

use crate::{
    architecture::Architecture,
    block_kinds::NormWidth,
    model_config::Config,
    param_kind::ParamKind::{
        self, AttentionNorm, AttentionOutputNorm, Embedding, EmbeddingNorm, FinalNorm, Head, HeadDense, HeadNorm,
        KeyNorm, Matrix, MlpNorm, MlpOutputNorm, Positions, QueryNorm, Router, SharedGate, SharedIn, SharedOut,
        SharedUp, TokenTypes,
    },
};
use laser_edit::MatrixId;

/// One tensor of a model. A file may hold it as some rows of a tensor that several share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParamId {
    /// What it is to the model.
    pub kind: ParamKind,
    /// 0 for what is in no layer.
    pub layer: usize,
    /// 0 for what no expert has.
    pub expert: usize,
    /// Whether it is the bias that goes with the weight.
    pub is_bias: bool,
}

impl ParamId {
    /// The weight of a kind that is in no layer.
    pub fn of(kind: ParamKind) -> Self {
        Self { kind, layer: 0, expert: 0, is_bias: false }
    }

    /// The weight of a kind in a layer.
    pub fn in_layer(kind: ParamKind, layer: usize) -> Self {
        Self { layer, ..Self::of(kind) }
    }

    /// A weight matrix; of a mixture's experts, the named one or the first.
    pub fn of_matrix(layer: usize, matrix: MatrixId) -> Self {
        Self { expert: matrix.expert.unwrap_or(0), ..Self::in_layer(ParamKind::Matrix(matrix.kind), layer) }
    }

    /// The bias that goes with this weight.
    pub fn bias(self) -> Self {
        Self { is_bias: true, ..self }
    }

    /// Every tensor of a model, in the order of its forward pass.
    pub(crate) fn all(architecture: &Architecture, config: &Config) -> Vec<Self> {
        let mut params = Vec::new();
        let mut push = |kind: ParamKind, layer| {
            let experts = config.experts.filter(|_| config.is_expert(kind)).map_or(1, |experts| experts.count);
            for expert in 0..experts {
                let param = Self { expert, ..Self::in_layer(kind, layer) };
                if config.has_weight(architecture, kind) {
                    params.push(param);
                }
                if config.has_bias(kind) {
                    params.push(param.bias());
                }
            }
        };
        ParamKind::BEFORE.into_iter().for_each(|kind| push(kind, 0));
        for layer in 0..config.layers {
            ParamKind::LAYER.into_iter().for_each(|kind| push(kind, layer));
        }
        ParamKind::AFTER.into_iter().for_each(|kind| push(kind, 0));
        params
    }

    /// `[rows, cols]` or `[length]`.
    pub(crate) fn shape(self, architecture: &Architecture, config: &Config) -> Vec<usize> {
        let mut shape = weight_shape(self.kind, architecture, config);
        if self.is_bias {
            shape.truncate(1);
        }
        shape
    }
}

/// `[rows, cols]`, or `[length]` of a norm.
fn weight_shape(kind: ParamKind, architecture: &Architecture, config: &Config) -> Vec<usize> {
    let hidden = config.hidden_size;
    let normed = |heads| match architecture.block.query_key_norm {
        NormWidth::Head => vec![config.head_dim],
        NormWidth::All => vec![heads * config.head_dim],
    };
    match kind {
        Embedding | Head => vec![config.vocab_size, hidden],
        Positions => vec![config.position_rows, hidden],
        TokenTypes => vec![config.token_types, hidden],
        QueryNorm => normed(config.heads),
        KeyNorm => normed(config.kv_heads),
        Router => vec![config.experts.map_or(0, |experts| experts.count), hidden],
        SharedIn | SharedUp => vec![config.shared_size, hidden],
        SharedOut => vec![hidden, config.shared_size],
        SharedGate => vec![1, hidden],
        HeadDense => vec![hidden, hidden],
        Matrix(kind) => config.matrix_shape(kind).into(),
        EmbeddingNorm | AttentionNorm | AttentionOutputNorm | MlpNorm | MlpOutputNorm | FinalNorm | HeadNorm => {
            vec![hidden]
        }
    }
}

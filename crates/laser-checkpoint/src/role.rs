//! What a tensor is to the model, its name in each format and its shape.

use crate::{
    Architecture, Config, MatrixKind,
    architecture::{Rows, TensorName},
};

/// What a tensor is to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Embedding,
    FinalNorm,
    Head,
    AttentionNorm(usize),
    MlpNorm(usize),
    Matrix(usize, MatrixKind),
    Bias(usize, MatrixKind),
}

/// How tensors are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    HuggingFace,
    Gguf,
}

impl Role {
    /// Every tensor of a model, in the order of its forward pass.
    pub(crate) fn all(config: &Config) -> Vec<Self> {
        let mut roles = vec![Self::Embedding];
        for layer in 0..config.layers {
            for kind in MatrixKind::ALL {
                match kind {
                    MatrixKind::QProj => roles.push(Self::AttentionNorm(layer)),
                    MatrixKind::FcIn => roles.push(Self::MlpNorm(layer)),
                    _ => {}
                }
                roles.push(Self::Matrix(layer, kind));
                if config.has_bias(kind) {
                    roles.push(Self::Bias(layer, kind));
                }
            }
        }
        roles.push(Self::FinalNorm);
        if !config.tied_head {
            roles.push(Self::Head);
        }
        roles
    }

    /// `[rows, cols]` or `[length]`.
    pub(crate) fn shape(self, config: &Config) -> Vec<usize> {
        match self {
            Self::Embedding | Self::Head => vec![config.vocab_size, config.hidden_size],
            Self::FinalNorm | Self::AttentionNorm(_) | Self::MlpNorm(_) => vec![config.hidden_size],
            Self::Matrix(_, kind) => {
                let (rows, cols) = kind.shape(config);
                vec![rows, cols]
            }
            Self::Bias(_, kind) => vec![kind.shape(config).0],
        }
    }

    pub(crate) fn name(self, architecture: &Architecture, naming: Naming) -> String {
        let pick = |name: &TensorName| match naming {
            Naming::HuggingFace => name.hf.clone(),
            Naming::Gguf => name.gguf.clone(),
        };
        let matrix = |kind| match naming {
            Naming::HuggingFace => architecture.matrix(kind).hf.clone(),
            Naming::Gguf => architecture.matrix(kind).gguf.clone(),
        };
        let tensors = &architecture.tensors;
        let (name, layer) = match self {
            Self::Embedding => (pick(&tensors.embedding), None),
            Self::FinalNorm => (pick(&tensors.final_norm), None),
            Self::Head => (pick(&tensors.head), None),
            Self::AttentionNorm(layer) => (pick(&tensors.attention_norm), Some(layer)),
            Self::MlpNorm(layer) => (pick(&tensors.mlp_norm), Some(layer)),
            Self::Matrix(layer, kind) => (matrix(kind), Some(layer)),
            Self::Bias(layer, kind) => (bias_name(&matrix(kind)), Some(layer)),
        };
        layer.map_or(name.clone(), |layer| name.replace("{layer}", &layer.to_string()))
    }

    /// The number of heads within which a GGUF file keeps this tensor's rows interleaved.
    pub(crate) fn interleaved_heads(self, architecture: &Architecture, config: &Config) -> Option<usize> {
        let (Self::Matrix(_, kind) | Self::Bias(_, kind)) = self else { return None };
        let heads = if kind == MatrixKind::QProj { config.heads } else { config.kv_heads };
        (architecture.matrix(kind).gguf_rows == Rows::Interleaved).then_some(heads)
    }
}

fn bias_name(weight: &str) -> String {
    format!("{}.bias", weight.strip_suffix(".weight").unwrap_or(weight))
}

/// Undoes the reordering of llama.cpp's converter: row i + s * d/2 of each head (d rows, s = 0 or 1) is stored as row 2i + s.
/// `values` are `heads * d` rows of `width`.
pub(crate) fn from_interleaved(values: &[f32], heads: usize, width: usize) -> Vec<f32> {
    let head_dim = values.len() / (heads * width);
    let half = head_dim / 2;
    let mut plain = Vec::with_capacity(values.len());
    for head in values.chunks_exact(head_dim * width) {
        for row in 0..head_dim {
            let stored = 2 * (row % half) + row / half;
            plain.extend_from_slice(&head[stored * width..(stored + 1) * width]);
        }
    }
    plain
}

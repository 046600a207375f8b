//! A model's hyper-parameters, and the limits that they are checked against.

use std::path::Path;

use crate::{
    architecture::Architecture,
    block_kinds::{Activation, Norm, Residual},
    error::{CheckpointError, Result},
    param_kind::ParamKind,
    rotary_config::RotaryConfig,
};
use laser_edit::MatrixKind;

/// The largest width, vocabulary or product of head count and head width that is believed: products
/// of two fit a `usize`.
const LARGEST_SIZE: usize = 1 << 24;
pub(crate) const LARGEST_LAYERS: usize = 1 << 16;
const LARGEST_EXPERTS: usize = 1 << 18;
const LARGEST_CONTEXT: usize = 1 << 31;

/// The hyper-parameters of a model. Every size is at least 1, and products of any two sizes fit a
/// `usize`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Rows of the embedding and of the head.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the MLP's inner layer, or of each expert's.
    pub intermediate_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key/value heads; divides `heads`.
    pub kv_heads: usize,
    /// Components of a head.
    pub head_dim: usize,
    /// The kind of all norms.
    pub norm: Norm,
    /// Epsilon of the norms.
    pub norm_eps: f64,
    /// The MLP's activation.
    pub activation: Activation,
    /// Where a block's norms stand.
    pub residual: Residual,
    /// Whether every token sees all others, and what is predicted stands at mask tokens.
    pub masked: bool,
    /// The matrices that a layer has. With `fc_up` the MLP is gated: fc_out(activation(fc_in x) *
    /// fc_up x).
    pub matrices: Vec<MatrixKind>,
    /// The experts, in a mixture of them.
    pub experts: Option<Experts>,
    /// Width of the inner layer of the expert that every token goes through beside its own; 0 where
    /// there is none.
    pub shared_size: usize,
    /// Rotary positions.
    pub rotary: Option<RotaryConfig>,
    /// Rotary positions of the layers with a window, where they are others.
    pub local_rotary: Option<RotaryConfig>,
    /// For each layer, whether its queries and keys turn by the rotary positions.
    pub rotated: Vec<bool>,
    /// Whether they turn before they are normed.
    pub query_key_norm_after_rotary: bool,
    /// Rows of the learned positions; 0 where there are none.
    pub position_rows: usize,
    /// The row of position 0.
    pub position_offset: usize,
    /// Rows of the token-type embedding; 0 where there is none.
    pub token_types: usize,
    /// What the embedding is multiplied by.
    pub embedding_scale: Option<f64>,
    /// What attention and MLP add to the residual stream is multiplied by this.
    pub residual_scale: Option<f64>,
    /// What logits are multiplied by, before the soft cap.
    pub logit_scale: Option<f64>,
    /// What queries times keys are multiplied by.
    pub attention_scale: f64,
    /// Scores fall with distance (ALiBi; Press et al., arXiv 2108.12409): head h of n, counted from
    /// 1, by 2^(-alibi * h / n) per token.
    pub alibi: Option<f64>,
    /// Scores s become cap * tanh(s / cap).
    pub attention_softcap: Option<f64>,
    /// Logits likewise.
    pub final_softcap: Option<f64>,
    /// For each layer, how many tokens a token may attend to, itself included; `None` is all before
    /// it.
    pub windows: Vec<Option<usize>>,
    /// The longest input, in tokens.
    pub context_length: usize,
    /// Whether the head is the embedding.
    pub tied_head: bool,
    /// The token that starts a text, where there is one.
    pub bos_token_id: Option<u32>,
    /// The tokens that end a generation.
    pub eos_token_ids: Vec<u32>,
    /// What the model has of norms, positions and the like.
    pub params: Vec<ParamKind>,
    /// What has a bias.
    pub biases: Vec<ParamKind>,
}

/// A mixture of experts (Shazeer et al., arXiv 1701.06538), as Mixtral has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experts {
    /// How many there are.
    pub count: usize,
    /// How many a token goes through.
    pub per_token: usize,
    /// Whether the chosen ones' weights are scaled to a sum of one.
    pub normalised: bool,
}

impl Config {
    /// Whether the model has this; a norm without weights counts.
    pub fn has(&self, kind: ParamKind) -> bool {
        self.params.contains(&kind)
    }

    /// Whether this has a bias.
    pub fn has_bias(&self, kind: ParamKind) -> bool {
        self.biases.contains(&kind)
    }

    /// The experts that have each a matrix of this kind of their own.
    pub fn experts_of(&self, kind: MatrixKind) -> Option<Experts> {
        self.experts.filter(|_| MatrixKind::MLP.contains(&kind))
    }

    /// Whether this has a tensor of its own.
    pub(crate) fn has_weight(&self, architecture: &Architecture, kind: ParamKind) -> bool {
        self.has(kind)
            && !(kind == ParamKind::Head && self.tied_head)
            && (architecture.block.norm_weights || !kind.is_norm())
    }

    /// Whether each expert has its own.
    pub(crate) fn is_expert(&self, kind: ParamKind) -> bool {
        matches!(kind, ParamKind::Matrix(kind) if self.experts_of(kind).is_some())
    }

    /// Shape of a weight matrix, `[outputs, inputs]`.
    pub(crate) fn matrix_shape(&self, kind: MatrixKind) -> [usize; 2] {
        kind.shape(self)
    }

    /// The same, if every number is one that can be computed with; `path` is for messages.
    ///
    /// # Errors
    /// The first number that is not.
    pub(crate) fn checked(self, path: &Path) -> Result<Self> {
        let wrong =
            |key: &str, why: String| Err(CheckpointError::Config { path: path.to_owned(), key: key.to_owned(), why });
        let sizes = [
            ("vocabulary size", self.vocab_size, LARGEST_SIZE),
            ("hidden size", self.hidden_size, LARGEST_SIZE),
            ("intermediate size", self.intermediate_size, LARGEST_SIZE),
            ("width of the shared expert", self.shared_size.max(1), LARGEST_SIZE),
            ("number of layers", self.layers, LARGEST_LAYERS),
            ("number of heads", self.heads, LARGEST_SIZE),
            ("number of key/value heads", self.kv_heads, LARGEST_SIZE),
            ("head width", self.head_dim, LARGEST_SIZE),
            ("heads times head width", self.heads.saturating_mul(self.head_dim), LARGEST_SIZE),
            ("context length", self.context_length, LARGEST_CONTEXT),
            ("sliding window", self.windows.iter().flatten().copied().min().unwrap_or(1), LARGEST_CONTEXT),
            ("learned positions", self.position_rows.max(1), LARGEST_CONTEXT),
            ("token types", self.token_types.max(1), LARGEST_SIZE),
            (
                "number of experts in all layers",
                self.experts.map_or(1, |experts| experts.count).saturating_mul(self.layers),
                LARGEST_EXPERTS,
            ),
        ];
        for (what, size, largest) in sizes {
            if size == 0 || size > largest {
                return wrong(what, format!("it is {size}, but must be from 1 to {largest}"));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            let why = format!("{} query heads cannot share {} of them evenly", self.heads, self.kv_heads);
            return wrong("number of key/value heads", why);
        }
        for rotary in self.rotary.iter().chain(&self.local_rotary) {
            let dim = rotary.dim;
            if dim == 0 || dim % 2 == 1 || dim > self.head_dim {
                let why = format!("it is {dim}, but must be even and from 2 to the head width, {}", self.head_dim);
                return wrong("rotary dimensions", why);
            }
            if !(rotary.theta.is_finite() && rotary.theta > 0.0) {
                return wrong("rope theta", format!("it is {}, but must be a number above 0", rotary.theta));
            }
        }
        if let Some(experts) = self.experts.filter(|experts| !(1..=experts.count).contains(&experts.per_token)) {
            let why = format!("it is {}, but must be from 1 to their number, {}", experts.per_token, experts.count);
            return wrong("experts per token", why);
        }
        for (what, number) in [
            ("attention scale", Some(self.attention_scale)),
            ("alibi", self.alibi),
            ("attention soft cap", self.attention_softcap),
            ("final soft cap", self.final_softcap),
            ("embedding scale", self.embedding_scale),
            ("residual scale", self.residual_scale),
            ("logit scale", self.logit_scale),
        ] {
            if let Some(number) = number.filter(|number| !(number.is_finite() && *number > 0.0)) {
                return wrong(what, format!("it is {number}, but must be a number above 0"));
            }
        }
        if !(self.norm_eps.is_finite() && self.norm_eps >= 0.0) {
            return wrong("norm epsilon", format!("it is {}, but must be a number from 0", self.norm_eps));
        }
        Ok(self)
    }
}

//! The sections of an architecture table, as its file has them.

use serde::Deserialize;
use serde_json::Value;

use crate::block_kinds::{BlockRotary, Norm, NormWidth, Residual, RotatedLayers};

/// What the block computes, where no configuration key decides.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Block {
    pub norm: Norm,
    #[serde(default = "yes")]
    pub norm_weights: bool,
    /// Whether norms of kind `layer` have biases.
    #[serde(default = "yes")]
    pub norm_bias: bool,
    /// What is added to the norms' stored weights; in GGUF files it has been added.
    #[serde(default)]
    pub norm_offset: f32,
    #[serde(default)]
    pub rotary: BlockRotary,
    /// Which layers have rotary positions, where no key decides.
    #[serde(default)]
    pub rotated_layers: RotatedLayers,
    #[serde(default)]
    pub residual: Residual,
    /// Whether every token sees all others, and what is predicted stands at mask tokens.
    #[serde(default)]
    pub masked: bool,
    /// Whether the embedding is multiplied by the square root of its width.
    #[serde(default)]
    pub scaled_embedding: bool,
    /// How many components the query and key norms run over.
    #[serde(default)]
    pub query_key_norm: NormWidth,
    /// Whether queries and keys turn before they are normed.
    #[serde(default)]
    pub query_key_norm_after_rotary: bool,
    /// Rows of the learned positions that come before position 0's.
    #[serde(default)]
    pub position_offset: usize,
    /// Whether, where configuration makes the layout parallel, the MLP starts from the attention's
    /// norm.
    #[serde(default)]
    pub parallel_shares_norm: bool,
    /// In GGUF files of models of this many layers, queries are divided by the root of hidden size
    /// / heads.
    pub gguf_wide_attention_layers: Option<usize>,
    /// Whether the configuration's context length counts those rows.
    #[serde(default)]
    pub context_counts_offset: bool,
}

fn yes() -> bool {
    true
}

/// Where each hyper-parameter is found.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    pub vocab_size: Key,
    pub hidden_size: Key,
    pub intermediate_size: Key,
    pub layers: Key,
    pub heads: Key,
    pub kv_heads: Key,
    pub head_dim: Key,
    pub norm_eps: Key,
    pub activation: Key,
    pub context_length: Key,
    pub tied_head: Key,
    pub bos: Key,
    pub eos: Key,
    /// Components of a head that turn.
    #[serde(default)]
    pub rotary_dim: Key,
    /// The same as a fraction of the head.
    #[serde(default)]
    pub rotary_fraction: Key,
    #[serde(default)]
    pub rope_theta: Key,
    #[serde(default)]
    pub rope_scaling: Key,
    /// Base of the rotary frequencies in the layers with a window, where it is another.
    #[serde(default)]
    pub local_rope_theta: Key,
    #[serde(default)]
    pub sliding_window: Key,
    #[serde(default)]
    pub sliding_window_used: Key,
    #[serde(default)]
    pub first_sliding_layer: Key,
    /// Every layer whose number, counted from 1, is a multiple of this one has no window.
    #[serde(default)]
    pub sliding_pattern: Key,
    /// A flag for each layer: whether its queries and keys turn.
    #[serde(default)]
    pub rotated: Key,
    /// In every layer whose number, counted from 1, is a multiple of this one they do not.
    #[serde(default)]
    pub unrotated_pattern: Key,
    /// A list of each layer's attention, which goes before the keys above.
    #[serde(default)]
    pub layer_types: Key,
    /// Queries are divided by the square root of this.
    #[serde(default)]
    pub attention_scalar: Key,
    /// What queries times keys are multiplied by; goes before `attention_scalar`.
    #[serde(default)]
    pub attention_scale: Key,
    #[serde(default)]
    pub attention_softcap: Key,
    /// Scores fall with distance (ALiBi): the largest exponent of the heads' slopes.
    #[serde(default)]
    pub alibi: Key,
    /// What a model with this context, or a longer one, computes otherwise at later positions.
    #[serde(default)]
    pub context_limit: Key,
    #[serde(default)]
    pub final_softcap: Key,
    /// What the embedding is multiplied by.
    #[serde(default)]
    pub embedding_scale: Key,
    /// What attention and MLP add to the residual stream is multiplied by this.
    #[serde(default)]
    pub residual_scale: Key,
    /// What logits are multiplied by.
    #[serde(default)]
    pub logit_scale: Key,
    /// What logits are divided by.
    #[serde(default)]
    pub logit_divisor: Key,
    /// Whether the residual layout is `parallel`.
    #[serde(default)]
    pub parallel: Key,
    #[serde(default)]
    pub token_types: Key,
    /// The padding token, if learned positions start after it.
    #[serde(default)]
    pub padding: Key,
    #[serde(default)]
    pub experts: Key,
    #[serde(default)]
    pub experts_per_token: Key,
    /// Width of the inner layer of the expert that every token goes through.
    #[serde(default)]
    pub shared_size: Key,
    /// Whether the chosen experts' weights are scaled to a sum of one.
    #[serde(default)]
    pub normalised_experts: Key,
}

/// Where one hyper-parameter is found: the first of the keys that is there. A dot in a JSON key
/// steps into an object.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    #[serde(default)]
    pub json: Vec<String>,
    /// `{arch}` stands for the file's `general.architecture`.
    #[serde(default)]
    pub gguf: Vec<String>,
    /// The value where the key is absent or null.
    pub default: Option<DefaultValue>,
    /// The value where config.json lacks the key, if that is another.
    pub absent: Option<DefaultValue>,
}

/// A default: a value, or another hyper-parameter's.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum DefaultValue {
    Bool(bool),
    Integer(u64),
    Float(f64),
    Derived(Derived),
    Text(String),
}

/// A default that is another hyper-parameter's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Derived {
    #[serde(rename = "heads")]
    Heads,
    #[serde(rename = "head_dim")]
    HeadDim,
    #[serde(rename = "hidden_size/heads")]
    HiddenSizePerHead,
    #[serde(rename = "4*hidden_size")]
    FourHiddenSizes,
}

/// One tensor's name in each format, and how it is stored. `{layer}` stands for the layer,
/// `{expert}` for the expert.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub hf: Option<String>,
    pub gguf: Option<String>,
    #[serde(default)]
    pub bias: Bias,
    /// The bias's name, where it is not the weight's with `.bias` for `.weight`.
    pub hf_bias: Option<String>,
    /// How several matrices share a tensor: the ones with the same name, in the order of a layer's
    /// forward pass.
    pub hf_fused: Option<Fused>,
    pub gguf_fused: Option<Fused>,
    /// Whether the tensor is stored as `[inputs, outputs]`.
    #[serde(default)]
    pub hf_transposed: bool,
    /// Whether the rows of each head are stored in rotary pairs: row 2i + s is Hugging Face's row i
    /// + s * head_dim / 2.
    #[serde(default)]
    pub gguf_interleaved: bool,
}

/// How several matrices share a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fused {
    /// One after the other.
    Stacked,
    /// Head by head: the rows of a key/value head's queries, its key and its value, then those of
    /// the next.
    ByHead,
}

/// Whether a weight has a bias.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bias {
    #[default]
    Never,
    Always,
    /// Where this key of config.json is true, or where the GGUF file has the tensor.
    Config(BiasKey),
}

/// A key of config.json that decides about biases.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BiasKey {
    pub key: String,
    #[serde(default)]
    pub default: bool,
}

/// A key that must have one of some values where it is there and not null.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requirement {
    #[serde(default)]
    pub json: Option<String>,
    #[serde(default)]
    pub gguf: Option<String>,
    pub values: Vec<Value>,
    pub why: String,
}

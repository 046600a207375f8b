//! What tells one model family from another, as data: one table of `architectures/*.toml` a family.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::{CheckpointError, MatrixKind, Result};

/// The embedded tables, by file name.
const TABLES: [(&str, &str); 3] = [
    ("llama", include_str!("../../../architectures/llama.toml")),
    ("mistral", include_str!("../../../architectures/mistral.toml")),
    ("qwen2", include_str!("../../../architectures/qwen2.toml")),
];

/// One model family: its names, the keys of its hyper-parameters and its tensors.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// The family's name, as the table's file.
    pub family: String,
    /// `model_type` in config.json.
    pub model_type: String,
    /// Values of `architectures` in config.json: transformers' classes. The first is the one that is written.
    pub classes: Vec<String>,
    /// Values of `general.architecture` in GGUF files.
    pub gguf_architectures: Vec<String>,
    /// The normalisation before each block and before the head.
    pub norm: Norm,
    /// The MLP's activation.
    pub activation: Activation,
    /// How rotary positions pair a head's components.
    pub rotary: Rotary,
    pub(crate) config: Keys,
    pub(crate) tensors: Tensors,
    pub(crate) matrices: Matrices,
    #[serde(default)]
    pub(crate) require: Vec<Requirement>,
    #[serde(default)]
    pub(crate) refused_tensors: Vec<RefusedTensor>,
}

/// A kind of normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// x / sqrt(mean(x^2) + eps) * weight.
    Rms,
}

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x * sigmoid(x).
    Silu,
}

/// How rotary positions pair a head's components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotary {
    /// Component i with component i + head_dim / 2.
    Half,
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
    pub rotary_dim: Key,
    pub norm_eps: Key,
    pub rope_theta: Key,
    pub rope_scaling: Key,
    pub context_length: Key,
    pub tied_head: Key,
    #[serde(default)]
    pub sliding_window: Key,
    #[serde(default)]
    pub sliding_window_used: Key,
    #[serde(default)]
    pub first_sliding_layer: Key,
    pub bos: Key,
    pub eos: Key,
}

/// Where one hyper-parameter is found: the first of the keys that is there. A dot in a JSON key steps into an object.
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
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum DefaultValue {
    Bool(bool),
    Integer(u64),
    Float(f64),
    Derived(Derived),
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
}

/// Names of the tensors that are not edited.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tensors {
    pub embedding: TensorName,
    pub attention_norm: TensorName,
    pub mlp_norm: TensorName,
    pub final_norm: TensorName,
    pub head: TensorName,
}

/// A tensor's name in each format; `{layer}` stands for the layer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TensorName {
    pub hf: String,
    pub gguf: String,
}

/// The matrices, by kind.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Matrices {
    q_proj: MatrixEntry,
    k_proj: MatrixEntry,
    v_proj: MatrixEntry,
    out_proj: MatrixEntry,
    fc_in: MatrixEntry,
    fc_up: MatrixEntry,
    fc_out: MatrixEntry,
}

/// One matrix kind's names and storage.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MatrixEntry {
    pub hf: String,
    pub gguf: String,
    #[serde(default)]
    pub bias: Bias,
    #[serde(default)]
    pub gguf_rows: Rows,
}

/// Whether a matrix has a bias.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bias {
    #[default]
    Never,
    Always,
    /// Where this key of config.json is true, or where the GGUF file has the tensor.
    Config(String),
}

/// Order of a matrix's rows within each head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rows {
    /// As Hugging Face stores them.
    #[default]
    Plain,
    /// Row 2i + s of a head is Hugging Face's row i + s * head_dim / 2.
    Interleaved,
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

/// A tensor that a GGUF file must not have.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusedTensor {
    pub gguf: String,
    pub why: String,
}

impl Architecture {
    /// Reads a table; `table` is its name in messages.
    pub fn from_toml(table: &str, text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let why = format!("{place}{}", error.message().replace('\n', ": "));
            CheckpointError::Table { table: table.to_owned(), why }
        })
    }

    /// Every embedded family.
    pub fn embedded() -> Result<Vec<Self>> {
        TABLES.iter().map(|(name, text)| Self::from_toml(name, text)).collect()
    }

    /// The family of this `model_type`, which the file at `path` names.
    pub fn of_model_type(model_type: &str, path: &Path) -> Result<Self> {
        Self::find("model_type", model_type, path, |family| std::slice::from_ref(&family.model_type))
    }

    /// The family of this `general.architecture`, which the GGUF file at `path` names.
    pub fn of_gguf(architecture: &str, path: &Path) -> Result<Self> {
        Self::find("general.architecture", architecture, path, |family| &family.gguf_architectures)
    }

    fn find(key: &'static str, found: &str, path: &Path, names: fn(&Self) -> &[String]) -> Result<Self> {
        let mut families = Self::embedded()?;
        match families.iter().position(|family| names(family).iter().any(|name| name == found)) {
            Some(position) => Ok(families.swap_remove(position)),
            None => Err(CheckpointError::UnknownArchitecture {
                path: path.to_owned(),
                key,
                found: found.to_owned(),
                known: families.iter().flat_map(|family| names(family).to_vec()).collect(),
            }),
        }
    }

    pub(crate) fn matrix(&self, kind: MatrixKind) -> &MatrixEntry {
        match kind {
            MatrixKind::QProj => &self.matrices.q_proj,
            MatrixKind::KProj => &self.matrices.k_proj,
            MatrixKind::VProj => &self.matrices.v_proj,
            MatrixKind::OutProj => &self.matrices.out_proj,
            MatrixKind::FcIn => &self.matrices.fc_in,
            MatrixKind::FcUp => &self.matrices.fc_up,
            MatrixKind::FcOut => &self.matrices.fc_out,
        }
    }
}

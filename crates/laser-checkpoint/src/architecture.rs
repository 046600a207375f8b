//! What tells one model family from another, as data: one table of `architectures/*.toml` a family.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use serde_json::Value;

use crate::{CheckpointError, FileHash, MatrixKind, Result, files::hash_file, role::Slot};

macro_rules! tables {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../architectures/", $name, ".toml")))),*]
    };
}

/// The embedded tables, by file name.
const TABLES: &[(&str, &str)] = &tables![
    "bert",
    "gemma",
    "gemma2",
    "gemma3_text",
    "gpt2",
    "gpt_neox",
    "gptj",
    "llama",
    "mistral",
    "mixtral",
    "olmo",
    "olmo2",
    "opt",
    "phi",
    "phi3",
    "qwen2",
    "qwen3",
    "qwen3_moe",
    "roberta",
    "stablelm",
    "starcoder2",
];

/// Sections in which `false` takes out what the other table has; `block` has flags of its own.
const TAKEN_OUT: [&str; 6] = ["config", "tensors", "matrices", "require", "synonyms", "refused_tensors"];

/// A chain of `like` that is longer goes round in a circle.
const LONGEST_CHAIN: usize = 8;

/// One model family: its block, the keys of its hyper-parameters and its tensors. `docs/architectures.md` describes the
/// table's keys.
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
    #[serde(default)]
    pub gguf_architectures: Vec<String>,
    pub(crate) block: Block,
    pub(crate) config: Keys,
    pub(crate) tensors: BTreeMap<Slot, Entry>,
    pub(crate) matrices: BTreeMap<MatrixKind, Entry>,
    /// A user's own table, as a file.
    #[serde(skip)]
    pub(crate) file: Option<FileHash>,
    /// The tensor of a GGUF file that says what rotary frequencies are divided by (Llama 3's scaling).
    pub(crate) gguf_rope_factors: Option<String>,
    /// A first part of Hugging Face's tensor names that some files leave out.
    #[serde(default)]
    pub(crate) optional_prefix: String,
    /// Ends of Hugging Face's tensor names, and what some files have instead.
    #[serde(default)]
    pub(crate) synonyms: BTreeMap<String, String>,
    /// What would be computed wrongly, and is refused.
    #[serde(default)]
    pub(crate) require: BTreeMap<String, Requirement>,
    /// Tensors that a GGUF file must not have, and why.
    #[serde(default)]
    pub(crate) refused_tensors: BTreeMap<String, String>,
}

/// What the block computes, where no configuration key decides.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Block {
    pub norm: Norm,
    #[serde(default = "yes")]
    pub norm_weights: bool,
    /// What is added to the norms' stored weights; in GGUF files it has been added.
    #[serde(default)]
    pub norm_offset: f32,
    #[serde(default)]
    pub rotary: BlockRotary,
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
    /// Rows of the learned positions that come before position 0's.
    #[serde(default)]
    pub position_offset: usize,
    /// Whether, where configuration makes the layout parallel, the MLP starts from the attention's norm.
    #[serde(default)]
    pub parallel_shares_norm: bool,
    /// In GGUF files of models of this many layers, queries are divided by the root of hidden size / heads.
    pub gguf_wide_attention_layers: Option<usize>,
    /// Whether the configuration's context length counts those rows.
    #[serde(default)]
    pub context_counts_offset: bool,
}

fn yes() -> bool {
    true
}

/// A kind of normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// x / sqrt(mean(x^2) + eps) * weight.
    Rms,
    /// (x - mean(x)) / sqrt(var(x) + eps) * weight + bias.
    Layer,
}

/// What the norms of queries and keys run over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormWidth {
    /// Each head on its own.
    #[default]
    Head,
    /// All heads together.
    All,
}

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x * sigmoid(x).
    Silu,
    /// x * Phi(x), Phi the standard normal distribution function.
    Gelu,
    /// GELU by the tanh approximation.
    GeluTanh,
    /// max(x, 0).
    Relu,
}

impl Activation {
    /// transformers' names for each; the first is the one that is written.
    const NAMES: [(Self, &[&str]); 4] = [
        (Self::Silu, &["silu", "swish"]),
        (Self::Gelu, &["gelu"]),
        (Self::GeluTanh, &["gelu_pytorch_tanh", "gelu_new", "gelu_fast"]),
        (Self::Relu, &["relu"]),
    ];

    /// The function that a configuration names.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, names)| names.contains(&name)).map(|&(activation, _)| activation)
    }

    /// Its name in a configuration.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(activation, _)| *activation == self).map_or("", |(_, names)| names[0])
    }

    /// Every name, joined by commas.
    pub(crate) fn names() -> String {
        let names: Vec<&str> = Self::NAMES.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        names.join(", ")
    }
}

/// How rotary positions pair a head's components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryStyle {
    /// Component i with component i + rotary dimensions / 2.
    Half,
    /// Component 2i with component 2i + 1.
    Interleaved,
}

/// A table's `rotary`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BlockRotary {
    #[default]
    None,
    Half,
    Interleaved,
}

impl BlockRotary {
    pub(crate) fn style(self) -> Option<RotaryStyle> {
        match self {
            Self::None => None,
            Self::Half => Some(RotaryStyle::Half),
            Self::Interleaved => Some(RotaryStyle::Interleaved),
        }
    }
}

/// Where a block's norms stand, and what its MLP starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residual {
    /// x += attention(norm(x)); x += mlp(norm(x)).
    #[default]
    Pre,
    /// x = norm(x + attention(x)); x = norm(x + mlp(x)).
    Post,
    /// x += attention(norm(x)) + mlp(norm(x)), with one norm or two.
    Parallel,
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
    /// Queries are divided by the square root of this.
    #[serde(default)]
    pub attention_scalar: Key,
    #[serde(default)]
    pub attention_softcap: Key,
    #[serde(default)]
    pub final_softcap: Key,
    /// Whether the residual layout is `parallel`.
    #[serde(default)]
    pub parallel: Key,
    #[serde(default)]
    pub token_types: Key,
    /// The padding token, where learned positions start behind it.
    #[serde(default)]
    pub padding: Key,
    #[serde(default)]
    pub experts: Key,
    #[serde(default)]
    pub experts_per_token: Key,
    /// Whether the chosen experts' weights are scaled to a sum of one.
    #[serde(default)]
    pub normalised_experts: Key,
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

/// One tensor's name in each format, and how it is stored. `{layer}` stands for the layer, `{expert}` for the expert.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub hf: Option<String>,
    pub gguf: Option<String>,
    #[serde(default)]
    pub bias: Bias,
    /// The bias's name, where it is not the weight's with `.bias` for `.weight`.
    pub hf_bias: Option<String>,
    /// How several matrices share a tensor: the ones with the same name, in the order of a layer's forward pass.
    pub hf_fused: Option<Fused>,
    pub gguf_fused: Option<Fused>,
    /// Whether the tensor is stored as `[inputs, outputs]`.
    #[serde(default)]
    pub hf_transposed: bool,
    /// Whether the rows of each head are stored in rotary pairs: row 2i + s is Hugging Face's row i + s * head_dim / 2.
    #[serde(default)]
    pub gguf_interleaved: bool,
}

/// How several matrices share a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fused {
    /// One after the other.
    Stacked,
    /// Head by head: the first head's rows of each matrix, then the second head's.
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

impl Architecture {
    /// Reads a table; `table` is its name in messages. `like = "NAME"` starts from an embedded table, of which it then
    /// replaces the keys that it has itself.
    pub fn from_toml(table: &str, text: &str) -> Result<Self> {
        let wrong = |why: String| CheckpointError::Table { table: table.to_owned(), why };
        let merged = merged(table, text, 0)?;
        // What comes from one file alone is read from its text, so that an error can name the line.
        let parsed = if merged.1 { toml::Value::Table(merged.0).try_into() } else { toml::from_str(text) };
        let architecture: Self = parsed.map_err(|error| wrong(described(&error, text)))?;
        architecture.check().map_err(wrong)?;
        Ok(architecture)
    }

    /// Reads a user's own table.
    pub fn open(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|cause| CheckpointError::Io {
            action: "read",
            path: path.to_owned(),
            cause,
        })?;
        let table = Self::from_toml(&path.display().to_string(), &text)?;
        Ok(Self { file: Some(hash_file(path)?), ..table })
    }

    /// Every embedded family.
    pub fn embedded() -> Result<Vec<Self>> {
        TABLES.iter().map(|(name, text)| Self::from_toml(name, text)).collect()
    }

    /// The family of this `model_type`, which the file at `path` names.
    pub fn of_model_type(model_type: &str, path: &Path) -> Result<Self> {
        Self::find("model_type", model_type, path, |family| std::slice::from_ref(&family.model_type))
    }

    /// The family of this `general.architecture`, which the GGUF file at `path` names; `has` tells whether the file has a
    /// metadata key. Of two families under one name, the mixture of experts is the one whose key is there.
    pub(crate) fn of_gguf(architecture: &str, path: &Path, has: impl Fn(&str) -> bool) -> Result<Self> {
        let mixture = has(&format!("{architecture}.expert_count"));
        let names = |family: &Self| {
            let fits = !family.is_mixture() || mixture;
            if fits { family.gguf_architectures.clone() } else { Vec::new() }
        };
        let mut families = Self::embedded()?;
        families.sort_by_key(|family| !family.is_mixture());
        match families.iter().position(|family| names(family).iter().any(|name| name == architecture)) {
            Some(position) => Ok(families.swap_remove(position)),
            None => {
                Err(unknown("general.architecture", architecture, path, &families, |family| &family.gguf_architectures))
            }
        }
    }

    fn find(key: &'static str, found: &str, path: &Path, names: fn(&Self) -> &[String]) -> Result<Self> {
        let mut families = Self::embedded()?;
        match families.iter().position(|family| names(family).iter().any(|name| name == found)) {
            Some(position) => Ok(families.swap_remove(position)),
            None => Err(unknown(key, found, path, &families, names)),
        }
    }

    fn is_mixture(&self) -> bool {
        self.tensors.contains_key(&Slot::Router)
    }

    pub(crate) fn entry(&self, slot: Slot) -> Option<&Entry> {
        match slot {
            Slot::Matrix(kind) => self.matrices.get(&kind),
            slot => self.tensors.get(&slot),
        }
    }

    /// What serde cannot see.
    fn check(&self) -> std::result::Result<(), String> {
        let needed = [Slot::Embedding, Slot::Head];
        let matrices = [
            MatrixKind::QProj,
            MatrixKind::KProj,
            MatrixKind::VProj,
            MatrixKind::OutProj,
            MatrixKind::FcIn,
            MatrixKind::FcOut,
        ];
        if let Some(slot) = needed.iter().find(|slot| !self.tensors.contains_key(slot)) {
            return Err(format!("tensors.{slot} is missing"));
        }
        if let Some(kind) = matrices.iter().find(|kind| !self.matrices.contains_key(kind)) {
            return Err(format!("matrices.{kind} is missing"));
        }
        let named = self.tensors.iter().map(|(slot, entry)| (*slot, entry));
        let named = named.chain(self.matrices.iter().map(|(kind, entry)| (Slot::Matrix(*kind), entry)));
        for (slot, entry) in named {
            for name in entry.hf.iter().chain(&entry.gguf) {
                if slot.is_in_layer() && !name.contains("{layer}") {
                    return Err(format!("the name {name:?} of {slot} lacks {{layer}}"));
                }
            }
            if entry.hf.is_none() {
                return Err(format!("{slot} lacks its Hugging Face name `hf`"));
            }
        }
        self.check_combinations()?;
        if self.is_mixture() && self.config.experts == Key::default() {
            return Err("a router needs config.experts".to_owned());
        }
        Ok(())
    }
}

/// What a table may not combine, because it would not be computed or not be written as it says.
impl Architecture {
    fn check_combinations(&self) -> std::result::Result<(), String> {
        let has = |slot| self.tensors.contains_key(&slot);
        let biased = |slot: &Slot| self.tensors.get(slot).is_some_and(|entry| entry.bias != Bias::Never);
        let biasless = [Slot::Embedding, Slot::Positions, Slot::TokenTypes, Slot::Router];
        if let Some(slot) = biasless.iter().find(|slot| biased(slot)) {
            return Err(format!("a bias of {slot} is not computed"));
        }
        let refused = [
            (
                self.block.residual != Residual::Pre && (has(Slot::AttentionOutputNorm) || has(Slot::MlpOutputNorm)),
                "output norms are computed in the residual layout `pre` only",
            ),
            (has(Slot::HeadNorm) && !has(Slot::HeadDense), "head_norm needs head_dense"),
            (has(Slot::TokenTypes) && !has(Slot::Positions), "token_types need positions"),
            (
                self.block.masked && self.config.sliding_window != Key::default(),
                "windows are not computed in a masked model",
            ),
            (
                !self.block.norm_weights && (has(Slot::QueryNorm) || has(Slot::KeyNorm)),
                "query and key norms without weights are not computed",
            ),
        ];
        if let Some((_, why)) = refused.iter().find(|(is_so, _)| *is_so) {
            return Err((*why).to_owned());
        }
        for (kind, entry) in &self.matrices {
            if entry.gguf_interleaved && entry.gguf_fused.is_some() {
                return Err(format!("{kind} cannot be both interleaved and fused"));
            }
            let stacked = self.is_mixture()
                && MatrixKind::MLP.contains(kind)
                && entry.hf.as_ref().is_some_and(|name| !name.contains("{expert}"));
            if stacked && (entry.hf_transposed || entry.hf_fused == Some(Fused::ByHead)) {
                return Err(format!("{kind}: experts in one tensor cannot be transposed or fused by head"));
            }
            let twin = |other: &Entry| {
                (other.hf == entry.hf && other.hf_fused.is_none())
                    || (other.gguf.is_some() && other.gguf == entry.gguf && other.gguf_fused.is_none())
            };
            if let Some((other, _)) = self.matrices.iter().find(|(other, entry)| *other != kind && twin(entry)) {
                return Err(format!("{kind} and {other} have one name, but are not fused"));
            }
        }
        Ok(())
    }
}

fn unknown(
    key: &'static str,
    found: &str,
    path: &Path,
    families: &[Architecture],
    names: fn(&Architecture) -> &[String],
) -> CheckpointError {
    let mut known: Vec<String> = families.iter().flat_map(|family| names(family).to_vec()).collect();
    known.sort();
    known.dedup();
    CheckpointError::UnknownArchitecture { path: path.to_owned(), key, found: found.to_owned(), known }
}

/// The table with what it is `like` filled in, and whether it is like another.
fn merged(table: &str, text: &str, depth: usize) -> Result<(toml::Table, bool)> {
    let wrong = |why: String| CheckpointError::Table { table: table.to_owned(), why };
    let mut own: toml::Table = toml::from_str(text).map_err(|error| wrong(described(&error, text)))?;
    let Some(like) = own.remove("like") else { return Ok((own, false)) };
    let like = like.as_str().unwrap_or_default();
    let base = TABLES.iter().find(|(name, _)| like == *name);
    let Some((name, base)) = base.filter(|_| depth < LONGEST_CHAIN) else {
        let known: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
        return Err(wrong(format!("like = {like:?} names no other table: there are {}", known.join(", "))));
    };
    let (mut whole, _) = merged(name, base, depth + 1)?;
    overlay(&mut whole, own);
    Ok((whole, true))
}

/// Puts the values of `over` in place of those of `under`: in its sections one by one, each of them as a whole. `false`
/// takes one out.
fn overlay(under: &mut toml::Table, over: toml::Table) {
    for (name, value) in over {
        match (under.get_mut(&name), value) {
            (Some(toml::Value::Table(section)), toml::Value::Table(values)) => {
                for (key, value) in values {
                    match value {
                        toml::Value::Boolean(false) if TAKEN_OUT.contains(&name.as_str()) => drop(section.remove(&key)),
                        value => drop(section.insert(key, value)),
                    }
                }
            }
            (_, value) => {
                under.insert(name, value);
            }
        }
    }
}

fn described(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    format!("{place}{}", error.message().replace('\n', ": "))
}

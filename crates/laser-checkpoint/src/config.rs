//! A model's hyper-parameters, read by the architecture's table and checked.

use std::path::Path;

use serde_json::Value;

use crate::{
    Architecture, CheckpointError, MatrixKind, Result,
    architecture::{Activation, Bias, DefaultValue, Derived, Fused, Key, Norm, Residual},
    gguf::Gguf,
    placement::{Naming, Placement},
    role::{Role, Slot},
    rope::{RopeScaling, RotaryConfig},
};

/// The largest width, vocabulary or product of head count and head width that is believed: products of two fit any size.
const LARGEST_SIZE: usize = 1 << 24;
const LARGEST_LAYERS: usize = 1 << 16;
const LARGEST_EXPERTS: usize = 1 << 18;
const LARGEST_CONTEXT: usize = 1 << 31;

/// The hyper-parameters of a model. Every size is at least 1, and products of any two sizes fit a `usize`.
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
    /// The matrices that a layer has. With `fc_up` the MLP is gated: fc_out(activation(fc_in x) * fc_up x).
    pub matrices: Vec<MatrixKind>,
    /// The experts, in a mixture of them.
    pub experts: Option<Experts>,
    /// Rotary positions.
    pub rotary: Option<RotaryConfig>,
    /// Rotary positions of the layers with a window, where they are others.
    pub local_rotary: Option<RotaryConfig>,
    /// Rows of the learned positions; 0 where there are none.
    pub position_rows: usize,
    /// The row of position 0.
    pub position_offset: usize,
    /// Rows of the token-type embedding; 0 where there is none.
    pub token_types: usize,
    /// What the embedding is multiplied by.
    pub embedding_scale: Option<f64>,
    /// What queries times keys are multiplied by.
    pub attention_scale: f64,
    /// Scores s become cap * tanh(s / cap).
    pub attention_softcap: Option<f64>,
    /// Logits likewise.
    pub final_softcap: Option<f64>,
    /// For each layer, how many tokens a token may attend to, itself included; `None` is all before it.
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
    pub slots: Vec<Slot>,
    /// What has a bias.
    pub biases: Vec<Slot>,
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
    pub fn has(&self, slot: Slot) -> bool {
        self.slots.contains(&slot)
    }

    /// Whether this has a bias.
    pub fn has_bias(&self, slot: Slot) -> bool {
        self.biases.contains(&slot)
    }

    /// The experts that have each a matrix of this kind of their own.
    pub fn experts_of(&self, kind: MatrixKind) -> Option<Experts> {
        self.experts.filter(|_| MatrixKind::MLP.contains(&kind))
    }

    /// Whether this has a tensor of its own.
    pub(crate) fn has_weight(&self, architecture: &Architecture, slot: Slot) -> bool {
        self.has(slot)
            && !(slot == Slot::Head && self.tied_head)
            && (architecture.block.norm_weights || !slot.is_norm())
    }

    /// From config.json's content; `path` is for messages. `generation` is generation_config.json's content, whose end tokens go first.
    pub(crate) fn from_json(
        architecture: &Architecture,
        json: &Value,
        generation: Option<&Value>,
        path: &Path,
    ) -> Result<Self> {
        let reader = Reader { path, source: Source::Json(json) };
        reader.check_requirements(architecture)?;
        let mut config = reader.read(architecture)?;
        config.tied_head = reader.flag(&architecture.config.tied_head)?.unwrap_or(false);
        for slot in config.slots.clone() {
            let has = match reader.bias(architecture, slot) {
                Bias::Never => false,
                Bias::Always => true,
                Bias::Config(bias) => {
                    let default = Some(DefaultValue::Bool(bias.default));
                    reader.flag(&Key { json: vec![bias.key], default, ..Key::default() })?.unwrap_or(false)
                }
            };
            config.biases.extend(has.then_some(slot));
        }
        if let Some(value) =
            generation.and_then(|generation| generation.get("eos_token_id")).filter(|value| !value.is_null())
        {
            config.eos_token_ids = token_ids(value).ok_or_else(|| CheckpointError::Config {
                path: path.with_file_name("generation_config.json"),
                key: "eos_token_id".to_owned(),
                why: format!("expected a token id or a list of them, found {value}"),
            })?;
        }
        reader.take_layer_types(architecture, json, &mut config)?;
        config.checked(path)
    }

    /// From a GGUF file's metadata and the names of its tensors.
    pub(crate) fn from_gguf(architecture: &Architecture, gguf: &Gguf, arch: &str) -> Result<Self> {
        let path = gguf.path();
        let reader = Reader { path, source: Source::Gguf(gguf, arch) };
        reader.check_requirements(architecture)?;
        for refused in &architecture.refused_tensors {
            if gguf.tensor(refused.0).is_some() {
                return Err(reader.unsupported(refused.0, "there", refused.1));
            }
        }
        let mut config = reader.read(architecture)?;
        if let (Some(rotary), Some(name)) = (&config.rotary, &architecture.gguf_rope_factors)
            && let Some(tensor) = gguf.tensor(name)
        {
            let factors = tensor.precision.decode(gguf.bytes(tensor));
            let why = "its factors are not Llama 3's: use the model's Hugging Face folder";
            let scaled = rotary.with_factors(&factors).ok_or_else(|| reader.unsupported(name, "there", why))?;
            config.rotary = Some(scaled);
        }
        let place = |config: &Self, role| Placement::of(architecture, config, role, Naming::Gguf);
        let is_there = |config: &Self, role| place(config, role).is_some_and(|at| gguf.tensor(&at.tensor).is_some());
        config.tied_head = !is_there(&config, Role::of(Slot::Head));
        for slot in config.slots.clone() {
            let has = match reader.bias(architecture, slot) {
                Bias::Never => false,
                Bias::Always => true,
                Bias::Config(_) => is_there(&config, Role::of(slot).bias()),
            };
            config.biases.extend(has.then_some(slot));
        }
        // One key of config.json speaks for several: a mixture could not be written.
        for &slot in &config.slots {
            let same_key = |other: &Slot| {
                let bias = reader.bias(architecture, slot);
                matches!(bias, Bias::Config(_)) && reader.bias(architecture, *other) == bias
            };
            if let Some(other) =
                config.slots.iter().find(|other| same_key(other) && config.has_bias(**other) != config.has_bias(slot))
            {
                let found = format!("there for one of {slot} and {other} only");
                return Err(reader.unsupported("biases", &found, "the family has both or none"));
            }
        }
        config.checked(path)
    }

    /// Matrices that share a tensor head by head have as many rows for each head.
    fn check_fused(&self, architecture: &Architecture, path: &Path) -> Result<()> {
        for kind in &self.matrices {
            let entry = architecture.entry(Slot::Matrix(*kind));
            let by_head = entry.is_some_and(|entry| [entry.hf_fused, entry.gguf_fused].contains(&Some(Fused::ByHead)));
            let [rows, _] = kind.shape(self);
            if by_head && rows != self.heads.saturating_mul(self.head_dim) {
                return Err(CheckpointError::Config {
                    path: path.to_owned(),
                    key: format!("rows of {kind}"),
                    why: format!("there are {rows}, which {} heads cannot share", self.heads),
                });
            }
        }
        Ok(())
    }

    fn checked(self, path: &Path) -> Result<Self> {
        let wrong =
            |key: &str, why: String| Err(CheckpointError::Config { path: path.to_owned(), key: key.to_owned(), why });
        let sizes = [
            ("vocabulary size", self.vocab_size, LARGEST_SIZE),
            ("hidden size", self.hidden_size, LARGEST_SIZE),
            ("intermediate size", self.intermediate_size, LARGEST_SIZE),
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
            ("attention soft cap", self.attention_softcap),
            ("final soft cap", self.final_softcap),
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

/// Where hyper-parameters come from.
enum Source<'a> {
    Json(&'a Value),
    /// The file, and its `general.architecture`.
    Gguf(&'a Gguf, &'a str),
}

struct Reader<'a> {
    path: &'a Path,
    source: Source<'a>,
}

impl Reader<'_> {
    /// All that both formats share; `tied_head` and `biases` are left for the caller.
    fn read(&self, architecture: &Architecture) -> Result<Config> {
        let (keys, block) = (&architecture.config, &architecture.block);
        let hidden_size = self.size(&keys.hidden_size, &[])?;
        let heads = self.size(&keys.heads, &[])?;
        let layers = self.size(&keys.layers, &[])?;
        let per_head = hidden_size.checked_div(heads).unwrap_or(0);
        let head_dim = self.size(&keys.head_dim, &[(Derived::HiddenSizePerHead, per_head)])?;
        let context = self.size(&keys.context_length, &[])?;
        let mut slots: Vec<Slot> = Slot::all().filter(|&slot| architecture.entry(slot).is_some()).collect();
        let experts = match self.optional_size(&keys.experts, &[])? {
            Some(count) => Some(Experts {
                count,
                per_token: self.size(&keys.experts_per_token, &[])?,
                normalised: self.flag(&keys.normalised_experts)?.unwrap_or(true),
            }),
            None => None,
        };
        let parallel = match (&self.source, architecture.entry(Slot::MlpNorm).and_then(|entry| entry.gguf.as_ref())) {
            // Converters write the key whatever the model has; whether there is a second norm tells.
            (Source::Gguf(gguf, _), Some(name)) if block.parallel_shares_norm => {
                gguf.tensor(&name.replace("{layer}", "0")).is_none()
            }
            _ => self.flag(&keys.parallel)?.unwrap_or(false),
        };
        let residual = if parallel { Residual::Parallel } else { block.residual };
        if parallel && block.parallel_shares_norm {
            slots.retain(|&slot| slot != Slot::MlpNorm);
        }
        let rotary = self.rotary(architecture, head_dim, context)?;
        let local_theta = self.optional_float(&keys.local_rope_theta)?;
        let local_rotary = match (&rotary, local_theta) {
            (Some(rotary), Some(theta)) => Some(RotaryConfig { theta, scaling: RopeScaling::None, ..rotary.clone() }),
            _ => None,
        };
        let has_positions = slots.contains(&Slot::Positions);
        let padding = self.optional_size(&keys.padding, &[])?.map_or(0, |padding| padding.saturating_add(1));
        let offset = if has_positions { block.position_offset.saturating_add(padding) } else { 0 };
        let (position_rows, context_length) = match (has_positions, block.context_counts_offset) {
            (false, _) => (0, context),
            (true, false) => (context.saturating_add(offset), context),
            (true, true) => (context, context.saturating_sub(offset)),
        };
        let token_types = if slots.contains(&Slot::TokenTypes) { self.size(&keys.token_types, &[])? } else { 0 };
        let scalar = match (&self.source, self.find(&keys.attention_scalar)) {
            // What GGUF files do not say of the largest models.
            (Source::Gguf(..), None) if block.gguf_wide_attention_layers == Some(layers) => per_head as f64,
            _ => self.optional_float(&keys.attention_scalar)?.unwrap_or(head_dim as f64),
        };
        let config = Config {
            vocab_size: match &self.source {
                Source::Gguf(gguf, _) if self.find(&keys.vocab_size).is_none() => {
                    let name = architecture.entry(Slot::Embedding).and_then(|entry| entry.gguf.as_deref());
                    name.and_then(|name| gguf.tensor(name)).map_or(0, |tensor| tensor.shape[0])
                }
                _ => self.size(&keys.vocab_size, &[])?,
            },
            hidden_size,
            intermediate_size: self
                .size(&keys.intermediate_size, &[(Derived::FourHiddenSizes, hidden_size.saturating_mul(4))])?,
            layers,
            heads,
            kv_heads: self.size(&keys.kv_heads, &[(Derived::Heads, heads)])?,
            head_dim,
            norm: block.norm,
            norm_eps: self
                .optional_float(&keys.norm_eps)?
                .ok_or_else(|| self.wrong(&keys.norm_eps, "it is missing"))?,
            activation: self.activation(&keys.activation)?,
            residual,
            masked: block.masked,
            matrices: architecture.matrices.keys().copied().collect(),
            experts,
            rotary,
            local_rotary,
            position_rows,
            position_offset: offset,
            token_types,
            embedding_scale: block.scaled_embedding.then(|| (hidden_size as f64).sqrt()),
            attention_scale: 1.0 / scalar.sqrt(),
            attention_softcap: self.optional_float(&keys.attention_softcap)?,
            final_softcap: self.optional_float(&keys.final_softcap)?,
            windows: self.windows(architecture, layers)?,
            context_length,
            tied_head: false,
            bos_token_id: self.tokens(&keys.bos)?.first().copied(),
            eos_token_ids: self.tokens(&keys.eos)?,
            slots,
            biases: Vec::new(),
        };
        config.check_fused(architecture, self.path)?;
        config.checked(self.path)
    }

    /// Whether a slot has a bias: a norm of kind `layer` has one unless its entry says otherwise.
    fn bias(&self, architecture: &Architecture, slot: Slot) -> Bias {
        let block = &architecture.block;
        if slot.is_norm() && !matches!(slot, Slot::QueryNorm | Slot::KeyNorm) {
            return if block.norm == Norm::Layer && block.norm_weights { Bias::Always } else { Bias::Never };
        }
        architecture.entry(slot).map_or(Bias::Never, |entry| entry.bias.clone())
    }

    fn activation(&self, key: &Key) -> Result<Activation> {
        let value = self.value(key, &[]).ok_or_else(|| self.wrong(key, "it is missing"))?;
        value.as_str().and_then(Activation::named).ok_or_else(|| {
            let why = format!("the activations that are computed are {}", Activation::names());
            self.unsupported(&self.name(key), &shortened(&value), &why)
        })
    }

    fn rotary(&self, architecture: &Architecture, head_dim: usize, context: usize) -> Result<Option<RotaryConfig>> {
        let keys = &architecture.config;
        let Some(style) = architecture.block.rotary.style() else { return Ok(None) };
        let fraction = self.optional_float(&keys.rotary_fraction)?.filter(|_| matches!(self.source, Source::Json(_)));
        let dim = match fraction {
            // As transformers rounds it.
            Some(fraction) => (head_dim as f64 * fraction) as usize,
            None => self.optional_size(&keys.rotary_dim, &[(Derived::HeadDim, head_dim)])?.unwrap_or(head_dim),
        };
        let theta = self.optional_float(&keys.rope_theta)?.unwrap_or(10000.0);
        let scaling = self.rope_scaling(&keys.rope_scaling, context)?;
        Ok(Some(RotaryConfig { style, dim, theta, scaling }))
    }

    fn rope_scaling(&self, key: &Key, context: usize) -> Result<RopeScaling> {
        let Some((name, value)) = self.find(key) else { return Ok(RopeScaling::None) };
        let scaling = match &self.source {
            Source::Json(_) => RopeScaling::from_json(&value, context),
            Source::Gguf(gguf, arch) => {
                let number = |name: &str| gguf.metadata(&format!("{arch}.rope.scaling.{name}"))?.to_json().as_f64();
                let kind = value.as_str().unwrap_or_default();
                RopeScaling::from_gguf(kind, number("factor"), number("original_context_length"), context)
            }
        };
        scaling.map_err(|why| self.unsupported(&name, &shortened(&value), &why))
    }

    fn windows(&self, architecture: &Architecture, layers: usize) -> Result<Vec<Option<usize>>> {
        let keys = &architecture.config;
        let used = self.flag(&keys.sliding_window_used)?.unwrap_or(true);
        let window = self.window(architecture)?.filter(|_| used);
        let first = self.optional_size(&keys.first_sliding_layer, &[])?.unwrap_or(0);
        let pattern = self.optional_size(&keys.sliding_pattern, &[])?;
        let slides = |layer: usize| layer >= first && pattern.is_none_or(|n| !(layer + 1).is_multiple_of(n.max(1)));
        // Checked against its largest value only later.
        let layers = layers.min(LARGEST_LAYERS);
        Ok((0..layers).map(|layer| window.filter(|_| slides(layer))).collect())
    }

    /// The size of a window. In GGUF files 0 stands for none.
    fn window(&self, architecture: &Architecture) -> Result<Option<usize>> {
        let window = self.optional_size(&architecture.config.sliding_window, &[])?;
        Ok(window.filter(|&window| window > 0 || matches!(self.source, Source::Json(_))))
    }

    /// Newer configurations list each layer's attention, which then decides.
    fn take_layer_types(&self, architecture: &Architecture, json: &Value, config: &mut Config) -> Result<()> {
        let Some(types) = json.get("layer_types").and_then(Value::as_array) else { return Ok(()) };
        let key = |layer: usize| Key { json: vec![format!("layer_types[{layer}]")], ..Key::default() };
        if types.len() != config.layers {
            let why = format!("it has {} entries for {} layers", types.len(), config.layers);
            return Err(self.wrong(&Key { json: vec!["layer_types".to_owned()], ..Key::default() }, &why));
        }
        let window = self.window(architecture)?;
        for (layer, found) in types.iter().enumerate() {
            let window_of_layer = match found.as_str() {
                Some("full_attention") => None,
                Some("sliding_attention") => {
                    Some(window.ok_or_else(|| self.wrong(&key(layer), "it slides, but sliding_window is missing"))?)
                }
                _ => {
                    let why = "known are full_attention and sliding_attention";
                    return Err(self.unsupported(&key(layer).json[0], &found.to_string(), why));
                }
            };
            if let Some(slot) = config.windows.get_mut(layer) {
                *slot = window_of_layer;
            }
        }
        Ok(())
    }

    fn check_requirements(&self, architecture: &Architecture) -> Result<()> {
        if let Source::Json(json) = &self.source {
            let classes = json.get("architectures").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let is_known = |class: &Value| architecture.classes.iter().any(|known| class == known.as_str());
            if !classes.is_empty() && !classes.iter().any(is_known) {
                let why = format!("what is computed is {}", architecture.classes.join(" or "));
                return Err(self.unsupported("architectures", &classes[0].to_string(), &why));
            }
        }
        for requirement in architecture.require.values() {
            let key = Key {
                json: requirement.json.clone().into_iter().collect(),
                gguf: requirement.gguf.clone().into_iter().collect(),
                ..Key::default()
            };
            let Some((name, value)) = self.find(&key) else { continue };
            let same = |allowed: &Value| match (allowed.as_f64(), value.as_f64()) {
                (Some(allowed), Some(value)) => allowed == value,
                _ => *allowed == value,
            };
            if !value.is_null() && !requirement.values.iter().any(same) {
                return Err(self.unsupported(&name, &shortened(&value), &requirement.why));
            }
        }
        Ok(())
    }

    /// The first of the keys that has a value, else the first that is null.
    fn find(&self, key: &Key) -> Option<(String, Value)> {
        let found: Vec<(String, Value)> = match &self.source {
            Source::Json(json) => {
                let value = |name: &String| name.split('.').try_fold(*json, |value, step| value.get(step));
                key.json.iter().filter_map(|name| Some((name.clone(), value(name)?.clone()))).collect()
            }
            Source::Gguf(gguf, arch) => {
                let names = key.gguf.iter().map(|name| name.replace("{arch}", arch));
                names.filter_map(|name| gguf.metadata(&name).map(|value| (name, value.to_json()))).collect()
            }
        };
        found.iter().find(|(_, value)| !value.is_null()).or(found.first()).cloned()
    }

    /// The value, or the table's default.
    fn value(&self, key: &Key, known: &[(Derived, usize)]) -> Option<Value> {
        let found = self.find(key).map(|(_, value)| value);
        let default = match (&found, &self.source) {
            (None, Source::Json(_)) => key.absent.as_ref().or(key.default.as_ref()),
            _ => key.default.as_ref(),
        };
        found.filter(|value| !value.is_null()).or_else(|| match default? {
            DefaultValue::Bool(value) => Some((*value).into()),
            DefaultValue::Integer(value) => Some((*value).into()),
            DefaultValue::Float(value) => Some((*value).into()),
            DefaultValue::Text(value) => Some(value.as_str().into()),
            DefaultValue::Derived(other) => known.iter().find(|(name, _)| name == other).map(|&(_, size)| size.into()),
        })
    }

    /// `known` are the values that the table's default may name.
    fn optional_size(&self, key: &Key, known: &[(Derived, usize)]) -> Result<Option<usize>> {
        let Some(value) = self.value(key, known) else { return Ok(None) };
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        size.map(Some).ok_or_else(|| self.wrong(key, &format!("expected a whole number, found {}", shortened(&value))))
    }

    fn size(&self, key: &Key, known: &[(Derived, usize)]) -> Result<usize> {
        self.optional_size(key, known)?.ok_or_else(|| self.wrong(key, "it is missing"))
    }

    fn optional_float(&self, key: &Key) -> Result<Option<f64>> {
        let Some(value) = self.value(key, &[]) else { return Ok(None) };
        let number = value.as_f64();
        number.map(Some).ok_or_else(|| self.wrong(key, &format!("expected a number, found {}", shortened(&value))))
    }

    fn flag(&self, key: &Key) -> Result<Option<bool>> {
        let Some(value) = self.value(key, &[]) else { return Ok(None) };
        value
            .as_bool()
            .map(Some)
            .ok_or_else(|| self.wrong(key, &format!("expected true or false, found {}", shortened(&value))))
    }

    /// Token ids: of config.json's key, or of every GGUF key that is there.
    fn tokens(&self, key: &Key) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        for name in if matches!(self.source, Source::Json(_)) { &key.json } else { &key.gguf } {
            let one = Key { json: vec![name.clone()], gguf: vec![name.clone()], ..Key::default() };
            let Some((_, value)) = self.find(&one).filter(|(_, value)| !value.is_null()) else { continue };
            let found = token_ids(&value);
            ids.extend(
                found.ok_or_else(|| self.wrong(&one, &format!("expected token ids, found {}", shortened(&value))))?,
            );
        }
        Ok(ids)
    }

    fn name(&self, key: &Key) -> String {
        match (&self.source, key.json.first(), key.gguf.first()) {
            (Source::Json(_), Some(name), _) => name.clone(),
            (Source::Gguf(_, arch), _, Some(name)) => name.replace("{arch}", arch),
            (_, json, gguf) => json.or(gguf).cloned().unwrap_or_default(),
        }
    }

    fn wrong(&self, key: &Key, why: &str) -> CheckpointError {
        CheckpointError::Config { path: self.path.to_owned(), key: self.name(key), why: why.to_owned() }
    }

    fn unsupported(&self, key: &str, found: &str, why: &str) -> CheckpointError {
        CheckpointError::Unsupported {
            path: self.path.to_owned(),
            key: key.to_owned(),
            found: found.to_owned(),
            why: why.to_owned(),
        }
    }
}

/// A token id or a list of them. Negative ones stand for none in some configurations.
fn token_ids(value: &Value) -> Option<Vec<u32>> {
    let one = |value: &Value| {
        value.as_i64().and_then(|id| if id < 0 { Some(None) } else { u32::try_from(id).ok().map(Some) })
    };
    match value {
        Value::Array(list) => {
            list.iter().map(one).collect::<Option<Vec<_>>>().map(|ids| ids.into_iter().flatten().collect())
        }
        value => one(value).map(|id| id.into_iter().collect()),
    }
}

/// A value for a message, cut where it is long.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

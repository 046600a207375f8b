//! A model's hyper-parameters, read by the architecture's table and checked.

use std::path::Path;

use serde_json::Value;

use crate::{
    Architecture, CheckpointError, MatrixKind, Result,
    architecture::{Bias, DefaultValue, Derived, Key},
    gguf::Gguf,
    role::{Naming, Role},
};

/// The largest width, vocabulary or product of head count and head width that is believed: products of two fit any size.
const LARGEST_SIZE: usize = 1 << 24;
const LARGEST_LAYERS: usize = 1 << 16;
const LARGEST_CONTEXT: usize = 1 << 31;

/// The hyper-parameters of a model. Every size is at least 1, and products of any two sizes fit a `usize`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Rows of the embedding and of the head.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the MLP's inner layer.
    pub intermediate_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key/value heads; divides `heads`.
    pub kv_heads: usize,
    /// Components of a head; even.
    pub head_dim: usize,
    /// Epsilon of the normalisations.
    pub norm_eps: f64,
    /// Base of the rotary frequencies: component pair i turns by position * theta^(-2i / head_dim).
    pub rope_theta: f64,
    /// The longest input, in tokens.
    pub context_length: usize,
    /// Whether the head is the embedding.
    pub tied_head: bool,
    /// Where set, the layers from `first_sliding_layer` on let a token attend to this many tokens, itself included.
    pub sliding_window: Option<usize>,
    /// The first layer with a sliding window; 0 where there is no window.
    pub first_sliding_layer: usize,
    /// The token that starts a text, where there is one.
    pub bos_token_id: Option<u32>,
    /// The tokens that end a generation.
    pub eos_token_ids: Vec<u32>,
    /// The kinds that have a bias.
    pub biases: Vec<MatrixKind>,
}

impl Config {
    /// How many tokens a token of `layer` may attend to, itself included; `None` is all before it.
    pub fn window(&self, layer: usize) -> Option<usize> {
        self.sliding_window.filter(|_| layer >= self.first_sliding_layer)
    }

    /// Whether matrices of this kind have a bias.
    pub fn has_bias(&self, kind: MatrixKind) -> bool {
        self.biases.contains(&kind)
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
        for kind in MatrixKind::ALL {
            let has = match &architecture.matrix(kind).bias {
                Bias::Never => false,
                Bias::Always => true,
                Bias::Config(key) => {
                    let key =
                        Key { json: vec![key.clone()], default: Some(DefaultValue::Bool(false)), ..Key::default() };
                    reader.flag(&key)?.unwrap_or(false)
                }
            };
            config.biases.extend(has.then_some(kind));
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
        config.check_layer_types(json, path)?;
        config.checked(path)
    }

    /// From a GGUF file's metadata and the names of its tensors.
    pub(crate) fn from_gguf(architecture: &Architecture, gguf: &Gguf, arch: &str) -> Result<Self> {
        let path = gguf.path();
        let reader = Reader { path, source: Source::Gguf(gguf, arch) };
        reader.check_requirements(architecture)?;
        for refused in &architecture.refused_tensors {
            if gguf.tensor(&refused.gguf).is_some() {
                return Err(reader.unsupported(&refused.gguf, "there", &refused.why));
            }
        }
        let mut config = reader.read(architecture)?;
        config.tied_head = gguf.tensor(&architecture.tensors.head.gguf).is_none();
        for kind in MatrixKind::ALL {
            let has = match architecture.matrix(kind).bias {
                Bias::Never => false,
                Bias::Always => true,
                Bias::Config(_) => gguf.tensor(&Role::Bias(0, kind).name(architecture, Naming::Gguf)).is_some(),
            };
            config.biases.extend(has.then_some(kind));
        }
        // One key of config.json speaks for several kinds: a mixture could not be written.
        for kind in MatrixKind::ALL {
            let same_key = |other: &MatrixKind| architecture.matrix(*other).bias == architecture.matrix(kind).bias;
            if let Some(other) = MatrixKind::ALL
                .iter()
                .find(|other| same_key(other) && config.has_bias(**other) != config.has_bias(kind))
            {
                return Err(reader.unsupported(
                    "biases",
                    &format!("there for one of {kind} and {other} only"),
                    "the family has both or none",
                ));
            }
        }
        config.checked(path)
    }

    /// Newer configurations also list each layer's attention: it must be what the window's keys say.
    fn check_layer_types(&self, json: &Value, path: &Path) -> Result<()> {
        let Some(types) = json.get("layer_types").and_then(Value::as_array) else { return Ok(()) };
        for (layer, found) in types.iter().enumerate() {
            let expected = if self.window(layer).is_some() { "sliding_attention" } else { "full_attention" };
            if found != expected {
                return Err(CheckpointError::Unsupported {
                    path: path.to_owned(),
                    key: format!("layer_types[{layer}]"),
                    found: found.to_string(),
                    why: format!("the other keys imply {expected}"),
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
            ("sliding window", self.sliding_window.unwrap_or(1), LARGEST_CONTEXT),
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
        if !self.head_dim.is_multiple_of(2) {
            return wrong("head width", format!("it is {}, but rotary positions need an even one", self.head_dim));
        }
        if !(self.norm_eps.is_finite() && self.norm_eps >= 0.0) {
            return wrong("norm epsilon", format!("it is {}, but must be a number from 0", self.norm_eps));
        }
        if !(self.rope_theta.is_finite() && self.rope_theta > 0.0) {
            return wrong("rope theta", format!("it is {}, but must be a number above 0", self.rope_theta));
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
        let keys = &architecture.config;
        let hidden_size = self.size(&keys.hidden_size, &[])?;
        let heads = self.size(&keys.heads, &[])?;
        let per_head = hidden_size.checked_div(heads).unwrap_or(0);
        let head_dim = self.size(&keys.head_dim, &[(Derived::HiddenSizePerHead, per_head)])?;
        let rotary_dim = self.size(&keys.rotary_dim, &[(Derived::HeadDim, head_dim)])?;
        if rotary_dim != head_dim {
            let why = format!("a head has {head_dim} components, and positions on a part of them are not computed");
            return Err(self.unsupported(&self.name(&keys.rotary_dim), &rotary_dim.to_string(), &why));
        }
        self.check_rope_scaling(&keys.rope_scaling)?;
        let sliding = self.flag(&keys.sliding_window_used)?.unwrap_or(true);
        let sliding_window = self.optional_size(&keys.sliding_window, &[])?.filter(|_| sliding);
        let first_sliding_layer =
            self.optional_size(&keys.first_sliding_layer, &[])?.filter(|_| sliding_window.is_some());
        Ok(Config {
            vocab_size: match &self.source {
                Source::Gguf(gguf, _) if self.find(&keys.vocab_size).is_none() => {
                    gguf.tensor(&architecture.tensors.embedding.gguf).map_or(0, |tensor| tensor.shape[0])
                }
                _ => self.size(&keys.vocab_size, &[])?,
            },
            hidden_size,
            intermediate_size: self.size(&keys.intermediate_size, &[])?,
            layers: self.size(&keys.layers, &[])?,
            heads,
            kv_heads: self.size(&keys.kv_heads, &[(Derived::Heads, heads)])?,
            head_dim,
            norm_eps: self.float(&keys.norm_eps)?,
            rope_theta: self.float(&keys.rope_theta)?,
            context_length: self.size(&keys.context_length, &[])?,
            tied_head: false,
            sliding_window,
            first_sliding_layer: first_sliding_layer.unwrap_or(0),
            bos_token_id: self.tokens(&keys.bos)?.first().copied(),
            eos_token_ids: self.tokens(&keys.eos)?,
            biases: Vec::new(),
        })
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
        for requirement in &architecture.require {
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

    fn check_rope_scaling(&self, key: &Key) -> Result<()> {
        let Some((name, value)) = self.find(key) else { return Ok(()) };
        let kind = match &value {
            Value::Object(object) => object.get("rope_type").or_else(|| object.get("type")).unwrap_or(&value),
            other => other,
        };
        match kind {
            Value::Null => Ok(()),
            Value::String(kind) if kind == "default" || kind == "none" => Ok(()),
            _ => Err(self.unsupported(&name, &shortened(kind), "scaled rotary positions are not computed")),
        }
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
            (None, Source::Json(_)) => key.absent.or(key.default),
            _ => key.default,
        };
        found.filter(|value| !value.is_null()).or_else(|| match default? {
            DefaultValue::Bool(value) => Some(value.into()),
            DefaultValue::Integer(value) => Some(value.into()),
            DefaultValue::Float(value) => Some(value.into()),
            DefaultValue::Derived(other) => known.iter().find(|(name, _)| *name == other).map(|&(_, size)| size.into()),
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

    fn float(&self, key: &Key) -> Result<f64> {
        let value = self.value(key, &[]).ok_or_else(|| self.wrong(key, "it is missing"))?;
        value.as_f64().ok_or_else(|| self.wrong(key, &format!("expected a number, found {}", shortened(&value))))
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

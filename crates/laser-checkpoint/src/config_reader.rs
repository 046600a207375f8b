//! A model's hyper-parameters, read by the architecture's table.

use std::path::Path;

use serde_json::Value;

use crate::{
    architecture::Architecture,
    architecture_table::{Bias, DefaultValue, Derived, Key},
    block_kinds::{Activation, Norm, Residual, RotatedLayers},
    config_source::{Reader, Source, shortened, token_ids},
    convention::Convention,
    error::{CheckpointError, Result},
    gguf::Gguf,
    model_config::{Config, Experts, LARGEST_LAYERS},
    param_id::ParamId,
    param_kind::ParamKind,
    rotary_config::{RopeScaling, RotaryConfig},
    storage_layout::StorageLayout,
    weight_file::WeightFile,
};

/// From config.json's content; `path` is for messages. `generation` is generation_config.json's
/// content, whose end tokens go first.
///
/// # Errors
/// A key is missing, has a value that cannot be, or asks for something that is not computed.
pub(crate) fn read_json(
    architecture: &Architecture,
    json: &Value,
    generation: Option<&Value>,
    path: &Path,
) -> Result<Config> {
    let reader = Reader { path, source: Source::Json(json) };
    reader.check_requirements(architecture)?;
    let mut config = reader.read(architecture)?;
    config.tied_head = reader.flag(&architecture.config.tied_head)?.unwrap_or(false);
    for kind in config.params.clone() {
        let has = match reader.bias(architecture, kind) {
            Bias::Never => false,
            Bias::Always => true,
            Bias::Config(bias) => {
                let default = Some(DefaultValue::Bool(bias.default));
                reader.flag(&Key { json: vec![bias.key], default, ..Key::default() })?.unwrap_or(false)
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
    reader.take_layer_types(architecture, json, &mut config)?;
    config.checked(path)
}

/// From a GGUF file's metadata and the names of its tensors; `arch` is its `general.architecture`.
///
/// # Errors
/// As [`read_json`].
pub(crate) fn read_gguf(architecture: &Architecture, gguf: &Gguf, arch: &str) -> Result<Config> {
    let path = gguf.listing();
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
        let factors = tensor.precision()?.decode(&tensor.bytes());
        let why = "its factors are not Llama 3's: use the model's Hugging Face folder";
        let scaled = rotary.with_factors(&factors).ok_or_else(|| reader.unsupported(name, "there", why))?;
        config.rotary = Some(scaled);
    }
    let layout = |config: &Config, param| StorageLayout::of(architecture, config, param, Convention::Gguf);
    let is_there = |config: &Config, param| layout(config, param).is_some_and(|at| gguf.tensor(&at.tensor).is_some());
    config.tied_head = !is_there(&config, ParamId::of(ParamKind::Head));
    for kind in config.params.clone() {
        let has = match reader.bias(architecture, kind) {
            Bias::Never => false,
            Bias::Always => true,
            Bias::Config(_) => is_there(&config, ParamId::of(kind).bias()),
        };
        config.biases.extend(has.then_some(kind));
    }
    // One key of config.json speaks for several: a mixture could not be written.
    for &kind in &config.params {
        let same_key = |other: &ParamKind| {
            let bias = reader.bias(architecture, kind);
            matches!(bias, Bias::Config(_)) && reader.bias(architecture, *other) == bias
        };
        if let Some(other) =
            config.params.iter().find(|other| same_key(other) && config.has_bias(**other) != config.has_bias(kind))
        {
            let found = format!("there for one of {kind} and {other} only");
            return Err(reader.unsupported("biases", &found, "the family has both or none"));
        }
    }
    config.checked(path)
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
        let limit = self.optional_size(&keys.context_limit, &[])?;
        let mut params: Vec<ParamKind> = ParamKind::all().filter(|&kind| architecture.entry(kind).is_some()).collect();
        let experts = match self.optional_size(&keys.experts, &[])? {
            Some(count) => Some(Experts {
                count,
                per_token: self.size(&keys.experts_per_token, &[])?,
                normalised: self.flag(&keys.normalised_experts)?.unwrap_or(true),
            }),
            None => None,
        };
        let parallel =
            match (&self.source, architecture.entry(ParamKind::MlpNorm).and_then(|entry| entry.gguf.as_ref())) {
                // Converters write the key whatever the model has; whether there is a second norm
                // tells.
                (Source::Gguf(gguf, _), Some(name)) if block.parallel_shares_norm => {
                    gguf.tensor(&name.replace("{layer}", "0")).is_none()
                }
                _ => self.flag(&keys.parallel)?.unwrap_or(false),
            };
        let residual = if parallel { Residual::Parallel } else { block.residual };
        if parallel && block.parallel_shares_norm {
            params.retain(|&kind| kind != ParamKind::MlpNorm);
        }
        let rotary = self.rotary(architecture, head_dim, context)?;
        let local_theta = self.optional_float(&keys.local_rope_theta)?;
        let local_rotary = match (&rotary, local_theta) {
            (Some(rotary), Some(theta)) => Some(RotaryConfig { theta, scaling: RopeScaling::None, ..rotary.clone() }),
            _ => None,
        };
        let has_positions = params.contains(&ParamKind::Positions);
        let padding = self.optional_size(&keys.padding, &[])?.map_or(0, |padding| padding.saturating_add(1));
        let offset = if has_positions { block.position_offset.saturating_add(padding) } else { 0 };
        let (position_rows, context_length) = match (has_positions, block.context_counts_offset) {
            (false, _) => (0, context),
            (true, false) => (context.saturating_add(offset), context),
            (true, true) => (context, context.saturating_sub(offset)),
        };
        let context_length = limit.map_or(context_length, |limit| context_length.min(limit));
        let token_types = if params.contains(&ParamKind::TokenTypes) { self.size(&keys.token_types, &[])? } else { 0 };
        let windows = self.windows(architecture, layers)?;
        let scalar = match (&self.source, self.find(&keys.attention_scalar)) {
            // What GGUF files do not say of the largest models.
            (Source::Gguf(..), None) if block.gguf_wide_attention_layers == Some(layers) => per_head as f64,
            _ => self.optional_float(&keys.attention_scalar)?.unwrap_or(head_dim as f64),
        };
        let config = Config {
            vocab_size: match &self.source {
                Source::Gguf(gguf, _) if self.find(&keys.vocab_size).is_none() => {
                    let name = architecture.entry(ParamKind::Embedding).and_then(|entry| entry.gguf.as_deref());
                    name.and_then(|name| gguf.tensor(name)).map_or(0, |tensor| tensor.shape()[0])
                }
                _ => self.size(&keys.vocab_size, &[])?,
            },
            hidden_size,
            intermediate_size: self
                .size(&keys.intermediate_size, &[(Derived::FourHiddenSizes, hidden_size.saturating_mul(4))])?,
            layers,
            heads,
            kv_heads: match self.value(&keys.kv_heads, &[]) {
                // Multi-query attention, or as many as heads.
                Some(Value::Bool(true)) => 1,
                Some(Value::Bool(false)) => heads,
                _ => self.size(&keys.kv_heads, &[(Derived::Heads, heads)])?,
            },
            head_dim,
            norm: block.norm,
            norm_eps: self
                .optional_float(&keys.norm_eps)?
                .ok_or_else(|| self.wrong(&keys.norm_eps, "it is missing"))?,
            activation: self.activation(&keys.activation)?,
            residual,
            masked: block.masked,
            shared_size: if params.contains(&ParamKind::SharedIn) { self.size(&keys.shared_size, &[])? } else { 0 },
            matrices: architecture.matrices.keys().copied().collect(),
            experts,
            rotary,
            local_rotary,
            position_rows,
            position_offset: offset,
            token_types,
            embedding_scale: match self.scale(&keys.embedding_scale)? {
                None => block.scaled_embedding.then(|| (hidden_size as f64).sqrt()),
                scale => scale,
            },
            residual_scale: self.scale(&keys.residual_scale)?,
            logit_scale: match self.scale(&keys.logit_divisor)? {
                None => self.scale(&keys.logit_scale)?,
                divisor => divisor.map(|divisor| 1.0 / divisor),
            },
            attention_scale: self.optional_float(&keys.attention_scale)?.unwrap_or(1.0 / scalar.sqrt()),
            alibi: self.optional_float(&keys.alibi)?,
            attention_softcap: self.optional_float(&keys.attention_softcap)?,
            final_softcap: self.optional_float(&keys.final_softcap)?,
            rotated: self.rotated(architecture, layers, &windows)?,
            query_key_norm_after_rotary: block.query_key_norm_after_rotary,
            windows,
            context_length,
            tied_head: false,
            bos_token_id: self.tokens(&keys.bos)?.first().copied(),
            eos_token_ids: self.tokens(&keys.eos)?,
            params,
            biases: Vec::new(),
        };
        config.checked(self.path)
    }

    /// Whether a kind has a bias: a norm of kind `layer` has one unless its entry says otherwise.
    fn bias(&self, architecture: &Architecture, kind: ParamKind) -> Bias {
        let block = &architecture.block;
        if kind.is_norm() && !matches!(kind, ParamKind::QueryNorm | ParamKind::KeyNorm) {
            return if block.norm == Norm::Layer && block.norm_weights && block.norm_bias {
                Bias::Always
            } else {
                Bias::Never
            };
        }
        architecture.entry(kind).map_or(Bias::Never, |entry| entry.bias.clone())
    }

    fn activation(&self, key: &Key) -> Result<Activation> {
        let value = self.value(key, &[]).ok_or_else(|| self.wrong(key, "it is missing"))?;
        value.as_str().and_then(Activation::named).ok_or_else(|| {
            let why = format!("the activations that are computed are {}", Activation::names());
            self.unsupported(&self.name(key), &shortened(&value), &why)
        })
    }

    /// A factor; 1 is none.
    fn scale(&self, key: &Key) -> Result<Option<f64>> {
        Ok(self.optional_float(key)?.filter(|&scale| scale != 1.0))
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
                let number = |name: &str| gguf.entry(&format!("{arch}.rope.scaling.{name}"))?.to_json().as_f64();
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
        // Checked against its largest value only later.
        let layers = layers.min(LARGEST_LAYERS);
        if let Some(list) = self.sliding_list(&keys.sliding_pattern, layers)? {
            return Ok(list.into_iter().map(|slides| window.filter(|_| slides)).collect());
        }
        let pattern = self.optional_size(&keys.sliding_pattern, &[])?;
        let slides = |layer: usize| layer >= first && pattern.is_none_or(|n| !(layer + 1).is_multiple_of(n.max(1)));
        Ok((0..layers).map(|layer| window.filter(|_| slides(layer))).collect())
    }

    /// For each layer, whether its queries and keys turn.
    fn rotated(&self, architecture: &Architecture, layers: usize, windows: &[Option<usize>]) -> Result<Vec<bool>> {
        let keys = &architecture.config;
        let layers = layers.min(LARGEST_LAYERS);
        if let Some(list) = self.value(&keys.rotated, &[]) {
            let flag = |value: &Value| value.as_bool().or_else(|| value.as_u64().map(|flag| flag != 0));
            let flags = list.as_array().and_then(|list| list.iter().map(flag).collect::<Option<Vec<bool>>>());
            let flags = flags.filter(|flags| flags.len() >= layers);
            return flags.map(|flags| flags[..layers].to_vec()).ok_or_else(|| {
                let why = format!("expected a flag for each of {layers} layers, found {}", shortened(&list));
                self.wrong(&keys.rotated, &why)
            });
        }
        if let Some(n) = self.optional_size(&keys.unrotated_pattern, &[])? {
            return Ok((1..=layers).map(|layer| !layer.is_multiple_of(n.max(1))).collect());
        }
        let windowed =
            architecture.block.rotated_layers == RotatedLayers::Windowed && windows.iter().any(Option::is_some);
        Ok(windows.iter().map(|window| window.is_some() || !windowed).collect())
    }

    /// GGUF files may list for each layer whether it has a window; one value stands for all layers.
    fn sliding_list(&self, key: &Key, layers: usize) -> Result<Option<Vec<bool>>> {
        match self.value(key, &[]) {
            Some(Value::Bool(all)) => Ok(Some(vec![all; layers])),
            Some(Value::Array(list)) => {
                let slides: Option<Vec<bool>> = list.iter().map(Value::as_bool).collect();
                let slides = slides.filter(|slides| slides.len() == layers);
                slides.map(Some).ok_or_else(|| {
                    self.wrong(
                        key,
                        &format!("expected true or false for each of {layers} layers, found {} values", list.len()),
                    )
                })
            }
            _ => Ok(None),
        }
    }

    /// The size of a window. In GGUF files 0 stands for none.
    fn window(&self, architecture: &Architecture) -> Result<Option<usize>> {
        let window = self.optional_size(&architecture.config.sliding_window, &[])?;
        Ok(window.filter(|&window| window > 0 || matches!(self.source, Source::Json(_))))
    }

    /// Some configurations list each layer's attention, which then decides.
    fn take_layer_types(&self, architecture: &Architecture, json: &Value, config: &mut Config) -> Result<()> {
        let list = |name: &'static str| Some((name, json.get(name)?.as_array()?.clone()));
        let read = architecture.config.layer_types != Key::default();
        let listed = list("layer_types").filter(|_| read).or_else(|| list("attention_layers"));
        let Some((name, types)) = listed.or_else(|| Some(("attention_types", repeated_types(json)?))) else {
            return Ok(());
        };
        let key = |layer: usize| Key { json: vec![format!("{name}[{layer}]")], ..Key::default() };
        if types.len() != config.layers {
            let why = format!("it has {} entries for {} layers", types.len(), config.layers);
            return Err(self.wrong(&Key { json: vec![name.to_owned()], ..Key::default() }, &why));
        }
        let used = self.flag(&architecture.config.sliding_window_used)?.unwrap_or(true);
        let window = self.window(architecture)?.filter(|_| used);
        for (layer, found) in types.iter().enumerate() {
            let window_of_layer = match found.as_str() {
                Some("full_attention" | "global") => None,
                Some("sliding_attention" | "local") => {
                    Some(window.ok_or_else(|| self.wrong(&key(layer), "it slides, but sliding_window is missing"))?)
                }
                _ => {
                    let why = "known are full_attention and sliding_attention";
                    return Err(self.unsupported(&key(layer).json[0], &found.to_string(), why));
                }
            };
            if let Some(window) = config.windows.get_mut(layer) {
                *window = window_of_layer;
            }
        }
        config.rotated = self.rotated(architecture, config.layers, &config.windows)?;
        Ok(())
    }

    fn check_requirements(&self, architecture: &Architecture) -> Result<()> {
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
}

/// GPT-Neo's `attention_types`: lists of types, each with how often it comes.
fn repeated_types(json: &Value) -> Option<Vec<Value>> {
    let mut types = Vec::new();
    for part in json.get("attention_types")?.as_array()? {
        let [part, times] = part.as_array()?.as_slice() else { return None };
        let times = usize::try_from(times.as_u64()?).ok()?.min(LARGEST_LAYERS);
        let part = part.as_array()?;
        let room = LARGEST_LAYERS - types.len();
        types.extend(part.iter().cycle().take(part.len().saturating_mul(times).min(room)).cloned());
    }
    Some(types)
}

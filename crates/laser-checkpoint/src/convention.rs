//! What tells the two kinds of checkpoint apart: how they name and store a model's tensors, and
//! which files belong to one. It is chosen once, when a checkpoint is opened.

use crate::{
    architecture::Architecture,
    architecture_table::{Entry, Fused},
};

/// How tensors are named and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// A folder in Hugging Face layout.
    HuggingFace,
    /// A GGUF file.
    Gguf,
}

/// The files of a Hugging Face folder that make the model, beside its weights.
const COMPANIONS: [&str; 11] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
];

/// Parts of names between the base model's prefix and the text model's own names, in multimodal
/// checkpoints of transformers.
const TEXT_MODELS: [&str; 2] = ["language_model.", "text_model."];

/// What some files have before every name of a text model: transformers' older multimodal classes,
/// then [`FOREIGN_WRAPPERS`].
const WRAPPERS: [&str; 6] =
    ["language_model.", "model.language_model.", "thinker.", "base_model.model.", "module.", "_orig_mod."];

/// What peft, distributed data parallelism and torch.compile put before every name, which
/// transformers does not read.
const FOREIGN_WRAPPERS: [&str; 3] = ["base_model.model.", "module.", "_orig_mod."];

impl Convention {
    /// The name of a weight or its bias; `None` if there is none in this convention.
    pub(crate) fn name(self, entry: &Entry, is_bias: bool) -> Option<String> {
        let (weight, own_bias) = match self {
            Self::HuggingFace => (entry.hf.as_ref()?, entry.hf_bias.as_ref()),
            Self::Gguf => (entry.gguf.as_ref()?, None),
        };
        Some(match own_bias {
            _ if !is_bias => weight.clone(),
            Some(bias) => bias.clone(),
            None => format!("{}.bias", weight.strip_suffix(".weight").unwrap_or(weight)),
        })
    }

    /// How several matrices share the tensor.
    pub(crate) fn fused(self, entry: &Entry) -> Option<Fused> {
        match self {
            Self::HuggingFace => entry.hf_fused,
            Self::Gguf => entry.gguf_fused,
        }
    }

    /// Whether a weight is stored as `[inputs, outputs]`.
    pub(crate) fn is_transposed(self, entry: &Entry) -> bool {
        self == Self::HuggingFace && entry.hf_transposed
    }

    /// Whether the rows of each head are stored in rotary pairs.
    pub(crate) fn is_interleaved(self, entry: &Entry) -> bool {
        self == Self::Gguf && entry.gguf_interleaved
    }

    /// What must be added to a norm's stored weights: in GGUF files it has been added.
    pub fn norm_offset(self, architecture: &Architecture) -> f32 {
        match self {
            Self::HuggingFace => architecture.block.norm_offset,
            Self::Gguf => 0.0,
        }
    }

    /// Names that some files have in place of `name`, which comes first itself.
    pub(crate) fn synonyms(self, architecture: &Architecture, name: &str) -> Vec<String> {
        let mut names = vec![name.to_owned()];
        if self == Self::Gguf {
            return names;
        }
        let prefix = architecture.base_prefix();
        let ends = architecture.synonyms.iter();
        names.extend(ends.filter_map(|(end, other)| Some(format!("{}{other}", name.strip_suffix(end.as_str())?))));
        let short: Vec<String> = names.iter().filter_map(|name| name.strip_prefix(prefix)).map(str::to_owned).collect();
        let inner = short.iter().flat_map(|name| TEXT_MODELS.map(|text| format!("{prefix}{text}{name}")));
        let inner: Vec<String> = inner.collect();
        names.extend(short);
        let wrapped = WRAPPERS.iter().flat_map(|wrapper| names.iter().map(move |name| format!("{wrapper}{name}")));
        let wrapped: Vec<String> = wrapped.collect();
        names.extend(inner.into_iter().chain(wrapped));
        names
    }

    /// `name` without what a program put before it that only it reads, and what that is.
    pub fn without_wrapper(name: &str) -> (&str, Option<&'static str>) {
        let found = FOREIGN_WRAPPERS.iter().find_map(|wrapper| Some((name.strip_prefix(wrapper)?, *wrapper)));
        found.map_or((name, None), |(rest, wrapper)| (rest, Some(wrapper)))
    }

    /// The files that make the model beside its weights, in the same folder.
    pub(crate) fn companions(self) -> &'static [&'static str] {
        match self {
            Self::HuggingFace => &COMPANIONS,
            Self::Gguf => &[],
        }
    }
}

//! What tells the two kinds of checkpoint apart: how they name and store a model's tensors, and
//! which files belong to one. It is chosen once, when a checkpoint is opened.

use crate::{
    architecture::Architecture,
    architecture_table::{Entry, Fused},
};

/// How tensors are named and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Convention {
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
    pub(crate) fn norm_offset(self, architecture: &Architecture) -> f32 {
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
        let Architecture { synonyms, optional_prefix: prefix, .. } = architecture;
        names.extend(synonyms.iter().find_map(|(end, other)| Some(format!("{}{other}", name.strip_suffix(end)?))));
        if !prefix.is_empty() {
            let short: Vec<String> =
                names.iter().filter_map(|name| name.strip_prefix(prefix)).map(str::to_owned).collect();
            names.extend(short);
        }
        names
    }

    /// The files that make the model beside its weights, in the same folder.
    pub(crate) fn companions(self) -> &'static [&'static str] {
        match self {
            Self::HuggingFace => &COMPANIONS,
            Self::Gguf => &[],
        }
    }
}

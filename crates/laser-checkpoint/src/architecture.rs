//! What tells one model family from another, as data: one table of `architectures/*.toml` a family.

use std::{collections::BTreeMap, path::Path, sync::OnceLock};

use serde::Deserialize;
use serde_json::Value;

use laser_edit::FileHash;

use crate::{
    architecture_table::{Bias, Block, Entry, Fused, Key, Keys, Requirement},
    block_kinds::{InTransformers, Residual},
    error::{CheckpointError, Result},
    file_hash::hash_file,
    json_file::read_small,
    param_kind::ParamKind,
    table_inheritance::{TABLES, described, merged},
};
use laser_edit::MatrixKind;

/// No table is larger, in bytes.
const LARGEST_TABLE: u64 = 1 << 20;

/// One model family: its block, the keys of its hyper-parameters and its tensors.
/// `docs/architectures.md` describes the table's keys.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// The family's name, as the table's file.
    pub family: String,
    /// `model_type` in config.json.
    pub model_type: String,
    /// Of several tables with one `model_type`, this one is chosen where config.json has these
    /// values.
    #[serde(default)]
    pub(crate) when: BTreeMap<String, Value>,
    /// Values of `architectures` in config.json: transformers' classes. The first is the one that
    /// is written.
    pub classes: Vec<String>,
    /// How transformers opens the family.
    #[serde(default)]
    pub transformers: InTransformers,
    /// Values of `general.architecture` in GGUF files.
    #[serde(default)]
    pub gguf_architectures: Vec<String>,
    pub(crate) block: Block,
    pub(crate) config: Keys,
    pub(crate) tensors: BTreeMap<ParamKind, Entry>,
    pub(crate) matrices: BTreeMap<MatrixKind, Entry>,
    /// A user's own table, as a file.
    #[serde(skip)]
    pub(crate) file: Option<FileHash>,
    /// The tensor of a GGUF file that says what rotary frequencies are divided by (Llama 3's
    /// scaling).
    pub(crate) gguf_rope_factors: Option<String>,
    /// The first part of Hugging Face's tensor names, which files of the base model leave out; if
    /// it is not that of the embedding's name.
    pub(crate) optional_prefix: Option<String>,
    /// Ends of Hugging Face's tensor names, and what some files have instead.
    #[serde(default)]
    pub(crate) synonyms: BTreeMap<String, String>,
    /// What would be computed wrongly, and is refused.
    #[serde(default)]
    pub(crate) require: BTreeMap<String, Requirement>,
    /// Keys of config.json that transformers 5 does not read, and what it reads: another value than
    /// these is noted.
    #[serde(default)]
    pub(crate) ignored: BTreeMap<String, Requirement>,
    /// Tensors that a GGUF file must not have, and why.
    #[serde(default)]
    pub(crate) refused_tensors: BTreeMap<String, String>,
}

impl Architecture {
    /// Reads a table; `table` is its name in messages. `like = "NAME"` starts from an embedded
    /// table, of which it then replaces the keys that it has itself.
    ///
    /// # Errors
    /// The table is wrong, and how.
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
    ///
    /// # Errors
    /// The file cannot be read, or the table is wrong.
    pub fn open(path: &Path) -> Result<Self> {
        let table = path.display().to_string();
        let text = String::from_utf8(read_small(path, LARGEST_TABLE)?);
        let wrong = |_| CheckpointError::Table { table: table.clone(), why: "it is no UTF-8 text".to_owned() };
        let table = Self::from_toml(&table, &text.map_err(wrong)?)?;
        Ok(Self { file: Some(hash_file(path)?), ..table })
    }

    /// Every embedded family.
    ///
    /// # Errors
    /// The table is wrong, and how.
    pub fn embedded() -> Result<Vec<Self>> {
        static PARSED: OnceLock<Vec<Architecture>> = OnceLock::new();
        if let Some(parsed) = PARSED.get() {
            return Ok(parsed.clone());
        }
        let parsed = TABLES.iter().map(|(name, text)| Self::from_toml(name, text)).collect::<Result<_>>()?;
        Ok(PARSED.get_or_init(|| parsed).clone())
    }

    /// The one of `families` with this `model_type`, which the config.json at `path` with the content
    /// `config` names. Of several, the first whose values of `when` are there; a table without any
    /// comes last.
    ///
    /// # Errors
    /// No table has this `model_type`.
    pub(crate) fn of_model_type(
        mut families: Vec<Self>,
        model_type: &str,
        config: &Value,
        path: &Path,
    ) -> Result<Self> {
        families.sort_by_key(|family| std::cmp::Reverse(family.when.len()));
        let holds = |family: &Self| family.when.iter().all(|(key, value)| config.get(key) == Some(value));
        match families.iter().position(|family| family.model_type == model_type && holds(family)) {
            Some(position) => Ok(families.swap_remove(position)),
            None => Err(unknown("model_type", model_type, path, &families, |family| {
                std::slice::from_ref(&family.model_type)
            })),
        }
    }

    /// The family of this `general.architecture`, which the GGUF file at `path` names; `has` tells
    /// whether the file has a metadata key. Of two families under one name, the mixture of experts
    /// is the one whose key is there.
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

    /// The first part of Hugging Face's tensor names, which files of the base model leave out.
    pub(crate) fn base_prefix(&self) -> &str {
        let embedding = || self.entry(ParamKind::Embedding).and_then(|entry| entry.hf.as_deref()).unwrap_or_default();
        let first = || embedding().find('.').map_or("", |dot| &embedding()[..=dot]);
        self.optional_prefix.as_deref().unwrap_or_else(first)
    }

    fn is_mixture(&self) -> bool {
        self.tensors.contains_key(&ParamKind::Router)
    }

    pub(crate) fn entry(&self, kind: ParamKind) -> Option<&Entry> {
        match kind {
            ParamKind::Matrix(kind) => self.matrices.get(&kind),
            kind => self.tensors.get(&kind),
        }
    }

    /// What serde cannot see.
    fn check(&self) -> std::result::Result<(), String> {
        let needed = [ParamKind::Embedding, ParamKind::Head];
        let matrices = [
            MatrixKind::QProj,
            MatrixKind::KProj,
            MatrixKind::VProj,
            MatrixKind::OutProj,
            MatrixKind::FcIn,
            MatrixKind::FcOut,
        ];
        if let Some(kind) = needed.iter().find(|kind| !self.tensors.contains_key(kind)) {
            return Err(format!("tensors.{kind} is missing"));
        }
        if let Some(kind) = matrices.iter().find(|kind| !self.matrices.contains_key(kind)) {
            return Err(format!("matrices.{kind} is missing"));
        }
        let named = self.tensors.iter().map(|(kind, entry)| (*kind, entry));
        let named = named.chain(self.matrices.iter().map(|(kind, entry)| (ParamKind::Matrix(*kind), entry)));
        for (kind, entry) in named {
            for name in entry.hf.iter().chain(&entry.gguf) {
                if kind.is_in_layer() && !name.contains("{layer}") {
                    return Err(format!("the name {name:?} of {kind} lacks {{layer}}"));
                }
            }
            if entry.hf.is_none() {
                return Err(format!("{kind} lacks its Hugging Face name `hf`"));
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
        let has = |kind| self.tensors.contains_key(&kind);
        let biased = |kind: &ParamKind| self.tensors.get(kind).is_some_and(|entry| entry.bias != Bias::Never);
        let biasless = [ParamKind::Embedding, ParamKind::Positions, ParamKind::TokenTypes, ParamKind::Router];
        let shared = [ParamKind::SharedIn, ParamKind::SharedUp, ParamKind::SharedOut];
        if let Some(kind) = shared.iter().chain([&ParamKind::SharedGate]).find(|kind| biased(kind)) {
            return Err(format!("a bias of {kind} is not computed"));
        }
        let of_shared = shared.iter().filter(|kind| has(**kind)).count();
        if ![0, 3].contains(&of_shared) || (of_shared == 0 && has(ParamKind::SharedGate)) {
            return Err("a shared expert is shared_in, shared_up and shared_out, and maybe shared_gate".to_owned());
        }
        if of_shared > 0 && !self.is_mixture() {
            return Err("a shared expert needs a router".to_owned());
        }
        if let Some(kind) = biasless.iter().find(|kind| biased(kind)) {
            return Err(format!("a bias of {kind} is not computed"));
        }
        let scaled = [&self.config.logit_scale, &self.config.logit_divisor].iter().any(|key| **key != Key::default());
        let refused = [
            (
                self.block.residual != Residual::Pre
                    && (has(ParamKind::AttentionOutputNorm) || has(ParamKind::MlpOutputNorm)),
                "output norms are computed in the residual layout `pre` only",
            ),
            (
                scaled && (has(ParamKind::HeadDense) || !has(ParamKind::FinalNorm) || biased(&ParamKind::Head)),
                "logits are scaled behind a final norm, and where the head has no bias",
            ),
            (has(ParamKind::HeadNorm) && !has(ParamKind::HeadDense), "head_norm needs head_dense"),
            (has(ParamKind::TokenTypes) && !has(ParamKind::Positions), "token_types need positions"),
            (self.block.masked && self.config.alibi != Key::default(), "alibi is not computed in a masked model"),
            (
                self.block.masked && self.config.sliding_window != Key::default(),
                "windows are not computed in a masked model",
            ),
            (
                !self.block.norm_weights && (has(ParamKind::QueryNorm) || has(ParamKind::KeyNorm)),
                "query and key norms without weights are not computed",
            ),
        ];
        if let Some((_, why)) = refused.iter().find(|(is_so, _)| *is_so) {
            return Err((*why).to_owned());
        }
        for (kind, entry) in &self.matrices {
            let by_head = [entry.hf_fused, entry.gguf_fused].contains(&Some(Fused::ByHead));
            if by_head && ![MatrixKind::QProj, MatrixKind::KProj, MatrixKind::VProj].contains(kind) {
                return Err(format!("{kind} cannot be fused by head: only q_proj, k_proj and v_proj can"));
            }
            if entry.gguf_interleaved && entry.gguf_fused.is_some() {
                return Err(format!("{kind} cannot be both interleaved and fused"));
            }
            let stacked = self.is_mixture()
                && MatrixKind::MLP.contains(kind)
                && entry.hf.as_ref().is_some_and(|name| !name.contains("{expert}"));
            if stacked && entry.hf_transposed {
                return Err(format!("{kind}: experts in one tensor cannot be transposed"));
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

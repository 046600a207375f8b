//! A model's weights on disk, checked as a whole when opened and then read one tensor at a time.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use serde_json::{Map, Value};

use crate::{
    architecture::Architecture,
    config_reader,
    convention::Convention,
    error::{CheckpointError, Result},
    factored::Factored,
    gguf::Gguf,
    json_file::{read_json, read_json_if_there},
    model_config::Config,
    param_id::ParamId,
    param_kind::ParamKind,
    precision::Precision,
    refused_weights,
    settled_config::{self, SettledConfig},
    sharded_weights::ShardedWeights,
    storage_layout::StorageLayout,
    tensor_check,
    tensor_finder::TensorFinder,
    text_model, tied_head,
    weight_file::{StoredTensor, WeightFile},
};
use laser_edit::FileHash;

/// An open checkpoint: a Hugging Face folder or a GGUF file. Opening it checks that every tensor is
/// there, in the right shape and in a type that can be read; the values are read, and checked to be
/// finite, only when asked for.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    architecture: Architecture,
    config: Config,
    convention: Convention,
    /// The matrices that are two thin ones.
    factored: Option<Factored>,
    weights: Box<dyn WeightFile>,
    /// Whether config.json is that of a model of which this is the text model.
    is_text_part: bool,
    /// config.json without its contradictions, if it has any.
    settled: Option<Value>,
    /// The hashes of its files, once they are known.
    hashes: OnceLock<Vec<FileHash>>,
    notes: Vec<String>,
}

impl Checkpoint {
    /// Opens the folder or the `.gguf` file at `path`, whose family is the one that it names
    /// itself.
    ///
    /// # Errors
    /// A file cannot be read or is damaged, the family is unknown, its configuration asks for
    /// something that is not computed, or a tensor is missing or of another shape.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_as(path, None)
    }

    /// Opens what is at `path` by a table of the caller's own.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_as(path: &Path, architecture: Option<Architecture>) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|cause| CheckpointError::Io {
            action: "open",
            path: path.to_owned(),
            cause,
        })?;
        let mut checkpoint = if metadata.is_dir() {
            Self::open_folder(path, architecture)?
        } else {
            Self::open_gguf(path, architecture)?
        };
        let unread = tensor_check::check(checkpoint.tensors())?;
        checkpoint.notes.extend(unread);
        Ok(checkpoint)
    }

    fn open_folder(path: &Path, architecture: Option<Architecture>) -> Result<Self> {
        let config_path = path.join("config.json");
        if !config_path.is_file() {
            refused_weights::check_adapter(path)?;
            let why = "it has no config.json: give a folder in Hugging Face layout or a .gguf file".to_owned();
            return Err(CheckpointError::NotACheckpoint { path: path.to_owned(), why });
        }
        let whole = read_json(&config_path)?;
        let (architecture, json, is_text_part) = match architecture {
            Some(own) => (own, whole.clone(), false),
            None => {
                let families = Architecture::embedded()?;
                let is_known = |name: &str| families.iter().any(|family| family.model_type == name);
                let text = text_model::text_config(&whole, is_known);
                let is_text_part = text.is_some();
                let json = text.unwrap_or_else(|| whole.clone());
                let missing = || CheckpointError::Config {
                    path: config_path.clone(),
                    key: "model_type".to_owned(),
                    why: "it is missing".to_owned(),
                };
                let model_type = json.get("model_type").and_then(Value::as_str).ok_or_else(missing)?;
                (Architecture::of_model_type(families, model_type, &json, &config_path)?, json, is_text_part)
            }
        };
        refused_weights::check_quantisation(&json, &config_path)?;
        let generation = read_json_if_there(&path.join("generation_config.json"))?;
        let SettledConfig { json: settled, notes } = settled_config::settle(&architecture, &json, &config_path)?;
        let config = config_reader::read_json(&architecture, &settled, generation.as_ref(), &config_path)?;
        let weights = ShardedWeights::open(path).map_err(|error| match error {
            CheckpointError::NotACheckpoint { .. } => refused_weights::check_adapter(path).err().unwrap_or(error),
            error => error,
        })?;
        let factored = Factored::of_config(&json, &config_path)?;
        if let Some(factored) = &factored {
            factored.check(&architecture, &config, &config_path)?;
        }
        let mut opened = Self {
            path: path.to_owned(),
            architecture,
            config,
            convention: Convention::HuggingFace,
            factored,
            weights: Box::new(weights),
            is_text_part,
            settled: None,
            hashes: OnceLock::new(),
            notes,
        };
        let mut settled = settled;
        if opened.has_own_head()? {
            settled["tie_word_embeddings"] = false.into();
        }
        if !opened.notes.is_empty() {
            settled_config::say_twice(&opened.architecture, &mut settled);
            opened.settled = Some(text_model::put_back(&whole, settled));
        }
        opened.note_wrapper()?;
        Ok(opened)
    }

    /// Whether the head is another than the embedding, though config.json ties them.
    fn has_own_head(&mut self) -> Result<bool> {
        if !self.config.tied_head || !tied_head::differs(self.tensors())? {
            return Ok(false);
        }
        self.config.tied_head = false;
        self.notes.push(format!(
            "{}: tie_word_embeddings is true, but the weights have a head of their own that differs from the \
             embedding: it is used, as in transformers 5",
            self.path.join("config.json").display()
        ));
        Ok(true)
    }

    fn note_wrapper(&mut self) -> Result<()> {
        let embedding = self.layout(ParamId::of(ParamKind::Embedding))?.tensor;
        if let (_, Some(wrapper)) = Convention::without_wrapper(&embedding) {
            self.notes.push(format!(
                "{}: names of tensors start with {wrapper:?}, which transformers does not read: `laser apply` \
                 leaves it out",
                self.weights.listing().display()
            ));
        }
        Ok(())
    }

    fn open_gguf(path: &Path, architecture: Option<Architecture>) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension == "safetensors" || extension == "json") {
            let why = "it is one file of a folder: give the folder".to_owned();
            return Err(CheckpointError::NotACheckpoint { path: path.to_owned(), why });
        }
        let gguf = Gguf::open(path)?;
        let arch = gguf.text("general.architecture").ok_or_else(|| CheckpointError::Damaged {
            path: path.to_owned(),
            why: "general.architecture is missing".to_owned(),
        })?;
        let architecture = match architecture {
            Some(own) => own,
            None => Architecture::of_gguf(arch, path, |key| {
                gguf.entry(key).and_then(|value| value.to_json().as_u64()).is_some_and(|count| count > 0)
            })?,
        };
        if gguf.names().is_empty() {
            let why = "it holds a vocabulary and no tensors: give the file that has the model's weights".to_owned();
            return Err(CheckpointError::NotACheckpoint { path: path.to_owned(), why });
        }
        let config = config_reader::read_gguf(&architecture, &gguf, arch)?;
        Ok(Self {
            path: path.to_owned(),
            architecture,
            config,
            convention: Convention::Gguf,
            factored: None,
            weights: Box::new(gguf),
            is_text_part: false,
            settled: None,
            hashes: OnceLock::new(),
            notes: Vec::new(),
        })
    }

    /// What was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a user should know of how the checkpoint was read: a line for each contradiction that
    /// was settled, and one for tensors that are left out.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The config.json that gives every reader the model that was opened, if the source's own one
    /// contradicts itself.
    pub fn settled_config(&self) -> Option<&Value> {
        self.settled.as_ref()
    }

    /// Whether this is the text model of one that takes images or sound, too.
    pub fn is_text_part(&self) -> bool {
        self.is_text_part
    }

    /// The hyper-parameters.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The model's family.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// What the weights' own file says of the model under these keys: a GGUF file's metadata. `None`
    /// for a Hugging Face folder, which has files for that.
    ///
    /// # Errors
    /// An array's bytes contradict the format.
    pub fn metadata(&self, keys: &[&str]) -> Result<Option<Map<String, Value>>> {
        self.weights.metadata(keys)
    }

    pub(crate) fn hashes(&self) -> &OnceLock<Vec<FileHash>> {
        &self.hashes
    }

    pub(crate) fn weights(&self) -> &dyn WeightFile {
        &*self.weights
    }

    /// How the tensors are named and stored.
    pub fn convention(&self) -> Convention {
        self.convention
    }

    /// Where a tensor lies in this checkpoint's own format.
    ///
    /// # Errors
    /// The format has no name for it.
    pub fn layout(&self, param: ParamId) -> Result<StorageLayout> {
        self.tensors().layout(param)
    }

    pub(crate) fn tensors(&self) -> TensorFinder<'_> {
        TensorFinder {
            architecture: &self.architecture,
            config: &self.config,
            convention: self.convention,
            weights: &*self.weights,
            factored: self.factored.as_ref(),
        }
    }

    /// The tensor of this name, as it is stored.
    ///
    /// # Errors
    /// There is none.
    pub fn stored(&self, name: &str) -> Result<StoredTensor<'_>> {
        self.weights.tensor(name).ok_or_else(|| CheckpointError::MissingTensor {
            tensor: name.to_owned(),
            path: self.weights.listing().to_owned(),
        })
    }

    /// The rank of a matrix that is stored as two thin ones.
    pub fn thin_rank(&self, param: ParamId) -> Option<usize> {
        self.tensors().thin(param).map(|names| names.rank)
    }

    /// How a tensor of the model is stored.
    ///
    /// # Errors
    /// The format has no place for it.
    pub fn stored_precision(&self, param: ParamId) -> Result<Precision> {
        match self.tensors().thin(param) {
            Some(names) => self.stored(&names.inner)?.precision(),
            None => self.stored(&self.layout(param)?.tensor)?.precision(),
        }
    }
}

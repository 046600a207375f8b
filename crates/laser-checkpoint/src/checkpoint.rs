//! A model's weights on disk, checked as a whole when opened and then read one tensor at a time.

use std::path::{Path, PathBuf};

use laser_linalg::Matrix;
use serde_json::Value;

use crate::{
    Architecture, CheckpointError, Config, FileHash, MatrixKind, Precision, Result, TokenizerSource,
    files::{read_json, read_json_if_there},
    gguf::Gguf,
    role::{Naming, Role, from_interleaved},
    safetensors_files::SafetensorsFiles,
    tokenizer_source,
};

/// An open checkpoint: a Hugging Face folder or a GGUF file. Opening it checks that every tensor is there, in the right shape and
/// in a type that can be read; the values are read, and checked to be finite, only when asked for.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    architecture: Architecture,
    config: Config,
    pub(crate) weights: Weights,
}

/// Where the weights are.
#[derive(Debug)]
pub(crate) enum Weights {
    HuggingFace(SafetensorsFiles),
    Gguf(Gguf),
}

/// A tensor as it is stored.
struct Stored<'a> {
    shape: &'a [usize],
    /// Or the name of a type that is not read.
    precision: std::result::Result<Precision, String>,
    path: &'a Path,
    bytes: &'a [u8],
}

impl Checkpoint {
    /// Opens the folder or the `.gguf` file at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|cause| CheckpointError::Io {
            action: "open",
            path: path.to_owned(),
            cause,
        })?;
        let checkpoint = if metadata.is_dir() { Self::open_folder(path)? } else { Self::open_gguf(path)? };
        checkpoint.check_tensors()?;
        Ok(checkpoint)
    }

    fn open_folder(path: &Path) -> Result<Self> {
        let config_path = path.join("config.json");
        if !config_path.is_file() {
            let why = "it has no config.json: give a folder in Hugging Face layout or a .gguf file".to_owned();
            return Err(CheckpointError::NotACheckpoint { path: path.to_owned(), why });
        }
        let json = read_json(&config_path)?;
        let model_type = json.get("model_type").and_then(Value::as_str).ok_or_else(|| CheckpointError::Config {
            path: config_path.clone(),
            key: "model_type".to_owned(),
            why: "it is missing".to_owned(),
        })?;
        let architecture = Architecture::of_model_type(model_type, &config_path)?;
        let generation = read_json_if_there(&path.join("generation_config.json"))?;
        let config = Config::from_json(&architecture, &json, generation.as_ref(), &config_path)?;
        let weights = Weights::HuggingFace(SafetensorsFiles::open(path)?);
        Ok(Self { path: path.to_owned(), architecture, config, weights })
    }

    fn open_gguf(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension == "safetensors" || extension == "json") {
            let why = "it is one file of a folder: give the folder".to_owned();
            return Err(CheckpointError::NotACheckpoint { path: path.to_owned(), why });
        }
        let gguf = Gguf::open(path)?;
        let arch = gguf.text("general.architecture").ok_or_else(|| CheckpointError::Damaged {
            path: path.to_owned(),
            why: "general.architecture is missing".to_owned(),
        })?;
        let architecture = Architecture::of_gguf(arch, path)?;
        let config = Config::from_gguf(&architecture, &gguf, arch)?;
        Ok(Self { path: path.to_owned(), architecture, config, weights: Weights::Gguf(gguf) })
    }

    fn check_tensors(&self) -> Result<()> {
        for role in Role::all(&self.config) {
            let name = self.name(role);
            let stored = self.stored(&name)?;
            let expected = role.shape(&self.config);
            if stored.shape != expected {
                let (path, found) = (stored.path.to_owned(), stored.shape.to_vec());
                return Err(CheckpointError::WrongShape { tensor: name, path, expected, found });
            }
            if let Err(found) = stored.precision {
                return Err(CheckpointError::UnknownTensorType { tensor: name, path: stored.path.to_owned(), found });
            }
        }
        Ok(())
    }

    /// What was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The hyper-parameters.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The model's family.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Token embeddings, `[vocab_size, hidden_size]`.
    pub fn embedding(&self) -> Result<Matrix> {
        self.read_matrix(Role::Embedding)
    }

    /// The head, `[vocab_size, hidden_size]`; `None` where it is the embedding.
    pub fn head(&self) -> Result<Option<Matrix>> {
        (!self.config.tied_head).then(|| self.read_matrix(Role::Head)).transpose()
    }

    /// Weight of the normalisation before the head, `[hidden_size]`.
    pub fn final_norm(&self) -> Result<Vec<f32>> {
        self.read(Role::FinalNorm)
    }

    /// Weight of the normalisation before a layer's attention, `[hidden_size]`.
    pub fn attention_norm(&self, layer: usize) -> Result<Vec<f32>> {
        self.read(Role::AttentionNorm(layer))
    }

    /// Weight of the normalisation before a layer's MLP, `[hidden_size]`.
    pub fn mlp_norm(&self, layer: usize) -> Result<Vec<f32>> {
        self.read(Role::MlpNorm(layer))
    }

    /// A weight matrix, `[outputs, inputs]`, its rows in Hugging Face's order.
    pub fn matrix(&self, layer: usize, kind: MatrixKind) -> Result<Matrix> {
        self.read_matrix(Role::Matrix(layer, kind))
    }

    /// A matrix's bias, `[outputs]`, where the family has one.
    pub fn bias(&self, layer: usize, kind: MatrixKind) -> Result<Option<Vec<f32>>> {
        self.config.has_bias(kind).then(|| self.read(Role::Bias(layer, kind))).transpose()
    }

    /// How a matrix is stored.
    pub fn precision(&self, layer: usize, kind: MatrixKind) -> Result<Precision> {
        self.stored_precision(Role::Matrix(layer, kind))
    }

    /// Where the tokenizer is. A folder's tokenizer.json goes before anything else.
    pub fn tokenizer_source(&self) -> Result<TokenizerSource> {
        tokenizer_source::find(&self.path, &self.weights)
    }

    /// Hashes of the files that make the model: configuration, weights, tokenizer. Reads every byte of them.
    pub fn fingerprint(&self) -> Result<Vec<FileHash>> {
        let mut paths = match &self.weights {
            Weights::Gguf(_) => vec![self.path.clone()],
            Weights::HuggingFace(files) => {
                let small =
                    ["config.json", "generation_config.json"].into_iter().chain(tokenizer_source::TOKENIZER_FILES);
                let small = small.map(|name| self.path.join(name)).filter(|path| path.is_file());
                small.chain(files.paths().into_iter().map(Path::to_owned)).collect()
            }
        };
        paths.sort();
        paths.iter().map(|path| FileHash::of(path)).collect()
    }

    /// The tensor's name in this checkpoint's own format.
    fn name(&self, role: Role) -> String {
        let naming = match self.weights {
            Weights::HuggingFace(_) => Naming::HuggingFace,
            Weights::Gguf(_) => Naming::Gguf,
        };
        role.name(&self.architecture, naming)
    }

    fn stored(&self, name: &str) -> Result<Stored<'_>> {
        let (found, path) = match &self.weights {
            Weights::HuggingFace(files) => {
                let found = files.tensor(name).map(|tensor| Stored {
                    shape: &tensor.shape,
                    precision: Precision::from_safetensors(tensor.dtype).ok_or_else(|| format!("{:?}", tensor.dtype)),
                    path: files.path(tensor),
                    bytes: files.bytes(tensor),
                });
                (found, files.listing())
            }
            Weights::Gguf(gguf) => {
                let found = gguf.tensor(name).map(|tensor| Stored {
                    shape: &tensor.shape,
                    precision: Ok(tensor.precision),
                    path: gguf.path(),
                    bytes: gguf.bytes(tensor),
                });
                (found, gguf.path())
            }
        };
        found.ok_or_else(|| CheckpointError::MissingTensor { tensor: name.to_owned(), path: path.to_owned() })
    }

    pub(crate) fn stored_precision(&self, role: Role) -> Result<Precision> {
        self.check_layer(role)?;
        let name = self.name(role);
        let stored = self.stored(&name)?;
        stored.precision.map_err(|found| CheckpointError::UnknownTensorType {
            tensor: name,
            path: stored.path.to_owned(),
            found,
        })
    }

    /// The tensor's values as float32, row-major, rows in Hugging Face's order.
    pub(crate) fn read(&self, role: Role) -> Result<Vec<f32>> {
        let precision = self.stored_precision(role)?;
        let name = self.name(role);
        let stored = self.stored(&name)?;
        let values = precision.decode(stored.bytes);
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(CheckpointError::NotFinite { tensor: name, path: stored.path.to_owned(), index });
        }
        match (&self.weights, role.interleaved_heads(&self.architecture, &self.config)) {
            (Weights::Gguf(_), Some(heads)) => {
                let width = stored.shape.get(1).copied().unwrap_or(1);
                Ok(from_interleaved(&values, heads, width))
            }
            _ => Ok(values),
        }
    }

    pub(crate) fn read_matrix(&self, role: Role) -> Result<Matrix> {
        let values = self.read(role)?;
        let shape = role.shape(&self.config);
        let (found, expected) = (vec![values.len()], shape.clone());
        Matrix::new(shape[0], shape[1], values).map_err(|_| CheckpointError::WrongShape {
            tensor: self.name(role),
            path: self.path.clone(),
            expected,
            found,
        })
    }

    fn check_layer(&self, role: Role) -> Result<()> {
        match role {
            Role::AttentionNorm(layer) | Role::MlpNorm(layer) | Role::Matrix(layer, _) | Role::Bias(layer, _)
                if layer >= self.config.layers =>
            {
                let layer = i64::try_from(layer).unwrap_or(i64::MAX);
                Err(CheckpointError::LayerOutOfRange { layer, count: self.config.layers })
            }
            _ => Ok(()),
        }
    }
}

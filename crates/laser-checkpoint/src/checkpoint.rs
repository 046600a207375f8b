//! A model's weights on disk, checked as a whole when opened and then read one tensor at a time.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use laser_linalg::product;
use laser_matrix::Matrix;
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
use laser_edit::MatrixId;

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
    /// config.json without its contradictions, if it has any.
    settled: Option<Value>,
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
        let (architecture, json) = match architecture {
            Some(own) => (own, whole.clone()),
            None => {
                let families = Architecture::embedded()?;
                let is_known = |name: &str| families.iter().any(|family| family.model_type == name);
                let json = text_model::text_config(&whole, is_known).unwrap_or_else(|| whole.clone());
                let missing = || CheckpointError::Config {
                    path: config_path.clone(),
                    key: "model_type".to_owned(),
                    why: "it is missing".to_owned(),
                };
                let model_type = json.get("model_type").and_then(Value::as_str).ok_or_else(missing)?;
                (Architecture::of_model_type(families, model_type, &json, &config_path)?, json)
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
        let mut opened = Self {
            path: path.to_owned(),
            architecture,
            config,
            convention: Convention::HuggingFace,
            factored: Factored::of_config(&json, &config_path)?,
            weights: Box::new(weights),
            settled: None,
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
            settled: None,
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

    /// The hyper-parameters.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The model's family.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The embedding, learned positions, token types, a masked model's dense head transformation or
    /// the head, as `[rows, cols]`; `None` where the model has no such tensor. A head that is the
    /// embedding is not a tensor of its own.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn table(&self, kind: ParamKind) -> Result<Option<Matrix>> {
        let there = !kind.is_in_layer() && self.config.has_weight(&self.architecture, kind);
        there.then(|| self.read_matrix(ParamId::of(kind))).transpose()
    }

    /// A norm's weight, `[width]`, with what the family adds to it; `None` if the model has none.
    /// `layer` is 0 for the norms that are in no layer.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn norm(&self, kind: ParamKind, layer: usize) -> Result<Option<Vec<f32>>> {
        let there = kind.is_norm() && self.config.has_weight(&self.architecture, kind);
        there.then(|| self.read(ParamId::in_layer(kind, layer))).transpose()
    }

    /// The bias that goes with a kind's weight, `[outputs]` (of a norm `[width]`); `None` if it has
    /// none.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn bias(&self, kind: ParamKind, layer: usize, expert: Option<usize>) -> Result<Option<Vec<f32>>> {
        let param = ParamId { expert: expert.unwrap_or(0), ..ParamId::in_layer(kind, layer) };
        self.config.has_bias(kind).then(|| self.read(param.bias())).transpose()
    }

    /// A mixture's router, `[experts, hidden]`.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn router(&self, layer: usize) -> Result<Matrix> {
        self.read_matrix(ParamId::in_layer(ParamKind::Router, layer))
    }

    /// A matrix of the expert that every token goes through, or what weighs its output,
    /// `[outputs, inputs]`; `None` if the model has none.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn shared_expert(&self, kind: ParamKind, layer: usize) -> Result<Option<Matrix>> {
        let there = kind.is_shared_expert() && self.config.has(kind);
        there.then(|| self.read_matrix(ParamId::in_layer(kind, layer))).transpose()
    }

    /// A weight matrix, `[outputs, inputs]`, its rows in Hugging Face's order. In a mixture
    /// `matrix` names the expert.
    ///
    /// # Errors
    /// There is no such matrix or layer, the file contradicts itself, or a value is not finite.
    pub fn matrix(&self, layer: usize, matrix: impl Into<MatrixId>) -> Result<Matrix> {
        let matrix = matrix.into();
        matrix.check(&self.config)?;
        self.read_matrix(ParamId::of_matrix(layer, matrix))
    }

    /// Some rows of a weight matrix, row-major: what [`matrix`](Self::matrix) has there.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix).
    pub fn matrix_rows(&self, layer: usize, matrix: MatrixId, rows: Range<usize>) -> Result<Vec<f32>> {
        matrix.check(&self.config)?;
        let param = ParamId::of_matrix(layer, matrix);
        self.check_layer(param)?;
        if self.tensors().thin(param).is_some() {
            let [all, cols] = self.config.matrix_shape(matrix.kind);
            return Ok(self.read(param)?[rows.start.min(all) * cols..rows.end.min(all) * cols].to_vec());
        }
        let layout = self.layout(param)?;
        let [all, cols] = self.config.matrix_shape(matrix.kind);
        let rows = rows.start.min(all)..rows.end.min(all);
        if layout.transposed {
            return Ok(self.read(param)?[rows.start * cols..rows.end * cols].to_vec());
        }
        let precision = self.stored_precision(param)?;
        let stored = self.stored(&layout.tensor)?;
        let bytes = stored.bytes();
        let row_bytes = bytes.len().checked_div(layout.stored_rows()).unwrap_or(0);
        let decode =
            |first: usize, count: usize| precision.decode(&bytes[first * row_bytes..(first + count) * row_bytes]);
        let values = match &layout.order {
            None => decode(layout.rows.start + rows.start, rows.len()),
            Some(order) => order[rows.clone()].iter().flat_map(|row| decode(layout.rows.start + row, 1)).collect(),
        };
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(index) => Err(CheckpointError::NotFinite {
                tensor: layout.tensor,
                path: stored.path().to_owned(),
                index: rows.start * cols + index,
            }),
        }
    }

    /// What the weights' own file says of the model under these keys: a GGUF file's metadata. `None`
    /// for a Hugging Face folder, which has files for that.
    ///
    /// # Errors
    /// An array's bytes contradict the format.
    pub fn metadata(&self, keys: &[&str]) -> Result<Option<Map<String, Value>>> {
        self.weights.metadata(keys)
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

    /// The tensor's values as float32, row-major, rows in Hugging Face's order. A norm's weights
    /// include what the family adds to them.
    ///
    /// # Errors
    /// There is no such layer, the file contradicts itself, or a value is not finite.
    pub fn read(&self, param: ParamId) -> Result<Vec<f32>> {
        self.check_layer(param)?;
        if let Some(factors) = self.factors_of(param)? {
            return Ok(product(&factors).into_data());
        }
        let precision = self.stored_precision(param)?;
        let layout = self.layout(param)?;
        let stored = self.stored(&layout.tensor)?;
        // The bytes of the rows that are needed: rows are never cut within a block of a quantised
        // type, but a vector may be.
        let is_vector = layout.shape.len() == 1;
        let bytes = stored.bytes();
        let row_bytes = bytes.len().checked_div(layout.stored_rows()).unwrap_or(0);
        let range = layout.rows.start * row_bytes..layout.rows.end * row_bytes;
        let whole = layout.transposed || is_vector;
        let mut values = precision.decode(if whole { &bytes } else { &bytes[range] });
        if is_vector {
            values = values.get(layout.rows.clone()).map(<[f32]>::to_vec).unwrap_or_default();
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let first = if layout.transposed { 0 } else { layout.rows.start * layout.cols() };
            return Err(CheckpointError::NotFinite {
                tensor: layout.tensor,
                path: stored.path().to_owned(),
                index: first + index,
            });
        }
        let mut values = layout.extract(values);
        let offset = self.convention.norm_offset(&self.architecture);
        if offset != 0.0 && param.kind.is_norm() && !param.is_bias {
            values.iter_mut().for_each(|value| *value += offset);
        }
        Ok(values)
    }

    /// The same of a matrix, `[outputs, inputs]`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_matrix(&self, param: ParamId) -> Result<Matrix> {
        let values = self.read(param)?;
        let shape = param.shape(&self.architecture, &self.config);
        let (found, expected) = (vec![values.len()], shape.clone());
        Matrix::new(shape[0], shape[1], values).map_err(|_| CheckpointError::WrongShape {
            tensor: param.kind.to_string(),
            path: self.path.clone(),
            expected,
            found,
        })
    }

    pub(crate) fn check_layer(&self, param: ParamId) -> Result<()> {
        if param.layer < self.config.layers {
            return Ok(());
        }
        let layer = i64::try_from(param.layer).unwrap_or(i64::MAX);
        Err(CheckpointError::LayerOutOfRange { layer, count: self.config.layers })
    }
}

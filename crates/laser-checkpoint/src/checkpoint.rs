//! A model's weights on disk, checked as a whole when opened and then read one tensor at a time.

use std::{
    borrow::Cow,
    collections::HashSet,
    ops::Range,
    path::{Path, PathBuf},
};

use laser_linalg::Matrix;
use serde_json::{Map, Value};

use crate::{
    Architecture, CheckpointError, Config, FileHash, MatrixId, MatrixKind, Precision, Result,
    files::{read_json, read_json_if_there},
    folder_files::FolderFiles,
    gguf::Gguf,
    placement::{Naming, Placement},
    role::{Role, Slot},
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

/// The files of a folder that make the model, beside its weights.
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

/// Where the weights are.
#[derive(Debug)]
pub(crate) enum Weights {
    HuggingFace(FolderFiles),
    Gguf(Gguf),
}

/// A tensor as it is stored.
struct Stored<'a> {
    shape: &'a [usize],
    /// Or the name of a type that is not read.
    precision: std::result::Result<Precision, String>,
    path: &'a Path,
    bytes: Cow<'a, [u8]>,
}

impl Checkpoint {
    /// Opens the folder or the `.gguf` file at `path`, whose family is the one that it names itself.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_as(path, None)
    }

    /// Opens what is at `path` by a table of the caller's own.
    pub fn open_as(path: &Path, architecture: Option<Architecture>) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|cause| CheckpointError::Io {
            action: "open",
            path: path.to_owned(),
            cause,
        })?;
        let checkpoint = if metadata.is_dir() {
            Self::open_folder(path, architecture)?
        } else {
            Self::open_gguf(path, architecture)?
        };
        checkpoint.check_tensors()?;
        Ok(checkpoint)
    }

    fn open_folder(path: &Path, architecture: Option<Architecture>) -> Result<Self> {
        let config_path = path.join("config.json");
        if !config_path.is_file() {
            let why = "it has no config.json: give a folder in Hugging Face layout or a .gguf file".to_owned();
            return Err(CheckpointError::NotACheckpoint { path: path.to_owned(), why });
        }
        let json = read_json(&config_path)?;
        let architecture = match architecture {
            Some(own) => own,
            None => {
                let missing = || CheckpointError::Config {
                    path: config_path.clone(),
                    key: "model_type".to_owned(),
                    why: "it is missing".to_owned(),
                };
                let model_type = json.get("model_type").and_then(Value::as_str).ok_or_else(missing)?;
                Architecture::of_model_type(model_type, &config_path)?
            }
        };
        let generation = read_json_if_there(&path.join("generation_config.json"))?;
        let config = Config::from_json(&architecture, &json, generation.as_ref(), &config_path)?;
        let weights = Weights::HuggingFace(FolderFiles::open(path)?);
        Ok(Self { path: path.to_owned(), architecture, config, weights })
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
                gguf.metadata(key).and_then(|value| value.to_json().as_u64()).is_some_and(|count| count > 0)
            })?,
        };
        let config = Config::from_gguf(&architecture, &gguf, arch)?;
        Ok(Self { path: path.to_owned(), architecture, config, weights: Weights::Gguf(gguf) })
    }

    fn check_tensors(&self) -> Result<()> {
        let mut known = HashSet::new();
        for role in Role::all(&self.architecture, &self.config) {
            let place = self.place(role)?;
            let stored = self.stored(&place.tensor)?;
            if stored.shape != place.shape {
                return Err(CheckpointError::WrongShape {
                    tensor: place.tensor,
                    path: stored.path.to_owned(),
                    expected: place.shape,
                    found: stored.shape.to_vec(),
                });
            }
            if let Err(found) = stored.precision {
                let path = stored.path.to_owned();
                return Err(CheckpointError::UnknownTensorType { tensor: place.tensor, path, found });
            }
            known.insert(place.tensor);
        }
        self.check_unknown(&known)
    }

    /// Refuses a tensor in a layer that the family does not have: what it does would be left out.
    fn check_unknown(&self, known: &HashSet<String>) -> Result<()> {
        /// Tables and masks that older files keep beside the weights.
        const BUFFERS: [&str; 5] = ["inv_freq", "attn.bias", "attention.bias", "masked_bias", "position_ids"];
        let (names, path): (Vec<&str>, &Path) = match &self.weights {
            Weights::HuggingFace(files) => (files.names().collect(), files.listing()),
            Weights::Gguf(gguf) => (gguf.tensors().iter().map(|tensor| tensor.name.as_str()).collect(), gguf.path()),
        };
        let query = Slot::Matrix(MatrixKind::QProj);
        let first = self.place(Role::in_layer(query, 0))?.tensor;
        let Some(start) = first.find(".0.").map(|dot| &first[..=dot]) else { return Ok(()) };
        for name in names {
            let rest = name.strip_prefix(start).and_then(|rest| rest.split_once('.'));
            let in_layer =
                rest.and_then(|(layer, _)| layer.parse().ok()).is_some_and(|layer: usize| layer < self.config.layers);
            if in_layer && !known.contains(name) && !BUFFERS.iter().any(|end| name.ends_with(end)) {
                return Err(CheckpointError::Unsupported {
                    path: path.to_owned(),
                    key: format!("tensor {name:?}"),
                    found: "there".to_owned(),
                    why: format!(
                        "the family {} has no such tensor, and it would be left out",
                        self.architecture.family
                    ),
                });
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

    /// The embedding, learned positions, token types, a masked model's dense head transformation or the head, as
    /// `[rows, cols]`; `None` where the model has no such tensor. A head that is the embedding is no tensor of its own.
    pub fn table(&self, slot: Slot) -> Result<Option<Matrix>> {
        let there = !slot.is_in_layer() && self.config.has_weight(&self.architecture, slot);
        there.then(|| self.read_matrix(Role::of(slot))).transpose()
    }

    /// A norm's weight, with what the family adds to it; `None` where the model has none. `layer` is 0 for the norms that
    /// are in no layer.
    pub fn norm(&self, slot: Slot, layer: usize) -> Result<Option<Vec<f32>>> {
        let there = slot.is_norm() && self.config.has_weight(&self.architecture, slot);
        there.then(|| self.read(Role::in_layer(slot, layer))).transpose()
    }

    /// The bias that goes with a slot's weight, where it has one.
    pub fn bias(&self, slot: Slot, layer: usize, expert: Option<usize>) -> Result<Option<Vec<f32>>> {
        let role = Role { expert: expert.unwrap_or(0), ..Role::in_layer(slot, layer) };
        self.config.has_bias(slot).then(|| self.read(role.bias())).transpose()
    }

    /// A mixture's router, `[experts, hidden]`.
    pub fn router(&self, layer: usize) -> Result<Matrix> {
        self.read_matrix(Role::in_layer(Slot::Router, layer))
    }

    /// A weight matrix, `[outputs, inputs]`, its rows in Hugging Face's order. In a mixture `matrix` names the expert.
    pub fn matrix(&self, layer: usize, matrix: impl Into<MatrixId>) -> Result<Matrix> {
        let matrix = matrix.into();
        matrix.check(&self.config)?;
        self.read_matrix(Role::of_matrix(layer, matrix))
    }

    /// Some rows of a weight matrix, row-major: what [`matrix`](Self::matrix) has there.
    pub fn matrix_rows(&self, layer: usize, matrix: MatrixId, rows: Range<usize>) -> Result<Vec<f32>> {
        matrix.check(&self.config)?;
        let role = Role::of_matrix(layer, matrix);
        self.check_layer(role)?;
        let place = self.place(role)?;
        let [all, cols] = matrix.kind.shape(&self.config);
        let rows = rows.start.min(all)..rows.end.min(all);
        if place.transposed {
            return Ok(self.read(role)?[rows.start * cols..rows.end * cols].to_vec());
        }
        let precision = self.stored_precision(role)?;
        let stored = self.stored(&place.tensor)?;
        let row_bytes = stored.bytes.len().checked_div(place.stored_rows()).unwrap_or(0);
        let decode = |first: usize, count: usize| {
            precision.decode(&stored.bytes[first * row_bytes..(first + count) * row_bytes])
        };
        let values = match &place.order {
            None => decode(place.rows.start + rows.start, rows.len()),
            Some(order) => order[rows.clone()].iter().flat_map(|row| decode(place.rows.start + row, 1)).collect(),
        };
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(index) => Err(CheckpointError::NotFinite {
                tensor: place.tensor,
                path: stored.path.to_owned(),
                index: rows.start * cols + index,
            }),
        }
    }

    /// How a matrix is stored.
    pub fn precision(&self, layer: usize, matrix: impl Into<MatrixId>) -> Result<Precision> {
        let matrix = matrix.into();
        matrix.check(&self.config)?;
        let role = Role::of_matrix(layer, matrix);
        self.check_layer(role)?;
        self.stored_precision(role)
    }

    /// What the weights' own file says of the model in the keys that start with `prefix`, such as
    /// `tokenizer.`: a GGUF file's metadata. `None` for a Hugging Face folder, which has files for that.
    ///
    /// # Errors
    /// An array's bytes contradict the format.
    pub fn metadata(&self, prefix: &str) -> Result<Option<Map<String, Value>>> {
        match &self.weights {
            Weights::HuggingFace(_) => Ok(None),
            Weights::Gguf(gguf) => gguf.metadata_under(prefix).map(Some),
        }
    }

    /// Hashes of the files that make the model: configuration, weights, tokenizer. Reads every byte of them.
    pub fn fingerprint(&self) -> Result<Vec<FileHash>> {
        let mut paths = match &self.weights {
            Weights::Gguf(_) => vec![self.path.clone()],
            Weights::HuggingFace(files) => {
                let small = COMPANIONS.into_iter().map(|name| self.path.join(name)).filter(|path| path.is_file());
                small.chain(files.paths().into_iter().map(Path::to_owned)).collect()
            }
        };
        paths.sort();
        let files = paths.iter().map(|path| crate::files::hash_file(path));
        files.chain(self.architecture.file.clone().map(Ok)).collect()
    }

    fn naming(&self) -> Naming {
        match self.weights {
            Weights::HuggingFace(_) => Naming::HuggingFace,
            Weights::Gguf(_) => Naming::Gguf,
        }
    }

    /// Where a tensor lies in this checkpoint's own format.
    pub(crate) fn place(&self, role: Role) -> Result<Placement> {
        let place = Placement::of(&self.architecture, &self.config, role, self.naming());
        let mut place = place.ok_or_else(|| CheckpointError::MissingTensor {
            tensor: format!("for {}", role.slot),
            path: self.path.clone(),
        })?;
        if let Weights::HuggingFace(files) = &self.weights {
            let found = self.names(&place.tensor).into_iter().find(|name| files.has(name));
            place.tensor = found.unwrap_or(place.tensor);
        }
        Ok(place)
    }

    /// A tensor's name, and what some files have instead.
    fn names(&self, name: &str) -> Vec<String> {
        let Architecture { synonyms, optional_prefix: prefix, .. } = &self.architecture;
        let other = synonyms.iter().find_map(|(end, other)| Some(format!("{}{other}", name.strip_suffix(end)?)));
        let mut names: Vec<String> = [Some(name.to_owned()), other].into_iter().flatten().collect();
        if !prefix.is_empty() {
            let short: Vec<String> =
                names.iter().filter_map(|name| name.strip_prefix(prefix)).map(str::to_owned).collect();
            names.extend(short);
        }
        names
    }

    fn stored(&self, name: &str) -> Result<Stored<'_>> {
        let (found, path) = match &self.weights {
            Weights::HuggingFace(files) => {
                let found = files.tensor(name).map(|tensor| Stored {
                    shape: tensor.shape,
                    precision: tensor.precision(),
                    path: tensor.path,
                    bytes: tensor.bytes,
                });
                (found, files.listing())
            }
            Weights::Gguf(gguf) => {
                let found = gguf.tensor(name).map(|tensor| Stored {
                    shape: &tensor.shape,
                    precision: Ok(tensor.precision),
                    path: gguf.path(),
                    bytes: Cow::Borrowed(gguf.bytes(tensor)),
                });
                (found, gguf.path())
            }
        };
        found.ok_or_else(|| CheckpointError::MissingTensor { tensor: name.to_owned(), path: path.to_owned() })
    }

    pub(crate) fn stored_precision(&self, role: Role) -> Result<Precision> {
        let place = self.place(role)?;
        let stored = self.stored(&place.tensor)?;
        stored.precision.map_err(|found| CheckpointError::UnknownTensorType {
            tensor: place.tensor,
            path: stored.path.to_owned(),
            found,
        })
    }

    /// The tensor's values as float32, row-major, rows in Hugging Face's order.
    pub(crate) fn read(&self, role: Role) -> Result<Vec<f32>> {
        self.check_layer(role)?;
        let precision = self.stored_precision(role)?;
        let place = self.place(role)?;
        let stored = self.stored(&place.tensor)?;
        // The bytes of the rows that are needed: rows are never cut within a block of a quantised type, but a vector may be.
        let is_vector = place.shape.len() == 1;
        let row_bytes = stored.bytes.len().checked_div(place.stored_rows()).unwrap_or(0);
        let range = place.rows.start * row_bytes..place.rows.end * row_bytes;
        let whole = place.transposed || is_vector;
        let mut values = precision.decode(if whole { &stored.bytes } else { &stored.bytes[range] });
        if is_vector {
            values = values.get(place.rows.clone()).map(<[f32]>::to_vec).unwrap_or_default();
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let first = if place.transposed { 0 } else { place.rows.start * place.cols() };
            return Err(CheckpointError::NotFinite {
                tensor: place.tensor,
                path: stored.path.to_owned(),
                index: first + index,
            });
        }
        let mut values = place.extract(values);
        let offset = self.architecture.block.norm_offset;
        if offset != 0.0 && role.slot.is_norm() && !role.is_bias && self.naming() == Naming::HuggingFace {
            values.iter_mut().for_each(|value| *value += offset);
        }
        Ok(values)
    }

    pub(crate) fn read_matrix(&self, role: Role) -> Result<Matrix> {
        let values = self.read(role)?;
        let shape = role.shape(&self.architecture, &self.config);
        let (found, expected) = (vec![values.len()], shape.clone());
        Matrix::new(shape[0], shape[1], values).map_err(|_| CheckpointError::WrongShape {
            tensor: role.slot.to_string(),
            path: self.path.clone(),
            expected,
            found,
        })
    }

    fn check_layer(&self, role: Role) -> Result<()> {
        if role.layer < self.config.layers {
            return Ok(());
        }
        let layer = i64::try_from(role.layer).unwrap_or(i64::MAX);
        Err(CheckpointError::LayerOutOfRange { layer, count: self.config.layers })
    }
}

//! Writing an edited model as a Hugging Face folder, one tensor in memory at a time.

use std::{borrow::Cow, collections::HashMap, fs, io, path::Path};

use laser_linalg::{Decompose, DecomposedMatrix, Matrix, dense};
use safetensors::{Dtype, tensor::TensorInfo};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    Checkpoint, CheckpointError, Intervention, MatrixId, Precision, Result,
    checkpoint::Weights,
    placement::{Naming, Placement},
    role::{Role, Slot},
    safetensors_file::{INDEX, SINGLE},
    staging::{RECORD, Staging},
};

/// Files of a source folder above this length are no part of the configuration or the tokenizer.
const LARGEST_SMALL_FILE: u64 = 1 << 28;

/// How to write.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// Replace a folder that an earlier run wrote.
    pub force: bool,
    /// Further files, by name: the tokenizer of a GGUF source, for one. They go before the source's own of the same name.
    pub extra: Vec<(String, Vec<u8>)>,
    /// Further entries of laser.json.
    pub record: Map<String, Value>,
    /// The largest shard, in bytes of tensors; transformers' own default is 5 GB.
    pub shard_bytes: u64,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { force: false, extra: Vec::new(), record: Map::new(), shard_bytes: 5_000_000_000 }
    }
}

/// What an edit did to its matrix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EditRecord {
    /// The edit.
    #[serde(flatten)]
    pub intervention: Intervention,
    /// Rows and columns of the matrix.
    pub shape: [usize; 2],
    /// The rank that was kept, where the edit keeps one.
    pub kept_rank: Option<usize>,
    /// Frobenius norm of the change, relative to the matrix's own.
    pub relative_error: f64,
}

/// A tensor to be written; its values are made when its turn comes.
struct Planned {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: usize,
    content: Content,
}

enum Content {
    /// As it is in the source's own file; what the model reads of it is checked to be readable first.
    Copy(Vec<Role>),
    /// Put together from what the model reads, edited where there are edits, and rounded to this type.
    Made(Vec<Part>, Precision),
}

/// A tensor of the model, its place in the tensor to be written, and what is done to it.
struct Part {
    role: Role,
    place: Placement,
    edit: Option<Intervention>,
}

/// Writes the checkpoint with `edits` applied to a new folder at `out`, and gives what each edit did.
///
/// The folder has config.json, the weights (in the source's types; f16 for a quantised source), the source's other small files,
/// `options.extra`, and laser.json: the program's version, hashes of the source's files and the edits. It appears complete or not at all.
pub fn write_huggingface(
    checkpoint: &Checkpoint,
    edits: &[Intervention],
    out: &Path,
    options: &WriteOptions,
) -> Result<Vec<EditRecord>> {
    let edits = Intervention::combine(edits.iter().cloned())?;
    for edit in &edits {
        edit.check(checkpoint.config())?;
    }
    check_names(&options.extra, out)?;
    let staging = Staging::begin(out, checkpoint.path(), options.force)?;
    let planned = plan(checkpoint, &edits)?;
    write_small_files(checkpoint, &planned, &staging, options)?;
    let records = write_weights(checkpoint, planned, &staging, options.shard_bytes)?;

    let mut record = options.record.clone();
    record.insert("program".to_owned(), json!({ "name": "laser", "version": env!("CARGO_PKG_VERSION") }));
    let source = json!({ "path": checkpoint.path().to_string_lossy(), "files": checkpoint.fingerprint()? });
    record.insert("source".to_owned(), source);
    record.insert("interventions".to_owned(), json!(records));
    write_json(&staging, RECORD, &Value::Object(record))?;
    staging.finish()?;
    Ok(records)
}

fn check_names(extra: &[(String, Vec<u8>)], out: &Path) -> Result<()> {
    for (name, _) in extra {
        let is_plain = Path::new(name).file_name() == Some(name.as_ref());
        if !is_plain || is_weights(name) || name == RECORD {
            let why = format!("{name:?} is no name for a further file");
            return Err(CheckpointError::Refused { path: out.to_owned(), why });
        }
    }
    Ok(())
}

/// Weights of any format, which the written ones take the place of.
fn is_weights(name: &str) -> bool {
    let endings = [
        ".safetensors",
        ".safetensors.index.json",
        ".bin",
        ".bin.index.json",
        ".pt",
        ".pth",
        ".gguf",
        ".onnx",
        ".h5",
        ".msgpack",
    ];
    endings.iter().any(|ending| name.ends_with(ending))
}

fn plan(checkpoint: &Checkpoint, edits: &[Intervention]) -> Result<Vec<Planned>> {
    let (architecture, config) = (checkpoint.architecture(), checkpoint.config());
    let edit_of = |role: Role| {
        let Slot::Matrix(kind) = role.slot else { return None };
        let own = MatrixId { kind, expert: Some(role.expert) };
        let edits = || edits.iter().filter(|edit| !role.is_bias && edit.layer == role.layer);
        edits().find(|edit| edit.matrix.overlaps(own)).map(|edit| {
            let matrix = if role.slot.is_expert(config) { own } else { edit.matrix };
            Intervention { matrix, ..edit.clone() }
        })
    };
    let roles = Role::all(architecture, config);
    // The parts of each tensor to be written, in the order in which the model reads them.
    let mut tensors: Vec<(String, Vec<Part>)> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for role in roles {
        let place = match &checkpoint.weights {
            Weights::HuggingFace(_) => Some(checkpoint.place(role)?),
            Weights::Gguf(_) => Placement::of(architecture, config, role, Naming::HuggingFace),
        };
        let Some(place) = place else { continue };
        let number = *numbers.entry(place.tensor.clone()).or_insert_with(|| {
            tensors.push((place.tensor.clone(), Vec::new()));
            tensors.len() - 1
        });
        tensors[number].1.push(Part { role, place, edit: edit_of(role) });
    }
    let made = |name: &str, parts: Vec<Part>, precision: Precision| {
        let dtype = precision.to_safetensors();
        let shape = parts.first().map(|part| part.place.shape.clone()).unwrap_or_default();
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        Planned { name: name.to_owned(), dtype, shape, bytes, content: Content::Made(parts, precision) }
    };
    let stored = |parts: &[Part]| match parts {
        [first, ..] => checkpoint.stored_precision(first.role),
        [] => Ok(Precision::F32),
    };
    match &checkpoint.weights {
        Weights::HuggingFace(files) => {
            let mut by_name: HashMap<String, Vec<Part>> = tensors.into_iter().collect();
            let plan_one = |name: &str| {
                let parts = by_name.remove(name).unwrap_or_default();
                if parts.iter().any(|part| part.edit.is_some()) {
                    let precision = stored(&parts)?;
                    return Ok(made(name, parts, precision));
                }
                let tensor = files.tensor(name).ok_or_else(|| missing(checkpoint, name))?;
                let (dtype, shape) = (tensor.dtype, tensor.shape.to_vec());
                let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
                let content = Content::Copy(parts.iter().map(|part| part.role).collect());
                Ok(Planned { name: name.to_owned(), dtype, shape, bytes, content })
            };
            files.names().map(plan_one).collect()
        }
        Weights::Gguf(gguf) => {
            let quantised = gguf.tensors().iter().any(|tensor| tensor.precision.is_quantised());
            let plan_one = |(name, parts): (String, Vec<Part>)| {
                let precision = if quantised { Precision::F16 } else { stored(&parts)? };
                Ok(made(&name, parts, precision))
            };
            tensors.into_iter().map(plan_one).collect()
        }
    }
}

fn write_weights(
    checkpoint: &Checkpoint,
    planned: Vec<Planned>,
    staging: &Staging,
    shard_bytes: u64,
) -> Result<Vec<EditRecord>> {
    let total: usize = planned.iter().map(|tensor| tensor.bytes).sum();
    let mut shards: Vec<Vec<Planned>> = Vec::new();
    let mut room = 0;
    for tensor in planned {
        let bytes = tensor.bytes as u64;
        match shards.last_mut().filter(|_| bytes <= room) {
            Some(shard) => shard.push(tensor),
            None => {
                room = shard_bytes.max(bytes);
                shards.push(vec![tensor]);
            }
        }
        room -= bytes;
    }
    let count = shards.len();
    let mut weight_map = Map::new();
    let mut records = Vec::new();
    for (index, mut shard) in shards.into_iter().enumerate() {
        let file =
            if count == 1 { SINGLE.to_owned() } else { format!("model-{:05}-of-{count:05}.safetensors", index + 1) };
        weight_map.extend(shard.iter().map(|tensor| (tensor.name.clone(), file.clone().into())));
        // The widest types first, so that every tensor is aligned to its own width.
        shard.sort_by(|a, b| b.dtype.cmp(&a.dtype).then_with(|| a.name.cmp(&b.name)));
        let failed = |cause| CheckpointError::Io { action: "write", path: staging.place_of(&file), cause };
        staging.file(&file, |to| {
            to.write_all(&header(&shard)).map_err(failed)?;
            for tensor in &shard {
                let bytes = content(checkpoint, tensor, &mut records)?;
                to.write_all(&bytes).map_err(failed)?;
            }
            Ok(())
        })?;
    }
    if count > 1 {
        write_json(staging, INDEX, &json!({ "metadata": { "total_size": total }, "weight_map": weight_map }))?;
    }
    records.sort_by_key(|record| (record.intervention.layer, record.intervention.matrix));
    Ok(records)
}

/// Length and header of a safetensors file with these tensors.
fn header(tensors: &[Planned]) -> Vec<u8> {
    let mut entries = Map::new();
    entries.insert("__metadata__".to_owned(), json!({ "format": "pt" }));
    let mut offset = 0;
    for tensor in tensors {
        let info = TensorInfo {
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
            data_offsets: (offset, offset + tensor.bytes),
        };
        entries.insert(tensor.name.clone(), json!(info));
        offset += tensor.bytes;
    }
    let mut text = Value::Object(entries).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    header
}

fn content<'a>(checkpoint: &'a Checkpoint, tensor: &Planned, records: &mut Vec<EditRecord>) -> Result<Cow<'a, [u8]>> {
    let (parts, precision) = match (&tensor.content, &checkpoint.weights) {
        (Content::Made(parts, precision), _) => (parts, *precision),
        (Content::Copy(roles), weights) => {
            for role in roles {
                checkpoint.read(*role)?;
            }
            let found = match weights {
                Weights::HuggingFace(files) => files.tensor(&tensor.name).map(|found| found.bytes),
                Weights::Gguf(_) => None,
            };
            return found.ok_or_else(|| missing(checkpoint, &tensor.name));
        }
    };
    let mut whole = vec![0.0; tensor.shape.iter().product()];
    for part in parts {
        let mut values = match &part.edit {
            None => checkpoint.read(part.role)?,
            Some(edit) => {
                let decomposed = DecomposedMatrix::new(checkpoint.read_matrix(part.role)?);
                let edited = dense(edit.apply(&decomposed)?);
                let matrix = decomposed.matrix();
                records.push(EditRecord {
                    intervention: edit.clone(),
                    shape: [matrix.rows(), matrix.cols()],
                    kept_rank: edit.edit.kept_rank(matrix.rows(), matrix.cols()),
                    relative_error: relative_error(matrix, &edited),
                });
                edited.into_data()
            }
        };
        let offset = checkpoint.architecture().block.norm_offset;
        if part.role.slot.is_norm() && !part.role.is_bias {
            values.iter_mut().for_each(|value| *value -= offset);
        }
        part.place.insert(&values, &mut whole);
    }
    let whole = match parts.first() {
        Some(first) => first.place.as_stored(whole),
        None => whole,
    };
    let overflow = |(index, value)| CheckpointError::Overflow { tensor: tensor.name.clone(), precision, index, value };
    precision.encode(&whole).map(Cow::Owned).map_err(overflow)
}

fn missing(checkpoint: &Checkpoint, tensor: &str) -> CheckpointError {
    CheckpointError::MissingTensor { tensor: tensor.to_owned(), path: checkpoint.path().to_owned() }
}

/// ||edited - matrix||_F / ||matrix||_F; 0 where both are zero.
fn relative_error(matrix: &Matrix, edited: &Matrix) -> f64 {
    let change =
        matrix.data().iter().zip(edited.data()).map(|(&before, &after)| (f64::from(after) - f64::from(before)).powi(2));
    let (change, whole) = (change.sum::<f64>().sqrt(), matrix.frobenius_norm());
    if change == 0.0 { 0.0 } else { change / whole }
}

fn write_small_files(
    checkpoint: &Checkpoint,
    planned: &[Planned],
    staging: &Staging,
    options: &WriteOptions,
) -> Result<()> {
    for (name, bytes) in &options.extra {
        write_bytes(staging, name, bytes)?;
    }
    let is_extra = |name: &str| options.extra.iter().any(|(extra, _)| extra == name);
    let folder = checkpoint.path();
    if let Weights::Gguf(gguf) = &checkpoint.weights {
        if !is_extra("config.json") {
            let dtype = planned.first().map_or(Dtype::F16, |tensor| tensor.dtype);
            let pad = gguf.token_id("tokenizer.ggml.padding_token_id");
            let config =
                crate::hf_config::huggingface_config(checkpoint.architecture(), checkpoint.config(), dtype, pad);
            write_json(staging, "config.json", &config)?;
        }
        return Ok(());
    }
    let failed = |path: &Path, cause: io::Error| CheckpointError::Io { action: "read", path: path.to_owned(), cause };
    for entry in fs::read_dir(folder).map_err(|cause| failed(folder, cause))? {
        let path = entry.map_err(|cause| failed(folder, cause))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // A link is followed: caches of downloaded models are made of them.
        let Ok(found) = fs::metadata(&path) else { continue };
        let wanted = found.is_file() && found.len() <= LARGEST_SMALL_FILE;
        if wanted && !name.starts_with('.') && name != RECORD && !is_weights(name) && !is_extra(name) {
            write_bytes(staging, name, &fs::read(&path).map_err(|cause| failed(&path, cause))?)?;
        }
    }
    Ok(())
}

fn write_json(staging: &Staging, name: &str, value: &Value) -> Result<()> {
    write_bytes(staging, name, format!("{value:#}\n").as_bytes())
}

fn write_bytes(staging: &Staging, name: &str, bytes: &[u8]) -> Result<()> {
    let failed = |cause| CheckpointError::Io { action: "write", path: staging.place_of(name), cause };
    staging.file(name, |to| to.write_all(bytes).map_err(failed))
}

//! Writing an edited model as a Hugging Face folder, one tensor in memory at a time.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fs, io,
    path::Path,
};

use laser_linalg::Matrix;
use safetensors::{Dtype, tensor::TensorInfo};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    Checkpoint, CheckpointError, Intervention, Precision, Result,
    checkpoint::Weights,
    role::{Naming, Role},
    safetensors_files::{INDEX, SINGLE},
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
    /// As it is in the source's own file; a tensor of the model is checked to be readable first.
    Copy(Option<Role>),
    /// Read, edited where there is an edit, and rounded to this type.
    Made(Role, Option<Intervention>, Precision),
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
    let edits = Intervention::combine(edits.iter().copied())?;
    for edit in &edits {
        edit.check_layer(checkpoint.config().layers)?;
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
    let name = |role: Role| role.name(architecture, Naming::HuggingFace);
    let made = |role: Role, edit, precision: Precision| {
        let shape = role.shape(config);
        let dtype = precision.to_safetensors();
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        Planned { name: name(role), dtype, shape, bytes, content: Content::Made(role, edit, precision) }
    };
    let by_role: HashMap<_, _> = edits.iter().map(|edit| ((edit.layer, edit.matrix), *edit)).collect();
    let edit_of = |role| match role {
        Role::Matrix(layer, kind) => by_role.get(&(layer, kind)).copied(),
        _ => None,
    };
    match &checkpoint.weights {
        Weights::HuggingFace(files) => {
            let mut planned: BTreeMap<String, Planned> = BTreeMap::new();
            let roles: HashMap<String, Role> = Role::all(config).into_iter().map(|role| (name(role), role)).collect();
            for (name, tensor) in files.tensors() {
                let (dtype, shape, bytes) = (tensor.dtype, tensor.shape.clone(), files.bytes(tensor).len());
                let content = Content::Copy(roles.get(name).copied());
                planned.insert(name.clone(), Planned { name: name.clone(), dtype, shape, bytes, content });
            }
            for edit in edits {
                let role = Role::Matrix(edit.layer, edit.matrix);
                planned.insert(name(role), made(role, Some(*edit), checkpoint.stored_precision(role)?));
            }
            Ok(planned.into_values().collect())
        }
        Weights::Gguf(gguf) => {
            let quantised = gguf.tensors().iter().any(|tensor| tensor.precision.is_quantised());
            let roles = Role::all(config).into_iter();
            roles
                .map(|role| {
                    let precision = if quantised { Precision::F16 } else { checkpoint.stored_precision(role)? };
                    Ok(made(role, edit_of(role), precision))
                })
                .collect()
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
    let (role, edit, precision) = match (&tensor.content, &checkpoint.weights) {
        (Content::Made(role, edit, precision), _) => (*role, edit, *precision),
        (Content::Copy(role), Weights::HuggingFace(files)) => {
            if let Some(role) = role {
                checkpoint.read(*role)?;
            }
            let found = files.tensor(&tensor.name).map(|found| files.bytes(found));
            let missing =
                || CheckpointError::MissingTensor { tensor: tensor.name.clone(), path: checkpoint.path().to_owned() };
            return found.map(Cow::Borrowed).ok_or_else(missing);
        }
        (Content::Copy(_), Weights::Gguf(_)) => {
            return Err(CheckpointError::MissingTensor {
                tensor: tensor.name.clone(),
                path: checkpoint.path().to_owned(),
            });
        }
    };
    let values = match edit {
        None => checkpoint.read(role)?,
        Some(edit) => {
            let matrix = checkpoint.read_matrix(role)?;
            let edited = edit.apply(&matrix)?;
            records.push(EditRecord {
                intervention: *edit,
                shape: [matrix.rows(), matrix.cols()],
                kept_rank: edit.edit.rank(matrix.rows(), matrix.cols()),
                relative_error: relative_error(&matrix, &edited),
            });
            edited.into_data()
        }
    };
    let overflow = |(index, value)| CheckpointError::Overflow { tensor: tensor.name.clone(), precision, index, value };
    precision.encode(&values).map(Cow::Owned).map_err(overflow)
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

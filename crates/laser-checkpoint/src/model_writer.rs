//! Writing an edited model: what all forms of it have in common.
//!
//! A [`ModelWriter`] writes one form. Around it, [`write_model`] makes the folder appear complete
//! or not at all, and records in laser.json what was written.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{
    checkpoint::Checkpoint,
    edited_checkpoint::{EditRecord, EditedCheckpoint},
    error::{CheckpointError, Result},
    staging::{RECORD, Staging},
};
use laser_edit::Intervention;

/// One form in which an edited model can be written.
pub trait ModelWriter {
    /// Whether the writer makes a file of this name itself, so that a further file may not have it.
    fn reserves(&self, name: &str) -> bool;

    /// Writes the files of `model` into `folder`, with one tensor in memory at a time. Files that
    /// are in the folder already are further ones; they go before the source's own of the same
    /// name.
    ///
    /// # Errors
    /// A tensor cannot be read, edited or stored in its type, or a file cannot be written.
    fn write(&self, model: &EditedCheckpoint<'_>, folder: &Staging) -> Result<()>;
}

/// How to write.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Replace a folder that an earlier run wrote.
    pub force: bool,
    /// Further files, by name, such as the tokenizer of a GGUF source.
    pub extra: Vec<(String, Vec<u8>)>,
    /// Further entries of laser.json.
    pub record: Map<String, Value>,
}

/// Writes the checkpoint with `edits` applied to a new folder at `out`, in the writer's form, and
/// gives what each edit did.
///
/// The folder also has `options.extra` and laser.json: the program's version, hashes of the
/// source's files and the edits. It appears complete or not at all.
///
/// # Errors
/// An edit does not fit the model, `out` may not be written, or the writer fails.
pub fn write_model(
    checkpoint: &Checkpoint,
    edits: &[Intervention],
    out: &Path,
    writer: &dyn ModelWriter,
    options: &WriteOptions,
) -> Result<Vec<EditRecord>> {
    let model = EditedCheckpoint::new(checkpoint, edits)?;
    for (name, _) in &options.extra {
        let is_plain = Path::new(name).file_name() == Some(name.as_ref());
        if !is_plain || writer.reserves(name) || name == RECORD {
            let why = format!("{name:?} is no name for a further file");
            return Err(CheckpointError::Refused { path: out.to_owned(), why });
        }
    }
    let staging = Staging::begin(out, checkpoint.path(), options.force)?;
    for (name, bytes) in &options.extra {
        staging.write(name, bytes)?;
    }
    writer.write(&model, &staging)?;
    let records = model.into_records();

    let mut record = options.record.clone();
    record.insert("program".to_owned(), json!({ "name": "laser", "version": env!("CARGO_PKG_VERSION") }));
    let source = json!({ "path": checkpoint.path().to_string_lossy(), "files": checkpoint.fingerprint()? });
    record.insert("source".to_owned(), source);
    record.insert("interventions".to_owned(), json!(records));
    staging.write_json(RECORD, &Value::Object(record))?;
    staging.finish()?;
    Ok(records)
}

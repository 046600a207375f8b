//! Writing an edited model: what all forms of it have in common.
//!
//! A [`ModelWriter`] writes one form. Around it, [`write_model`] makes the target appear complete
//! and checked, or not at all, and records in laser.json what was written.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
};

use laser_checkpoint::Checkpoint;
use laser_files::{Form, RECORD};
use serde_json::{Map, Value, json};

use crate::{
    companion_files::{CARD, check_small_files},
    edited_checkpoint::{Changes, EditRecord, EditedCheckpoint},
    error::{Result, WriteError},
    staging::Staging,
};

/// One form in which an edited model can be written.
pub trait ModelWriter {
    /// Whether it is a folder or one file.
    fn form(&self) -> Form {
        Form::Folder
    }

    /// Whether the writer makes a file of this name itself, so that a further file may not have it.
    fn reserves(&self, name: &str) -> bool;

    /// Writes the files of `model`, with one tensor in memory at a time. Files that are in the
    /// folder already are further ones; they go before the source's own of the same name. Of
    /// [`Form::File`] the one file has the name [`Staging::file_name`].
    ///
    /// # Errors
    /// A tensor cannot be read, edited or stored in its type, or a file cannot be written.
    fn write(&self, model: &EditedCheckpoint<'_>, to: &Staging) -> Result<()>;
}

/// Looks at what was written before it is put in place.
pub type Check<'a> = &'a dyn Fn(&Path) -> std::result::Result<(), Box<dyn Error + Send + Sync>>;

/// Makes the model card of what the edits did.
pub type Card<'a> = &'a dyn Fn(&[EditRecord]) -> String;

/// How to write.
#[derive(Clone, Default)]
pub struct WriteOptions<'a> {
    /// Replace what an earlier run wrote.
    pub force: bool,
    /// Files that are read beside the model: they are not replaced.
    pub reads: Vec<PathBuf>,
    /// Further files of a folder, by name, such as the tokenizer of a GGUF source.
    pub extra: Vec<(String, Vec<u8>)>,
    /// Further entries of laser.json.
    pub record: Map<String, Value>,
    /// What else must hold of what was written.
    pub check: Option<Check<'a>>,
    /// Makes the folder's README.md from what the edits did.
    pub card: Option<Card<'a>>,
}

impl fmt::Debug for WriteOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteOptions").field("force", &self.force).finish_non_exhaustive()
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// What each edit did.
    pub edits: Vec<EditRecord>,
    /// Bytes of all tensors.
    pub bytes: u64,
}

/// Writes the checkpoint with `changes` to a new folder or file at `out`, in the writer's form, and
/// gives what each edit did.
///
/// A folder also has `options.extra`, the model card and laser.json: the program's version, hashes
/// of the source's files and the edits. Everything is read back before it is put in place.
///
/// # Errors
/// An edit does not fit the model, `out` may not be written, the writer fails, or what is read back
/// is not what was written.
pub fn write_model<'a>(
    checkpoint: &'a Checkpoint,
    changes: impl Into<Changes<'a>>,
    out: &Path,
    writer: &dyn ModelWriter,
    options: &WriteOptions<'_>,
) -> Result<Written> {
    let model = EditedCheckpoint::new(checkpoint, changes.into())?;
    let is_folder = writer.form() == Form::Folder;
    for (name, _) in options.extra.iter().filter(|_| is_folder) {
        let is_plain = Path::new(name).file_name() == Some(name.as_ref());
        if !is_plain || writer.reserves(name) || name == RECORD {
            let why = format!("{name:?} is not a name for a further file");
            return Err(WriteError::Refused { path: out.to_owned(), why });
        }
    }
    let reads: Vec<PathBuf> = [checkpoint.path().to_owned()].into_iter().chain(options.reads.clone()).collect();
    let staging = Staging::begin(out, &reads, writer.form(), options.force)?;
    check_small_files(checkpoint, out)?;
    for (name, bytes) in options.extra.iter().filter(|_| is_folder) {
        staging.write(name, bytes)?;
    }
    writer.write(&model, &staging)?;
    let edits = model.into_records();
    if is_folder {
        if let Some(card) = options.card {
            staging.write(CARD, card(&edits).as_bytes())?;
        }
        let mut record = options.record.clone();
        record.insert("program".to_owned(), json!({ "name": "laser", "version": env!("CARGO_PKG_VERSION") }));
        // Its name alone: the same edit of the same files gives the same bytes wherever they lie.
        let name = checkpoint.path().file_name().map(|name| name.to_string_lossy());
        let source = json!({ "path": name, "files": checkpoint.fingerprint()? });
        record.insert("source".to_owned(), source);
        record.insert("interventions".to_owned(), json!(edits));
        staging.write_record(record)?;
    }
    staging.check()?;
    checkpoint.check_unchanged()?;
    if let Some(check) = options.check {
        let wrong =
            |why: Box<dyn Error + Send + Sync>| WriteError::ReadBack { path: out.to_owned(), why: why.to_string() };
        check(&staging.staged()).map_err(wrong)?;
    }
    let bytes = staging.tensor_bytes();
    staging.finish()?;
    Ok(Written { edits, bytes })
}

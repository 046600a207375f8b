//! The text that edits are calibrated on, for those that ask what goes through their matrices.

use crate::error::{Error, Result};
use crate::own_text::OWN_TEXT;
use crate::text_source::{TextSource, sha256_of};
use laser_checkpoint::{Checkpoint, Config};
use laser_edit::{Candidate, Intervention};
use laser_engine::{Calibration, HalfText, ReferenceText, edited_matrices};
use laser_kernels::Cpu;
use laser_model::Model;
use laser_run::{SplitName, TextDescription};
use laser_tokenizer::Tokenizer;
use laser_writers::Patch;
use std::path::Path;
use std::sync::Arc;

/// At most so many first tokens of a text. Every other window of them is used: of a text on which costs are measured, too,
/// the half that reports them is never calibrated on.
const TOKENS: usize = 8_192;

/// A calibration text as a model's tokens.
pub(crate) struct CalibrationText {
    pub half: HalfText,
    pub description: TextDescription,
}

/// Whether some of `edits` must be calibrated.
pub(crate) fn is_needed<'e>(edits: impl IntoIterator<Item = &'e Intervention>) -> bool {
    edits.into_iter().any(|edit| edit.edit.is_calibrated())
}

impl CalibrationText {
    /// The text of `file`, or the project's own.
    pub fn open(file: Option<&Path>, tokenizer: &Tokenizer, config: &Config) -> Result<Self> {
        if config.masked {
            return Err(Error::NoCalibration);
        }
        let text = read(file)?;
        let opened = ReferenceText::new(&text, &[], tokenizer, config, TOKENS);
        let path = || file.unwrap_or(Path::new("the project's own text")).to_owned();
        let opened = opened.map_err(|error| Error::Text { path: path(), source: Box::new(error) })?;
        let description = TextDescription {
            sha256: sha256_of(text.as_bytes()),
            limit: TOKENS,
            path: file.map(|path| path.display().to_string()),
            window: opened.window(),
        };
        Ok(Self { half: opened.half(SplitName::Validation).clone(), description })
    }
}

/// Refuses a calibration text, the one in `file` or the project's own, that is not the one that the edits at `path` were found
/// with.
pub(crate) fn check(path: &Path, found_with: Option<&str>, file: Option<&Path>) -> Result<()> {
    match found_with {
        Some(sha256) if sha256_of(read(file)?.as_bytes()) != sha256 => {
            Err(Error::OtherCalibration { path: path.to_owned(), sha256: sha256.to_owned() })
        }
        _ => Ok(()),
    }
}

fn read(file: Option<&Path>) -> Result<String> {
    match file {
        Some(path) => TextSource { path: path.to_owned(), limit: TOKENS }.read(),
        None => Ok(OWN_TEXT.to_owned()),
    }
}

/// Whether some of `edits` need more than their own matrix.
pub(crate) fn need_more(edits: &[Intervention]) -> bool {
    edits.iter().any(|edit| edit.edit.basis().is_some())
}

/// What `edits` make of their matrices, of a model that need not have been loaded, and the SHA-256 of the text that some are
/// calibrated on.
pub(crate) fn edited(
    checkpoint: &Checkpoint,
    tokenizer: &Tokenizer,
    edits: &[Intervention],
    file: Option<&Path>,
) -> Result<(Patch, Option<String>)> {
    let candidate = Candidate::new(edits.to_vec())?;
    let mut calibrated_on = None;
    let matrices = if is_needed(edits) {
        let text = CalibrationText::open(file, tokenizer, checkpoint.config())?;
        let opened = Arc::new(Checkpoint::open_as(checkpoint.path(), checkpoint.custom_architecture())?);
        let model = Model::load(&opened, &Cpu, crate::loaded_model::WEIGHTS_IN_MEMORY, |_| ())?;
        calibrated_on = Some(text.description.sha256);
        edited_matrices(checkpoint, &candidate, Some(&Calibration::new(&model, &text.half)))?
    } else {
        edited_matrices(checkpoint, &candidate, None)?
    };
    Ok((Patch::new(candidate.into(), matrices), calibrated_on))
}

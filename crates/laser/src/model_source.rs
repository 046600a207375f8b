//! Which model, and opening it.

use crate::{Error, Result};
use laser_checkpoint::{Architecture, Checkpoint};
use laser_hub::{Download, Hub, is_hub_id};
use laser_run::Progress;
use std::path::{Path, PathBuf};

/// A Hugging Face folder, a `.gguf` file, or the id of a model of the hub such as `EleutherAI/gpt-j-6b@float16`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSource {
    /// The path or the id. What exists as a path is a path.
    pub location: PathBuf,
    /// A table of the model's family, if it is none of the built-in ones.
    pub architecture: Option<PathBuf>,
    /// A text that edits are calibrated on which ask for one, if it is not the project's own.
    pub calibration: Option<PathBuf>,
}

impl<P: Into<PathBuf>> From<P> for ModelSource {
    fn from(location: P) -> Self {
        Self { location: location.into(), architecture: None, calibration: None }
    }
}

impl ModelSource {
    /// Opens the checkpoint. A model of the hub is fetched first, as far as the cache lacks it.
    ///
    /// # Errors
    /// If the model cannot be fetched, or is not a checkpoint that this version reads.
    pub fn open(&self, progress: &dyn Progress) -> Result<Checkpoint> {
        let architecture = self.architecture.as_deref().map(Architecture::open).transpose()?;
        let folder = self.hub_id().map(|id| fetch(id, progress)).transpose()?;
        let checkpoint = Checkpoint::open_as(folder.as_deref().unwrap_or(&self.location), architecture)?;
        checkpoint.notes().iter().for_each(|note| progress.note(note));
        Ok(checkpoint)
    }

    fn hub_id(&self) -> Option<&str> {
        self.location.to_str().filter(|text| !Path::new(text).exists() && is_hub_id(text))
    }
}

fn fetch(id: &str, progress: &dyn Progress) -> Result<PathBuf> {
    let mut files = FileProgress::new(progress);
    let folder = Hub::from_env().resolve(id, &mut |download| files.note(download));
    progress.finish();
    folder.map_err(|source| Error::NoSuchModel { id: id.to_owned(), source: Box::new(source) })
}

/// Shows the progress of one file after another.
pub(crate) struct FileProgress<'p> {
    progress: &'p dyn Progress,
    file: String,
    done: u64,
}

impl<'p> FileProgress<'p> {
    pub(crate) fn new(progress: &'p dyn Progress) -> Self {
        Self { progress, file: String::new(), done: 0 }
    }

    pub(crate) fn note(&mut self, download: Download) {
        if download.file != self.file {
            (self.file, self.done) = (download.file.to_owned(), 0);
            self.progress.start(&self.file, download.total as usize, 0);
        }
        self.progress.advance(download.done.saturating_sub(self.done) as usize);
        self.done = download.done;
    }
}

//! The library's front: a model, and what is done with it.

use crate::calibration_text::{CalibrationText, is_needed};
use crate::edited_output::{Output, OutputPlan, tokenizer_of, write_edited};
use crate::error::Result;
use crate::loaded_model::{LoadedModel, load};
use crate::made_task::ReadTask;
use crate::model_source::ModelSource;
use crate::task_source::{OpenTask, TaskSource};
use crate::text_source::{OpenText, TextSource};
use laser_checkpoint::{Checkpoint, Config};
use laser_edit::{Candidate, Intervention, InterventionSpec};
use laser_model::DeviceKind;
use laser_run::{Progress, Silent};
use laser_tokenizer::Tokenizer;
use std::path::Path;
use std::sync::Arc;

/// How a model is opened.
#[derive(Clone)]
pub struct SessionOptions {
    /// Where it is computed.
    pub device: DeviceKind,
    /// Whether prompts go through the model's chat template.
    pub chat: bool,
    /// Who hears how far long work is.
    pub progress: Arc<dyn Progress>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { device: DeviceKind::Cpu, chat: false, progress: Arc::new(Silent) }
    }
}

/// A model in memory, with its tokenizer.
pub struct Session {
    pub(crate) source: ModelSource,
    pub(crate) options: SessionOptions,
    pub(crate) checkpoint: Arc<Checkpoint>,
    pub(crate) model: Box<dyn LoadedModel>,
    pub(crate) tokenizer: Tokenizer,
}

impl Session {
    /// Opens and loads a model, on the CPU and without a word on progress: a Hugging Face folder, a GGUF file, or an id of the
    /// hub.
    ///
    /// ```no_run
    /// use laser::Session;
    ///
    /// let session = Session::open("SmolLM2-135M-Instruct.gguf")?;
    /// let task = session.task(&"facts".into())?;
    /// let edited = session.edit(&session.edits(&["27.fc_in:0.01"])?)?;
    /// let evaluation = session.evaluate(&edited, &task, &task.split()?.test)?;
    /// println!("{:.1} %", 100.0 * evaluation.score.accuracy);
    /// # Ok::<(), laser::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the model cannot be fetched, read or loaded.
    pub fn open(source: impl Into<ModelSource>) -> Result<Self> {
        Self::open_with(source.into(), SessionOptions::default())
    }

    /// Opens and loads a model.
    ///
    /// # Errors
    /// If the model cannot be fetched, read or loaded.
    pub fn open_with(source: ModelSource, mut options: SessionOptions) -> Result<Self> {
        // What is missing is told before a model is fetched for it.
        let device = options.device.open()?;
        options.device = device.kind();
        Self::open_loaded(source, options, |checkpoint, progress| load(checkpoint, device, progress))
    }

    /// Opens a model that `load` loads.
    pub(crate) fn open_loaded(
        source: ModelSource,
        options: SessionOptions,
        load: impl FnOnce(&Arc<Checkpoint>, &dyn Progress) -> Result<Box<dyn LoadedModel>>,
    ) -> Result<Self> {
        let progress = &*options.progress;
        let checkpoint = Arc::new(source.open(progress)?);
        let tokenizer = tokenizer_of(&checkpoint)?;
        tokenizer.notes().iter().for_each(|note| progress.note(note));
        let tokenizer = if options.chat { tokenizer.in_chat()? } else { tokenizer };
        let model = load(&checkpoint, progress)?;
        Ok(Self { source, checkpoint, model, tokenizer, options })
    }

    /// The model's hyper-parameters.
    pub fn config(&self) -> &Config {
        self.checkpoint.config()
    }

    /// The model on disk.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The file of the text that edits are calibrated on, if it is not the project's own.
    pub fn calibration_file(&self) -> Option<&Path> {
        self.source.calibration.as_deref()
    }

    /// The text that `edits` are calibrated on, if some are.
    pub(crate) fn calibration<'e>(
        &self,
        edits: impl IntoIterator<Item = &'e Intervention>,
    ) -> Result<Option<CalibrationText>> {
        let open = || CalibrationText::open(self.calibration_file(), &self.tokenizer, self.config());
        is_needed(edits).then(open).transpose()
    }

    /// The edits that texts such as `27.fc_in:0.01` stand for in this model.
    ///
    /// # Errors
    /// If a text is not an edit, the model lacks a layer or a matrix, or one is edited twice.
    pub fn edits<S: AsRef<str>>(&self, texts: &[S]) -> Result<Candidate> {
        let specs: Vec<InterventionSpec> = texts.iter().map(|text| text.as_ref().parse()).collect::<Result<_, _>>()?;
        Ok(Candidate::new(InterventionSpec::expand_all(&specs, self.config())?)?)
    }

    /// Reads a task for this model.
    ///
    /// # Errors
    /// If there is no such task, or its data cannot be read.
    pub fn task(&self, source: &TaskSource) -> Result<OpenTask> {
        self.settle(&source.read(&*self.options.progress)?, source)
    }

    /// A task for this model that was read before ([`TaskSource::read`]).
    ///
    /// # Errors
    /// If the sample that is asked for cannot be drawn.
    pub fn settle(&self, task: &ReadTask, source: &TaskSource) -> Result<OpenTask> {
        source.settle(task, &self.tokenizer, self.config(), &*self.options.progress)
    }

    /// Reads a text for this model.
    ///
    /// # Errors
    /// If the file cannot be read, or the model does not predict texts.
    pub fn text(&self, source: &TextSource) -> Result<OpenText> {
        source.open(&self.tokenizer, self.config())
    }

    /// Writes the edited model to the folder `out`, as a Hugging Face folder; `force` replaces one that was written before.
    ///
    /// # Errors
    /// If an edit does not fit the model, or the folder cannot be written.
    pub fn apply(&self, edits: &Candidate, out: impl AsRef<Path>, force: bool) -> Result<Output> {
        self.apply_as(edits, out, &OutputPlan { force, ..OutputPlan::default() })
    }

    /// Writes the edited model to `out`, in the form of `plan`.
    ///
    /// ```no_run
    /// use laser::{OutputFormat, OutputPlan, Session};
    ///
    /// let session = Session::open("model")?;
    /// let plan = OutputPlan { format: OutputFormat::Gguf, ..OutputPlan::default() };
    /// session.apply_as(&session.edits(&["9.fc_in:0.05"])?, "edited.gguf", &plan)?;
    /// # Ok::<(), laser::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an edit does not fit the model, the form cannot hold it, or `out` cannot be written.
    pub fn apply_as(&self, edits: &Candidate, out: impl AsRef<Path>, plan: &OutputPlan) -> Result<Output> {
        let calibration = plan.calibration.clone().or_else(|| self.source.calibration.clone());
        let plan = OutputPlan { calibration, ..plan.clone() };
        write_edited(&self.checkpoint, edits.interventions(), out.as_ref(), &plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_may_move_to_another_thread() {
        fn moves<T: Send + 'static>() {}
        moves::<Session>();
    }
}

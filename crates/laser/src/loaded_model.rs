//! A model in memory, on whatever backend.

use crate::error::Result;
use crate::machine_memory::MachineMemory;
use crate::made_task::Judging;
use laser_checkpoint::Checkpoint;
use laser_edit::Candidate;
use laser_engine::{
    Calibration, Corpus, Detail, Editor, Evaluator, GuardExamples, HalfText, JudgedExamples, JudgedScorer, LocalScorer,
    Observer, QuestionScore, ReferenceText, Response, Subject, encode, question_score,
};
use laser_example::Example;
use laser_kernels::Differentiable;
use laser_model::{Decoder, Device, Model};
use laser_run::{Perplexity, Progress, RunDescription, Scorer};
use laser_tokenizer::Tokenizer;
use std::fmt::Debug;
use std::sync::Arc;

/// Weights that would take more bytes than this in f32 stay on disk, and are read when their layer is computed, if the
/// device's memory is the machine's.
pub(crate) const WEIGHTS_IN_MEMORY: usize = 8_000_000_000;

/// Bytes for the activations of an evaluation. Each example is seen once, so this only sets how often progress shows.
const EVALUATION_MEMORY: usize = 1 << 28;

/// The same on a device with memory of its own, whose products want more rows.
const EVALUATION_DEVICE_MEMORY: usize = 1 << 33;

/// How many of the most likely next tokens are told.
const NEXT_TOKENS: usize = 10;

/// What a session does with its model; the backend is behind it.
pub(crate) trait LoadedModel: Debug + Send + Sync {
    /// What decides the bits of its results: the device and the instruction set.
    fn kernel_path(&self) -> String;

    /// An edited copy; `calibration` is the text that edits are calibrated on, if some are.
    fn edit(
        &self,
        checkpoint: &Checkpoint,
        edits: &Candidate,
        calibration: Option<&HalfText>,
    ) -> Result<Box<dyn LoadedModel>>;

    /// Scores examples.
    fn evaluate(
        &self,
        tokenizer: &Tokenizer,
        examples: Vec<&Example>,
        progress: &dyn Progress,
    ) -> Result<Vec<Response>>;

    /// What it makes of the questions of examples, before it answers; none where there is no next
    /// token.
    fn question_scores(
        &self,
        tokenizer: &Tokenizer,
        examples: &[&Example],
        progress: &dyn Progress,
    ) -> Result<Vec<Option<QuestionScore>>>;

    /// The perplexity of a text.
    fn perplexity(&self, text: &Corpus, progress: &dyn Progress) -> Result<Perplexity>;

    /// An empty text, to be continued.
    fn begin(&self) -> Result<Box<dyn Continuation>>;

    /// The same model, which compares the candidates of a search in bf16.
    fn comparing_in_bf16(&self) -> Result<Box<dyn LoadedModel>>;

    /// Refuses a search that it cannot do, before anything of it is written.
    fn check(&self, _: &RunDescription) -> Result<()> {
        Ok(())
    }

    /// Runs `search` with a scorer of the unedited model.
    fn search(&self, told: &ScoredExamples, search: &mut RunSearch) -> Result<()>;
}

/// A text that grows token by token.
pub(crate) trait Continuation {
    /// Appends tokens and gives the logits of the next one.
    fn append(&mut self, tokens: &[u32]) -> Result<Vec<f32>>;
}

impl<B: Differentiable> Continuation for Decoder<B> {
    fn append(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        Ok(Decoder::append(self, tokens)?)
    }
}

/// What is scored in a search; see [`Subject`].
pub(crate) struct ScoredExamples<'a> {
    pub checkpoint: &'a Checkpoint,
    pub tokenizer: &'a Tokenizer,
    pub validation: Vec<&'a Example>,
    pub test: Vec<&'a Example>,
    pub content_free: &'a laser_engine::ContentFreePrompts,
    pub text: Option<&'a ReferenceText>,
    pub guards: Vec<GuardExamples<'a>>,
    /// Who judges the answers, and what is asked on validation and on test, where it is not the task's own rule.
    pub judged: Option<(&'a Judging, [JudgedExamples<'a>; 2])>,
    /// The text that edits are calibrated on, if some are.
    pub calibration: Option<&'a HalfText>,
    /// Bytes for kept activations and decompositions; `None` for what the device can spare, or a quarter of the machine's.
    pub memory: Option<usize>,
}

/// A search that waits for its scorer.
pub(crate) type RunSearch<'a> = dyn FnMut(&mut dyn Scorer) -> Result<()> + 'a;

/// Loads a checkpoint.
pub(crate) fn load(
    checkpoint: &Arc<Checkpoint>,
    device: Device,
    progress: &dyn Progress,
) -> Result<Box<dyn LoadedModel>> {
    Ok(match device {
        Device::Cpu(backend) => Box::new(OnBackend::load(checkpoint, &backend, progress)?),
        Device::Cuda(backend) => Box::new(OnBackend::load(checkpoint, &backend, progress)?),
        Device::Metal(backend) => Box::new(OnBackend::load(checkpoint, &backend, progress)?),
    })
}

/// A model on a backend, beside the unedited one that it shares all other weights with.
#[derive(Debug, Clone)]
struct OnBackend<B: Differentiable> {
    unedited: Model<B>,
    model: Model<B>,
    /// The unedited model in bf16, by which a search compares candidates.
    in_bf16: Option<Model<B>>,
}

impl<B: Differentiable> OnBackend<B> {
    fn load(checkpoint: &Arc<Checkpoint>, backend: &B, progress: &dyn Progress) -> Result<Self> {
        progress.start("loading", checkpoint.config().layers, 0);
        let weights = backend.memory_for_activations().map_or(WEIGHTS_IN_MEMORY, |_| usize::MAX);
        let model = Model::load(checkpoint, backend, weights, |_| progress.advance(1))?;
        progress.finish();
        Ok(Self { unedited: model.clone(), model, in_bf16: None })
    }
}

impl<B: Differentiable> LoadedModel for OnBackend<B> {
    fn kernel_path(&self) -> String {
        self.unedited.backend().kernel_path()
    }

    fn edit(
        &self,
        checkpoint: &Checkpoint,
        edits: &Candidate,
        calibration: Option<&HalfText>,
    ) -> Result<Box<dyn LoadedModel>> {
        let calibration = calibration.map(|text| Calibration::new(&self.unedited, text));
        let observer = calibration.as_ref().map(|calibration| calibration as &dyn Observer);
        let model = Editor::new(checkpoint, &self.unedited).with_observer(observer).edit(edits)?;
        Ok(Box::new(Self { model, ..self.clone() }))
    }

    fn evaluate(
        &self,
        tokenizer: &Tokenizer,
        examples: Vec<&Example>,
        progress: &dyn Progress,
    ) -> Result<Vec<Response>> {
        let mut responses = Vec::with_capacity(examples.len());
        progress.start("evaluating", examples.len(), 0);
        let own = self.unedited.backend().memory_for_activations();
        let memory = own.map_or(EVALUATION_MEMORY, |bytes| bytes.min(EVALUATION_DEVICE_MEMORY));
        let mut evaluator = Evaluator::new(&self.unedited, tokenizer, examples, memory)?;
        for chunk in 0..evaluator.chunks() {
            let finished = evaluator.evaluate_chunk(chunk, &self.model, Detail::Full)?;
            progress.advance(finished.len());
            progress.go_on().map_err(laser_engine::Error::from)?;
            responses.extend(finished);
        }
        progress.finish();
        Ok(responses)
    }

    fn question_scores(
        &self,
        tokenizer: &Tokenizer,
        examples: &[&Example],
        progress: &dyn Progress,
    ) -> Result<Vec<Option<QuestionScore>>> {
        progress.start("questions", examples.len(), 0);
        let score = |example: &&Example| {
            let encoded = encode(tokenizer, example, self.unedited.config())?;
            let score = question_score(&self.model, &encoded, NEXT_TOKENS)?;
            progress.advance(1);
            progress.go_on().map_err(laser_engine::Error::from)?;
            Ok(score)
        };
        let scores = examples.iter().map(score).collect();
        progress.finish();
        scores
    }

    fn perplexity(&self, text: &Corpus, progress: &dyn Progress) -> Result<Perplexity> {
        progress.start("text", text.windows(), 0);
        let perplexity = text.perplexity(&self.model, &|| progress.advance(1))?;
        progress.finish();
        Ok(perplexity)
    }

    fn begin(&self) -> Result<Box<dyn Continuation>> {
        Ok(Box::new(Decoder::new(&self.model)?))
    }

    fn comparing_in_bf16(&self) -> Result<Box<dyn LoadedModel>> {
        Ok(Box::new(Self { in_bf16: Some(self.unedited.to_bf16()?), ..self.clone() }))
    }

    fn search(&self, told: &ScoredExamples, search: &mut RunSearch) -> Result<()> {
        // Asked for when all weights are there.
        let memory = told.memory.or_else(|| self.unedited.backend().memory_for_activations());
        let calibration = told.calibration.map(|text| Calibration::new(&self.unedited, text));
        let subject = Subject {
            checkpoint: told.checkpoint,
            model: &self.unedited,
            compared: self.in_bf16.as_ref(),
            tokenizer: told.tokenizer,
            validation: told.validation.clone(),
            test: told.test.clone(),
            content_free: told.content_free,
            text: told.text,
            guards: told.guards.clone(),
            observer: calibration.as_ref().map(|calibration| calibration as &dyn Observer),
            memory: memory.unwrap_or_else(|| MachineMemory::look().total / 4),
        };
        match told.judged {
            Some((Judging { kind, judge, .. }, examples)) => {
                search(&mut JudgedScorer::new(subject, examples, *kind, &**judge))
            }
            None => search(&mut LocalScorer::new(subject)),
        }
    }
}

//! A model that is in the memory of a fleet's workers, not of this process.

use crate::error::{Error, Result};
use crate::loaded_model::{Continuation, LoadedModel, RunSearch, ScoredExamples};
use laser_checkpoint::Checkpoint;
use laser_edit::Candidate;
use laser_engine::{Corpus, HalfText, QuestionScore, Response};
use laser_example::Example;
use laser_fleet::{Fleet, FleetScorer};
use laser_run::{Perplexity, Progress, ResultKind, RunDescription};
use laser_tokenizer::Tokenizer;
use std::sync::Arc;

/// Scores by a fleet, and does nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    pub fleet: Arc<dyn Fleet>,
    /// The search as the workers have opened it.
    pub opened: RunDescription,
}

impl LoadedModel for Elsewhere {
    fn kernel_path(&self) -> String {
        self.opened.search.kernel_path.clone().unwrap_or_default()
    }

    fn edit(&self, _: &Checkpoint, _: &Candidate, _: Option<&HalfText>) -> Result<Box<dyn LoadedModel>> {
        Err(Error::Elsewhere)
    }

    fn evaluate(&self, _: &Tokenizer, _: Vec<&Example>, _: &dyn Progress) -> Result<Vec<Response>> {
        Err(Error::Elsewhere)
    }

    fn question_scores(&self, _: &Tokenizer, _: &[&Example], _: &dyn Progress) -> Result<Vec<Option<QuestionScore>>> {
        Err(Error::Elsewhere)
    }

    fn perplexity(&self, _: &Corpus, _: &dyn Progress) -> Result<Perplexity> {
        Err(Error::Elsewhere)
    }

    fn begin(&self) -> Result<Box<dyn Continuation>> {
        Err(Error::Elsewhere)
    }

    fn comparing_in_bf16(&self) -> Result<Box<dyn LoadedModel>> {
        // The workers have read the same options.
        Ok(Box::new(self.clone()))
    }

    fn check(&self, description: &RunDescription) -> Result<()> {
        self.opened.difference(description).map_or(Ok(()), |what| Err(Error::OtherWorkers { what }))
    }

    fn search(&self, told: &ScoredExamples, search: &mut RunSearch) -> Result<()> {
        search(&mut FleetScorer {
            fleet: &*self.fleet,
            layers: told.checkpoint.config().layers,
            kind: told.judged.as_ref().map_or(ResultKind::Binary, |(judging, _)| judging.kind),
            examples: [told.validation.len(), told.test.len()],
        })
    }
}

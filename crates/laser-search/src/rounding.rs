//! What it changes that candidates are compared in another precision.

use crate::journal::{Entry, Journal, SplitName};
use crate::run_folder::RunFolder;
use crate::search::Subject;
use crate::{Error, Result};
use laser_engine::{Candidate, Editor};
use laser_engine::{Detail, Evaluator};
use laser_run::Progress;
use laser_tasks::{Example, Outcome, Score};
use serde::{Deserialize, Serialize};

/// The file of it in a RUN folder.
pub const FILE: &str = "rounding.json";

/// One candidate on the validation split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rounding {
    /// The candidate.
    pub interventions: Candidate,
    /// As it was compared.
    pub rounded: Score,
    /// As the model itself gives it.
    pub exact: Score,
    /// How many examples are right in the one and wrong in the other.
    pub different: usize,
}

/// Scores candidates of the journal once more on validation, by the model itself, unless the RUN folder has it.
pub(crate) fn measure(
    subject: &Subject,
    candidates: &[Candidate],
    validation: &[&Example],
    memory: usize,
    journal: &Journal,
    run: &RunFolder,
    progress: &dyn Progress,
) -> Result<()> {
    let known: Option<Vec<Rounding>> = run.read_json(FILE, "remove the file and run the search again")?;
    if known.is_some_and(|known| known.iter().map(|it| &it.interventions).eq(candidates)) {
        return Ok(());
    }
    let mut evaluator = Evaluator::new(subject.model, subject.tokenizer, validation.to_vec(), memory)?;
    let mut editor = Editor::new(subject.checkpoint, subject.model);
    let mut found = Vec::with_capacity(candidates.len());
    progress.start("in f32", candidates.len() * validation.len(), 0);
    for candidate in candidates {
        let entry = journal
            .get(SplitName::Validation, candidate)
            .ok_or(Error::NoCandidates { why: "a candidate was not scored" })?;
        let boundary = candidate.boundary(subject.model.config().layers);
        let responses = evaluator.evaluate(&editor.edit(candidate)?, boundary, Detail::Outcome)?;
        progress.advance(responses.len());
        let outcomes: Vec<Outcome> = responses.iter().map(|response| response.outcome).collect();
        let different = entry.outcomes().zip(&outcomes).filter(|(a, b)| a.correct != b.correct).count();
        let exact = Entry::new(SplitName::Validation, candidate, &outcomes).score;
        found.push(Rounding { interventions: candidate.clone(), rounded: entry.score, exact, different });
    }
    progress.finish();
    Ok(run.write_json(FILE, &found)?)
}

//! The main job: score candidates on validation, choose one, judge it on test.

use crate::candidate::{Candidate, Editor};
use crate::engine::{Detail, Evaluator, encode};
use crate::journal::{Entry, Journal, SplitName};
use crate::progress::Progress;
use crate::run_folder::RunFolder;
use crate::verdict::{self, Verdict};
use crate::{Error, Result};
use laser_checkpoint::{Checkpoint, FileHash};
use laser_model::{Model, Tokenizer};
use laser_tasks::{Example, Outcome, Split, Task};

/// A loaded model.
pub struct Subject<'a> {
    /// The weights on disk, which edits start from.
    pub checkpoint: &'a Checkpoint,
    /// The weights in memory.
    pub model: &'a Model,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
}

/// What a search is told, beside the model and the task.
pub struct Plan<'a> {
    /// The candidates, ordered by their lowest layer.
    pub candidates: &'a [Candidate],
    /// The examples of each split.
    pub split: &'a Split,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Bytes for kept streams.
    pub memory: usize,
    /// The model's files, for the recipe.
    pub model_files: &'a [FileHash],
}

/// Refuses a task that the model cannot take, before anything is computed or written.
pub fn check(model: &Model, tokenizer: &Tokenizer, task: &Task) -> Result<()> {
    for example in &task.examples {
        encode(tokenizer, example, model.config())?;
    }
    Ok(())
}

/// Runs or resumes a search, and writes `best.json` and `verdict.json`.
pub fn search(
    subject: &Subject,
    task: &Task,
    plan: &Plan,
    run: &RunFolder,
    progress: &dyn Progress,
) -> Result<Verdict> {
    let mut journal = run.journal()?;
    let pick = |indices: &[usize]| -> Vec<&Example> { indices.iter().map(|&i| &task.examples[i]).collect() };

    let base = Candidate::base();
    let on_validation: Vec<Candidate> = [base.clone()].into_iter().chain(plan.candidates.iter().cloned()).collect();
    let validation = pick(&plan.split.validation);
    score(subject, &on_validation, SplitName::Validation, validation, plan.memory, &mut journal, progress)?;

    let entries: Vec<&Entry> = plan
        .candidates
        .iter()
        .map(|candidate| entry(&journal, SplitName::Validation, candidate))
        .collect::<Result<_>>()?;
    let best = verdict::best(&entries).ok_or(Error::NoCandidates { why: "nothing was asked for" })?;
    let best = plan.candidates[best].clone();

    let test = pick(&plan.split.test);
    let groups: Vec<&str> = test.iter().map(|example| example.group.as_str()).collect();
    score(subject, &[base.clone(), best.clone()], SplitName::Test, test, plan.memory, &mut journal, progress)?;

    let both = |candidate: &Candidate| -> Result<[&Entry; 2]> {
        Ok([entry(&journal, SplitName::Validation, candidate)?, entry(&journal, SplitName::Test, candidate)?])
    };
    let verdict = verdict::judge(both(&base)?, both(&best)?, plan.candidates.len(), &groups, plan.seed);
    let verdict = verdict.ok_or_else(|| Error::Malformed {
        path: run.path().join("journal.jsonl"),
        why: "its entries are not over this search's test examples".into(),
        advice: "remove the lines with \"split\":\"test\", they are then scored again",
    })?;
    run.write_json("best.json", &Recipe { interventions: best, model: plan.model_files.to_vec() })?;
    run.write_json("verdict.json", &verdict)?;
    Ok(verdict)
}

/// `best.json`: what `laser apply --recipe` does.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The interventions.
    pub interventions: Candidate,
    /// The files of the model that they were found for.
    pub model: Vec<FileHash>,
}

/// Scores the candidates that the journal does not have yet.
fn score(
    subject: &Subject,
    candidates: &[Candidate],
    split: SplitName,
    examples: Vec<&Example>,
    memory: usize,
    journal: &mut Journal,
    progress: &dyn Progress,
) -> Result<()> {
    let layers = subject.model.config().layers;
    let what = match split {
        SplitName::Validation => "validation",
        SplitName::Test => "test",
    };
    let missing: Vec<&Candidate> =
        candidates.iter().filter(|candidate| journal.get(split, candidate).is_none()).collect();
    let step = examples.len();
    progress.start(what, candidates.len() * step, (candidates.len() - missing.len()) * step);
    if missing.is_empty() {
        progress.finish();
        return Ok(());
    }
    let mut evaluator = Evaluator::new(subject.model, subject.tokenizer, examples, memory)?;
    let mut editor = Editor::new(subject.checkpoint, subject.model);
    // Where the examples take several chunks, the candidates of a layer go through a chunk one after the other, so that
    // its streams are made once a layer.
    let same_work = |a: &&Candidate, b: &&Candidate| evaluator.chunks() > 1 && a.boundary(layers) == b.boundary(layers);
    let groups: Vec<&[&Candidate]> = missing.chunk_by(same_work).collect();
    for group in groups {
        let mut outcomes: Vec<Vec<Outcome>> = vec![Vec::with_capacity(step); group.len()];
        for chunk in 0..evaluator.chunks() {
            for (candidate, outcomes) in group.iter().zip(&mut outcomes) {
                let edited = editor.edit(candidate)?;
                let responses =
                    evaluator.evaluate_chunk(chunk, &edited, candidate.boundary(layers), Detail::Outcome)?;
                progress.advance(responses.len());
                outcomes.extend(responses.iter().map(|response| response.outcome));
            }
        }
        for (candidate, outcomes) in group.iter().zip(&outcomes) {
            journal.append(Entry::new(split, candidate, outcomes))?;
        }
    }
    progress.finish();
    Ok(())
}

fn entry<'j>(journal: &'j Journal, split: SplitName, candidate: &Candidate) -> Result<&'j Entry> {
    journal.get(split, candidate).ok_or_else(|| Error::Malformed {
        path: journal.path().to_owned(),
        why: format!("{candidate} was scored and is not there"),
        advice: "start the search again",
    })
}

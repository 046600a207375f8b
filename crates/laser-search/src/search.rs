//! The main job: score candidates on validation, choose one, judge it on test.

use crate::blanks::Blanks;
use crate::candidate::{Candidate, Editor};
use crate::engine::{Detail, Evaluator, encode};
use crate::journal::{Entry, Journal, SplitName};
use crate::perplexity::{PerplexityChange, Text};
use crate::progress::Progress;
use crate::record::Record;
use crate::run_folder::RunFolder;
use crate::verdict::{self, Evidence, Pair, Verdict};
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
    /// A text whose perplexity is measured before and after, and the SHA-256 of its file.
    pub text: Option<(&'a Text, &'a str)>,
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
    let (validation, test) = (pick(&plan.split.validation), pick(&plan.split.test));
    run.write_examples(&validation, &test)?;
    score(subject, &on_validation, &validation, None, plan.memory, &mut journal, progress)?;
    let best = chosen(&journal)?;

    let blanks = Blanks::new(task, &test)?;
    score(subject, &[base, best.clone()], &test, Some(&blanks), plan.memory, &mut journal, progress)?;
    if let Some((text, sha256)) = plan.text {
        measure(subject, &best, text, sha256, run, progress)?;
    }
    run.write_json("best.json", &Recipe { interventions: best, model: plan.model_files.to_vec() })?;
    judge_and_write(run, &journal, plan.text.map(|(_, sha256)| sha256), plan.seed)
}

/// The verdict of a finished search, from its folder alone; `verdict.json` is written anew.
pub fn rejudge(run: &RunFolder) -> Result<Verdict> {
    let description = run.description()?.ok_or_else(|| Error::Unfinished { path: run.path().to_owned() })?;
    let text = description.search.text.as_ref().map(|text| text.sha256.as_str());
    judge_and_write(run, &run.journal()?, text, description.search.seed)
}

/// The best candidate on validation.
fn chosen(journal: &Journal) -> Result<Candidate> {
    let entries = candidates_on_validation(journal);
    let best = verdict::best(&entries).ok_or(Error::NoCandidates { why: "nothing was asked for" })?;
    Ok(entries[best].interventions.clone())
}

fn candidates_on_validation(journal: &Journal) -> Vec<&Entry> {
    let base = Candidate::base();
    // Of a candidate that is there twice, the entry that counts.
    let current =
        |entry: &Entry| journal.get(entry.split, &entry.interventions).is_some_and(|it| std::ptr::eq(it, entry));
    let candidate =
        |entry: &&Entry| entry.split == SplitName::Validation && entry.interventions != base && current(entry);
    journal.entries().iter().filter(candidate).collect()
}

/// `text` is the SHA-256 of the text that was to be measured.
fn judge_and_write(run: &RunFolder, journal: &Journal, text: Option<&str>, seed: u64) -> Result<Verdict> {
    let unfinished = || Error::Unfinished { path: run.path().to_owned() };
    let candidates = candidates_on_validation(journal);
    let best = chosen(journal).map_err(|_| unfinished())?;
    let pair = |candidate: &Candidate| {
        Some(Pair {
            validation: journal.get(SplitName::Validation, candidate)?,
            test: journal.get(SplitName::Test, candidate)?,
        })
    };
    let (validation, test) = (run.examples(SplitName::Validation)?, run.examples(SplitName::Test)?);
    let perplexity = match text {
        Some(sha256) => Some(measured(run, &best, sha256)?.ok_or_else(unfinished)?),
        None => None,
    };
    let verdict = verdict::judge(&Evidence {
        base: pair(&Candidate::base()).ok_or_else(unfinished)?,
        edited: pair(&best).ok_or_else(unfinished)?,
        candidates: &candidates,
        validation: &validation.iter().collect::<Vec<_>>(),
        test: &test.iter().collect::<Vec<_>>(),
        perplexity,
        seed,
    });
    let verdict = verdict.ok_or_else(|| Error::Malformed {
        path: run.path().to_owned(),
        why: "journal.jsonl and examples.jsonl do not belong together".into(),
        advice: "remove examples.jsonl and run the search again, which writes it anew; if that does not help, journal.jsonl, too",
    })?;
    run.write_json("verdict.json", &verdict)?;
    Ok(verdict)
}

/// The file of a text's perplexities.
const PERPLEXITY: &str = "perplexity.json";

/// A text's perplexities, and under which candidate.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct MeasuredText {
    interventions: Candidate,
    #[serde(flatten)]
    change: PerplexityChange,
}

/// What a text gave under `best`, if that has been measured.
fn measured(run: &RunFolder, best: &Candidate, sha256: &str) -> Result<Option<PerplexityChange>> {
    let advice = "remove the file and run the search again, which measures the text anew";
    let known: Option<MeasuredText> = run.read_json(PERPLEXITY, advice)?;
    let known = known.filter(|known| known.interventions == *best && known.change.text == sha256);
    Ok(known.map(|known| known.change))
}

/// Measures a text before and after the edit, unless that was done.
fn measure(
    subject: &Subject,
    best: &Candidate,
    text: &Text,
    sha256: &str,
    run: &RunFolder,
    progress: &dyn Progress,
) -> Result<()> {
    if measured(run, best, sha256)?.is_some() {
        return Ok(());
    }
    progress.start("text", 2 * text.windows(), 0);
    let step = || progress.advance(1);
    let before = text.perplexity(subject.model, &step)?;
    let edited = Editor::new(subject.checkpoint, subject.model).edit(best)?;
    let after = text.perplexity(&edited, &step)?;
    progress.finish();
    let change = PerplexityChange {
        text: sha256.to_owned(),
        windows: text.how(),
        tokens: before.tokens,
        base: before.perplexity,
        edited: after.perplexity,
    };
    run.write_json(PERPLEXITY, &MeasuredText { interventions: best.clone(), change })
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

/// Scores the candidates that the journal does not have yet: on test where there are `blanks`, with records, else on
/// validation.
fn score(
    subject: &Subject,
    candidates: &[Candidate],
    examples: &[&Example],
    blanks: Option<&Blanks>,
    memory: usize,
    journal: &mut Journal,
    progress: &dyn Progress,
) -> Result<()> {
    let layers = subject.model.config().layers;
    let (split, what, detail) = match blanks {
        None => (SplitName::Validation, "validation", Detail::Outcome),
        Some(_) => (SplitName::Test, "test", Detail::Full),
    };
    let missing: Vec<&Candidate> =
        candidates.iter().filter(|candidate| journal.get(split, candidate).is_none()).collect();
    let step = examples.len();
    progress.start(what, candidates.len() * step, (candidates.len() - missing.len()) * step);
    if missing.is_empty() {
        progress.finish();
        return Ok(());
    }
    let mut evaluator = Evaluator::new(subject.model, subject.tokenizer, examples.to_vec(), memory)?;
    let mut editor = Editor::new(subject.checkpoint, subject.model);
    // Where the examples take several chunks, the candidates of a layer go through a chunk one after the other, so that
    // its streams are made once a layer.
    let same_work = |a: &&Candidate, b: &&Candidate| evaluator.chunks() > 1 && a.boundary(layers) == b.boundary(layers);
    let groups: Vec<&[&Candidate]> = missing.chunk_by(same_work).collect();
    for group in groups {
        let mut scored: Vec<Scored> = group.iter().map(|_| Scored::default()).collect();
        for chunk in 0..evaluator.chunks() {
            for (candidate, scored) in group.iter().zip(&mut scored) {
                let edited = editor.edit(candidate)?;
                let responses = evaluator.evaluate_chunk(chunk, &edited, candidate.boundary(layers), detail)?;
                progress.advance(responses.len());
                if blanks.is_some() {
                    for response in &responses {
                        let example = examples[scored.records.len()];
                        scored.records.push(Record::new(example, response, subject.tokenizer)?);
                    }
                }
                scored.outcomes.extend(responses.iter().map(|response| response.outcome));
            }
        }
        for (candidate, scored) in group.iter().zip(scored) {
            let entry = Entry::new(split, candidate, &scored.outcomes);
            let entry = match blanks {
                None => entry,
                Some(blanks) => {
                    entry.with_records(with_blanks(subject, &editor.edit(candidate)?, blanks, scored.records)?)
                }
            };
            journal.append(entry)?;
        }
    }
    progress.finish();
    Ok(())
}

/// What a candidate gave so far.
#[derive(Default)]
struct Scored {
    outcomes: Vec<Outcome>,
    records: Vec<Record>,
}

/// The records with what the model says to empty prompts.
fn with_blanks(subject: &Subject, edited: &Model, blanks: &Blanks, mut records: Vec<Record>) -> Result<Vec<Record>> {
    let examples: Vec<&Example> = blanks.examples.iter().collect();
    // Nothing is kept from one model to the next.
    let mut evaluator = Evaluator::new(edited, subject.tokenizer, examples, BLANK_MEMORY)?;
    let responses = evaluator.evaluate(edited, 0, Detail::Outcome)?;
    blanks.note(&responses, &mut records);
    Ok(records)
}

/// Bytes for the activations of empty prompts.
const BLANK_MEMORY: usize = 1 << 27;

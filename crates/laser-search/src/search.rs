//! The main job: score candidates on validation, choose one, judge it on test.

use crate::journal::{Entry, Journal, SplitName};
use crate::rounding;
use crate::run_folder::RunFolder;
use crate::strategy::{Account, Strategy};
use crate::sweep::Sweep;
use crate::verdict::{self, Evidence, Pair, Verdict};
use crate::{Error, Result};
use laser_checkpoint::{Checkpoint, FileHash};
use laser_engine::ContentFreePrompts;
use laser_engine::Corpus;
use laser_engine::{Candidate, Editor};
use laser_model::{Model, Tokenizer};
use laser_run::PerplexityChange;
use laser_run::Progress;
use laser_tasks::{Example, Split, Task};

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
    /// The candidates of the space.
    pub candidates: &'a [Candidate],
    /// A copy of the model in another precision, by which candidates are compared; what is chosen is judged by the model itself.
    pub rounded: Option<&'a Model>,
    /// Which of them are scored, and what is made of them.
    pub strategy: &'a dyn Strategy,
    /// The examples of each split.
    pub split: &'a Split,
    /// Seed of the races' order and of the bootstrap.
    pub seed: u64,
    /// Bytes for kept streams.
    pub memory: usize,
    /// The model's files, for the recipe.
    pub model_files: &'a [FileHash],
    /// A text whose perplexity is measured before and after, and the SHA-256 of its file.
    pub text: Option<(&'a Corpus, &'a str)>,
}

/// The file of what a strategy did.
const ACCOUNT: &str = "strategy.json";

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

    let (validation, test) = (pick(&plan.split.validation), pick(&plan.split.test));
    run.write_examples(&validation, &test)?;
    let compared = Subject { model: plan.rounded.unwrap_or(subject.model), ..*subject };
    {
        // Each sweep has the whole memory, and lets go of it before the next.
        let mut sweep =
            Sweep::on_validation(&compared, validation.clone(), plan.seed, plan.memory, &mut journal, progress)?;
        sweep.score("base", &[Candidate::base()])?;
        let account = plan.strategy.run(&mut sweep, plan.candidates, run)?;
        run.write_json(ACCOUNT, &account)?;
    }
    let best = chosen(&journal)?;

    if plan.rounded.is_some() {
        let of = [Candidate::base(), best.clone()];
        rounding::measure(subject, &of, &validation, plan.memory, &journal, run, progress)?;
    }

    let blanks = ContentFreePrompts::new(task, &test)?;
    let mut sweep = Sweep::on_test(subject, test, &blanks, plan.memory, &mut journal, progress)?;
    sweep.score("test", &[Candidate::base(), best.clone()])?;
    if let Some((text, sha256)) = plan.text {
        measure(subject, &best, text, sha256, run, progress)?;
    }
    run.write_json("best.json", &Recipe { interventions: best, model: plan.model_files.to_vec() })?;
    judge_and_write(run, &journal, plan.text.map(|(_, sha256)| sha256), plan.seed)
}

/// The verdict of a finished search, from its folder alone; `verdict.json` is written anew.
pub fn rejudge(run: &RunFolder) -> Result<Verdict> {
    let description = run.description()?.ok_or_else(|| laser_run::Error::Unfinished { path: run.path().to_owned() })?;
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
    let unfinished = || laser_run::Error::Unfinished { path: run.path().to_owned() };
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
    let account: Option<Account> = run.read_json(ACCOUNT, "run the search again, which writes it anew")?;
    let account = account.ok_or_else(unfinished)?;
    let verdict = verdict::judge(&Evidence {
        base: pair(&Candidate::base()).ok_or_else(unfinished)?,
        edited: pair(&best).ok_or_else(unfinished)?,
        candidates: &candidates,
        dropped: account.dropped,
        adaptive: account.is_adaptive(),
        validation: &validation.iter().collect::<Vec<_>>(),
        test: &test.iter().collect::<Vec<_>>(),
        perplexity,
        seed,
    });
    let verdict = verdict.ok_or_else(|| laser_run::Error::Malformed {
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
    text: &Corpus,
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
    Ok(run.write_json(PERPLEXITY, &MeasuredText { interventions: best.clone(), change })?)
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

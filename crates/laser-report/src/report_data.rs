//! Everything that a report shows of a RUN folder.

use crate::changed_example::ChangedExample;
use crate::reason_text::because;
use crate::sweep::{Other, Sweep};
use laser_edit::Candidate;
use laser_example::{Example, Score};
use laser_run::{
    Bf16Check, Entries, RunDescription, RunFolder, SearchTrace, SplitName, Verdict, Word, chosen, statistics,
};
use serde::Serialize;
use std::path::PathBuf;

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has a verdict.
    Finished,
    /// A process writes to the folder.
    Running,
    /// It stopped before its end.
    Unfinished,
}

/// What there is of a RUN folder, however much that is.
#[derive(Debug, Clone, Serialize)]
pub struct ReportData {
    /// The folder.
    pub folder: PathBuf,
    /// How far the search is.
    pub state: State,
    /// What could not be read or does not fit, a line each.
    pub problems: Vec<String>,
    /// `run.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunDescription>,
    /// The verdict's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<Word>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The unedited model on validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Score>,
    /// The best candidate so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// How many candidates were scored on the whole validation split.
    pub candidates: usize,
    /// The candidates of one edit that are points of the grid.
    pub sweep: Sweep,
    /// The other candidates, the better first.
    pub others: Vec<Other>,
    /// How the search went through its space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<SearchTrace>,
    /// What comparing in bf16 changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bf16_checks: Option<Vec<Bf16Check>>,
    /// What candidates cost, where that was measured.
    pub costs: Vec<Cost>,
    /// The test examples whose result the best candidate changes.
    pub changed: Vec<ChangedExample>,
    /// When the search began and when it last scored something, as far as the files tell; asked for by [`Self::with_times`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<[String; 2]>,
}

/// A candidate on validation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Best {
    /// Its edits.
    pub edits: Candidate,
    /// Its score on validation.
    pub score: Score,
}

/// What a candidate gains on the task and costs elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// The edits; `base` for none.
    pub edits: String,
    /// Change of test accuracy, as a fraction.
    pub gain: f64,
    /// Change of a text's perplexity, as a fraction.
    pub perplexity: f64,
}

/// All of a RUN folder that can be read. [`ReportData`] is what is shown of it.
#[derive(Debug)]
pub struct ReadRun {
    /// What is shown.
    pub data: ReportData,
    /// What has been scored.
    pub entries: Entries,
    /// The examples of the validation split, if they could be read.
    pub validation: Vec<Example>,
    /// The examples of the test split, if they could be read.
    pub test: Vec<Example>,
}

impl ReadRun {
    /// Reads `folder`. Whatever cannot be read is left out and named in [`ReportData::problems`].
    pub fn open(folder: &RunFolder) -> Self {
        Self::read(folder, |problems| match folder.judge() {
            Ok(verdict) => Some(verdict),
            // That it is not finished is its state; what is damaged has been named.
            Err(laser_run::Error::Unfinished { .. } | laser_run::Error::Running { .. }) => None,
            Err(error) => {
                if problems.is_empty() {
                    problems.push(error.to_string());
                }
                None
            }
        })
    }

    /// The same where the verdict is known: of many candidates it takes a while.
    pub fn of_finished(folder: &RunFolder, verdict: Verdict) -> Self {
        Self::read(folder, |_| Some(verdict))
    }

    fn read(folder: &RunFolder, verdict: impl FnOnce(&mut Vec<String>) -> Option<Verdict>) -> Self {
        let mut problems = Vec::new();
        let run = noted(folder.description(), &mut problems);
        let (entries, wrong) = noted(folder.sound_entries(), &mut problems).unwrap_or_default();
        problems.extend(some_of(&wrong));
        let (validation, test) = examples(folder, &mut problems);
        let trace = noted(folder.trace(), &mut problems).flatten();
        let bf16_checks = noted(folder.bf16_checks(), &mut problems).flatten();
        let running = folder.is_running();
        let verdict = verdict(&mut problems);
        if let Some(other) = run.as_ref().map(|run| &run.version).filter(|version| *version != VERSION) {
            problems.push(format!(
                "the search was run by version {other} of laser, and this is version {VERSION}: what the other recorded \
                 differently may be missing here"
            ));
        }
        let state = match (&verdict, running) {
            (_, true) => State::Running,
            (Some(_), false) => State::Finished,
            (None, false) => State::Unfinished,
        };
        let base = Candidate::base();
        let candidates = entries.candidates();
        let (sweep, others) = Sweep::of(&candidates);
        let best = chosen(&entries).and_then(|edits| {
            let score = entries.get(SplitName::Validation, &edits)?.score;
            Some(Best { edits, score })
        });
        let changed = changed(&entries, verdict.as_ref(), &test);
        let data = ReportData {
            folder: folder.path().to_owned(),
            state,
            problems,
            word: verdict.as_ref().map(Verdict::word),
            because: verdict.as_ref().map(|verdict| because(&verdict.reason)),
            base: entries.get(SplitName::Validation, &base).map(|entry| entry.score),
            best,
            candidates: candidates.len(),
            sweep,
            others,
            trace,
            bf16_checks,
            costs: costs(verdict.as_ref()),
            changed,
            times: None,
            verdict,
            run,
        };
        Self { data, entries, validation, test }
    }
}

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

impl ReportData {
    /// The same with the times that the folder's files carry. They are not part of the outcome, so that the report that a search
    /// writes does without them.
    pub fn with_times(mut self, folder: &RunFolder) -> Self {
        if let [Some(began), Some(scored)] = folder.written() {
            self.times = Some([began, scored].map(|time| humantime::format_rfc3339_seconds(time).to_string()));
        }
        self
    }

    /// The model's name: the last part of its path.
    pub fn model_name(&self) -> String {
        self.run.as_ref().map_or_else(|| "an unknown model".to_owned(), |run| last_part(&run.model.path))
    }

    /// The task's name.
    pub fn task_name(&self) -> String {
        self.run.as_ref().map_or_else(|| "an unknown task".to_owned(), |run| last_part(&run.task.spec))
    }

    /// Whether results are right or wrong, so that their mean is an accuracy.
    pub fn is_binary(&self) -> bool {
        self.run.as_ref().is_none_or(|run| run.task.results.is_binary())
    }

    /// How many candidates the search has to score, where `run.json` tells.
    pub fn asked(&self) -> Option<usize> {
        let search = &self.run.as_ref()?.search;
        let edits = search.rho.len() * search.blocks.len() + search.edits.len();
        let grid = search.layers.len() * search.matrices.len() * edits;
        (grid > 0 && search.strategy == "exhaustive").then_some(grid)
    }

    /// The 95 % interval of a validation accuracy, where results are right or wrong.
    pub fn interval(&self, score: &Score) -> Option<statistics::Interval> {
        let right = (score.accuracy * score.n as f64).round() as usize;
        self.is_binary().then(|| statistics::wilson(right, score.n))
    }
}

fn last_part(path: &str) -> String {
    let name = path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(path);
    if name.is_empty() { path.to_owned() } else { name.to_owned() }
}

/// The value, or nothing and a problem more.
fn noted<T>(result: Result<T, laser_run::Error>, problems: &mut Vec<String>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let text = error.to_string();
            if !problems.contains(&text) {
                problems.push(text);
            }
            None
        }
    }
}

/// The first of many like errors, and how many more there are.
fn some_of(errors: &[laser_run::Error]) -> Vec<String> {
    const SHOWN: usize = 3;
    let mut texts: Vec<String> = errors.iter().take(SHOWN).map(ToString::to_string).collect();
    if errors.len() > SHOWN {
        texts.push(format!("{} more lines of the journal are damaged", errors.len() - SHOWN));
    }
    texts
}

fn examples(folder: &RunFolder, problems: &mut Vec<String>) -> (Vec<Example>, Vec<Example>) {
    let mut split = |split| match folder.examples(split) {
        // A search that has just begun has not written them yet.
        Err(laser_run::Error::Unfinished { .. } | laser_run::Error::Running { .. }) => Vec::new(),
        found => noted(found, problems).unwrap_or_default(),
    };
    (split(SplitName::Validation), split(SplitName::Test))
}

fn changed(entries: &Entries, verdict: Option<&Verdict>, test: &[Example]) -> Vec<ChangedExample> {
    let Some(verdict) = verdict else { return Vec::new() };
    let on_test = |candidate| entries.get(SplitName::Test, candidate).filter(|entry| entry.is_over(test.len()));
    match (on_test(&Candidate::base()), on_test(&verdict.best)) {
        (Some(base), Some(edited)) => ChangedExample::all(test, base, edited),
        _ => Vec::new(),
    }
}

fn costs(verdict: Option<&Verdict>) -> Vec<Cost> {
    let Some((verdict, change)) = verdict.and_then(|it| Some((it, it.perplexity.as_ref()?))) else { return Vec::new() };
    let edited = Cost {
        edits: verdict.best.to_string(),
        gain: verdict.test.accuracy_gain,
        perplexity: change.edited / change.base - 1.0,
    };
    vec![Cost { edits: Candidate::base().to_string(), gain: 0.0, perplexity: 0.0 }, edited]
}

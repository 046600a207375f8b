//! Everything that a report shows of a RUN folder.

use crate::changed_example::ChangedExample;
use crate::reason_text::because;
use crate::result_form::ResultForm;
use crate::sweep::{Other, Sweep};
use crate::time_text::seconds_text;
use laser_edit::Candidate;
use laser_example::{Example, Score};
use laser_run::{
    Bf16Check, CostLimits, CostedCandidate, Costs, Entries, JudgedFiles, Objective, RunDescription, RunFolder,
    SearchTrace, SplitName, Verdict, Word, chosen, costed,
};
use serde::{Serialize, Serializer};
use std::path::{Path, PathBuf};

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
    /// The folder. Where its name is not UTF-8, JSON has U+FFFD in it.
    #[serde(serialize_with = "shown")]
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
    pub costs: Vec<CostedCandidate>,
    /// The test examples whose result the best candidate changes.
    pub changed: Vec<ChangedExample>,
    /// A picture of an example that the best candidate changes, as SVG: [`EXAMPLE_PICTURE`].
    #[serde(skip)]
    pub picture: Option<String>,
    /// When the search began and when it last scored something, as far as the files tell; asked for by [`Self::with_times`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<[String; 2]>,
}

fn shown<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// The file of a RUN folder with a picture of an example, such as a game that was played.
pub const EXAMPLE_PICTURE: &str = "example.svg";

/// A picture of more bytes is not shown.
const LARGEST_PICTURE: u64 = 1 << 18;

fn picture_of(folder: &RunFolder) -> Option<String> {
    let path = folder.path().join(EXAMPLE_PICTURE);
    let text = laser_guard::read_text(&path, LARGEST_PICTURE).ok();
    text.filter(|text| text.starts_with("<svg"))
}

/// A candidate on validation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Best {
    /// Its edits.
    pub edits: Candidate,
    /// Its score on validation.
    pub score: Score,
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

/// What there is of a run: read from its folder, or still in memory.
#[derive(Debug, Default)]
pub struct RunParts {
    /// `run.json`.
    pub description: Option<RunDescription>,
    /// What has been scored.
    pub entries: Entries,
    /// The examples of the validation split.
    pub validation: Vec<Example>,
    /// The examples of the test split.
    pub test: Vec<Example>,
    /// What candidates cost elsewhere.
    pub costs: Costs,
    /// How the search went through its space.
    pub trace: Option<SearchTrace>,
    /// What comparing in bf16 changed.
    pub bf16_checks: Option<Vec<Bf16Check>>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// What could not be read or does not fit, a line each.
    pub problems: Vec<String>,
}

impl RunParts {
    /// Reads `folder`. Whatever cannot be read is left out and is a problem. `judged`: with the
    /// verdict, which takes a while where there are many candidates.
    fn read(folder: &RunFolder, judged: bool) -> Self {
        let mut problems = Vec::new();
        let description = noted(folder.description(), &mut problems);
        // Before the journal, which a search that runs goes on with.
        let trace = noted(folder.trace(), &mut problems).flatten();
        let bf16_checks = noted(folder.bf16_checks(), &mut problems).flatten();
        let read = noted(folder.sound_entries(), &mut problems);
        let whole = read.as_ref().is_some_and(|(_, wrong)| wrong.is_empty());
        let (entries, wrong) = read.unwrap_or_default();
        problems.extend(some_of(&wrong));
        let splits = match folder.splits() {
            // A search that has just begun has not written them yet.
            Err(laser_run::Error::Unfinished { .. } | laser_run::Error::Running { .. }) => None,
            found => noted(found, &mut problems),
        };
        let fits = match (whole, &description, &trace) {
            (true, Some(description), Some(trace)) => {
                noted(folder.check_trace(trace, &entries, description), &mut problems).is_some()
            }
            _ => true,
        };
        let bf16_checks = bf16_checks
            .filter(|checks| !whole || noted(folder.check_bf16_checks(checks, &entries), &mut problems).is_some());
        let costs = noted(folder.costs(), &mut problems).unwrap_or_default();
        let mut verdict = None;
        if let (true, Some(description), Some((validation, test))) = (judged && whole && fits, &description, &splits) {
            let (trace, costs) = (trace.as_ref(), &costs);
            let files = JudgedFiles { description, entries: &entries, costs, validation, test, trace };
            verdict = match files.judge(folder) {
                // That it is not finished is its state.
                Err(laser_run::Error::Unfinished { .. } | laser_run::Error::Running { .. }) => None,
                judged => noted(judged, &mut problems),
            };
        }
        if judged && fits && verdict.is_none() && !folder.is_running() {
            problems.extend(lost(folder, description.as_ref()));
        }
        let (validation, test) = splits.unwrap_or_default();
        let trace = trace.filter(|_| fits);
        Self { description, entries, validation, test, costs, trace, bf16_checks, verdict, problems }
    }
}

impl ReadRun {
    /// Reads `folder`. Whatever cannot be read is left out and named in [`ReportData::problems`].
    pub fn open(folder: &RunFolder) -> Self {
        Self::of(folder, RunParts::read(folder, true))
    }

    /// The same of a search that has not come to its end, which has no verdict.
    pub fn of_running(folder: &RunFolder) -> Self {
        Self::of(folder, RunParts::read(folder, false))
    }

    /// What `parts` show of the run in `folder`.
    pub fn of(folder: &RunFolder, parts: RunParts) -> Self {
        let RunParts { description: run, entries, validation, test, costs, trace, bf16_checks, verdict, mut problems } =
            parts;
        let running = folder.is_running();
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
        let tasks = run.as_ref().map_or(&[][..], |run| &run.search.tasks);
        let objective = Objective::of(tasks, &validation.iter().collect::<Vec<_>>(), &entries);
        let costed = costed(&entries, &costs, &objective, verdict.as_ref().map(|verdict| &verdict.best));
        let sweep = sweep.with_costs(&costed);
        let limits = run.as_ref().map_or_else(CostLimits::default, |run| run.search.limits);
        let best = chosen(&entries, &costs, &limits, &objective)
            .filter(|edits| verdict.is_some() || *edits != base)
            .and_then(|edits| {
                let score = entries.get(SplitName::Validation, &edits)?.score;
                Some(Best { edits, score })
            });
        let changed = changed(&entries, verdict.as_ref(), &test);
        let data = ReportData {
            folder: folder.path().to_owned(),
            state,
            problems,
            word: verdict.as_ref().map(Verdict::word),
            because: verdict.as_ref().map(because),
            base: entries.get(SplitName::Validation, &base).map(|entry| entry.score),
            best,
            candidates: candidates.len(),
            sweep,
            others,
            trace,
            bf16_checks,
            costs: costed,
            changed,
            times: None,
            picture: picture_of(folder),
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
        if let [Some(began), Some(scored)] = folder.written().map(|time| time.and_then(seconds_text)) {
            self.times = Some([began, scored]);
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

    /// How results are written.
    pub(crate) fn form(&self) -> ResultForm {
        ResultForm { binary: self.is_binary() }
    }
}

/// The last part of a path: where it lay on somebody's machine is left out.
pub fn last_part(path: &str) -> String {
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

/// What is said of a search that had come to its end and cannot be judged any more.
fn lost(folder: &RunFolder, description: Option<&RunDescription>) -> Option<String> {
    let path = |name: &str| folder.path().join(name);
    if !path("verdict.json").exists() {
        return None;
    }
    let measures = description.is_some_and(|run| run.search.measures_costs());
    let files = ["run.json", "journal.jsonl", "examples.jsonl"].into_iter().chain(measures.then_some("costs.jsonl"));
    let is_empty = |name: &&str| std::fs::metadata(path(name)).map_or(true, |it| it.len() == 0);
    let missing: Vec<&str> = files.filter(is_empty).collect();
    let why = match missing.as_slice() {
        [] => "some of its files are damaged or cut".to_owned(),
        missing => format!("{} missing or empty", missing.join(", ")),
    };
    Some(format!(
        "the search came to its end, and cannot be judged any more: {why}: run the same search again, which scores what is \
         missing"
    ))
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

fn changed(entries: &Entries, verdict: Option<&Verdict>, test: &[Example]) -> Vec<ChangedExample> {
    let Some(verdict) = verdict else { return Vec::new() };
    let on_test = |candidate| entries.get(SplitName::Test, candidate).filter(|entry| entry.is_over(test.len()));
    match (on_test(&Candidate::base()), on_test(&verdict.best)) {
        (Some(base), Some(edited)) => ChangedExample::all(test, base, edited),
        _ => Vec::new(),
    }
}

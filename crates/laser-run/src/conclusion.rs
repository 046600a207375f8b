//! The verdict of a finished search, from what was noted of it.

use crate::bf16_check::Bf16Check;
use crate::contradicted::{of_bf16_checks, of_trace};
use crate::cost_change::CostChange;
use crate::cost_limits::CostLimits;
use crate::description::RunDescription;
use crate::entries::Entries;
use crate::entry::{Entry, SplitName};
use crate::error::{Error, Result};
use crate::measured_costs::Costs;
use crate::objective::{Objective, TaskMembers};
use crate::run_file::RunFile;
use crate::run_folder::RunFolder;
use crate::search_trace::SearchTrace;
use crate::verdict::{Evidence, Pair, TaskVerdict, Verdict, judge};
use laser_edit::Candidate;
use laser_example::Example;

/// All that is known at the end of a search.
pub struct Conclusion<'a> {
    /// Everything that has been scored.
    pub entries: &'a Entries,
    /// What the strategy did.
    pub trace: &'a SearchTrace,
    /// The examples of the validation split.
    pub validation: &'a [&'a Example],
    /// The examples of the test split.
    pub test: &'a [&'a Example],
    /// What edits do elsewhere than on the task.
    pub costs: &'a Costs,
    /// What was asked for.
    pub run: &'a RunDescription,
}

/// What a verdict cannot be made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Something has not been scored yet.
    Unfinished,
    /// Entries and examples do not belong together.
    Inconsistent,
}

/// The best candidate on validation by `objective` within the limits on what it may cost; the unedited model where none is within them. None
/// where no candidate has been scored.
pub fn chosen(entries: &Entries, costs: &Costs, limits: &CostLimits, objective: &Objective) -> Option<Candidate> {
    if entries.candidates().is_empty() {
        return None;
    }
    let candidates = within(entries, costs, limits);
    Some(objective.best(&candidates).map_or_else(Candidate::base, |best| candidates[best].interventions.clone()))
}

/// What candidates gave that are known to be within the limits.
fn within<'e>(entries: &'e Entries, costs: &Costs, limits: &CostLimits) -> Vec<&'e Entry> {
    let mut candidates = entries.candidates();
    if !limits.is_none() {
        let cost = |candidate: &Candidate| costs.get(SplitName::Validation, candidate);
        let admitted =
            |candidate| cost(&Candidate::base()).zip(cost(candidate)).is_some_and(|(a, b)| limits.admit(a, b));
        candidates.retain(|entry| admitted(&entry.interventions));
    }
    candidates
}

impl Conclusion<'_> {
    /// The verdict.
    ///
    /// # Errors
    /// Something is missing, or does not belong to the rest.
    pub fn verdict(&self) -> Result<Verdict, Unfit> {
        let search = &self.run.search;
        let on_validation = TaskMembers::new(&search.tasks, self.validation);
        let base = self.entries.get(SplitName::Validation, &Candidate::base()).ok_or(Unfit::Unfinished)?;
        let objective = on_validation.objective(base);
        let best = chosen(self.entries, self.costs, &search.limits, &objective).ok_or(Unfit::Unfinished)?;
        let pair = |candidate: &Candidate| {
            let on = |split| self.entries.get(split, candidate).ok_or(Unfit::Unfinished);
            Ok(Pair { validation: on(SplitName::Validation)?, test: on(SplitName::Test)? })
        };
        let cost = match search.measures_costs() {
            true => {
                let on_test = |candidate| self.costs.get(SplitName::Test, candidate).ok_or(Unfit::Unfinished);
                Some(CostChange::new(self.run, on_test(&Candidate::base())?, on_test(&best)?))
            }
            false => None,
        };
        let mut candidates = within(self.entries, self.costs, &search.limits);
        if candidates.is_empty() {
            // Nothing was chosen: what chance shows is told of all.
            candidates = self.entries.candidates();
        }
        let last_round = self.trace.last_round(self.validation.len(), search.seed);
        let evidence = Evidence {
            base: pair(&Candidate::base())?,
            edited: pair(&best)?,
            candidates: &candidates,
            dropped: self.trace.dropped,
            adaptive: self.trace.is_adaptive(),
            last_round: last_round.as_deref(),
            validation: self.validation,
            test: self.test,
            cost,
            limits: search.limits,
            seed: search.seed,
        };
        let mut verdict = judge(&evidence).ok_or(Unfit::Inconsistent)?;
        let on_test = TaskMembers::new(&search.tasks, self.test);
        for (number, task) in search.tasks.iter().enumerate() {
            let numbers = [on_validation.examples_of(number), on_test.examples_of(number)];
            let of_task = evidence.of_examples(&numbers).ok_or(Unfit::Inconsistent)?;
            verdict.tasks.push(TaskVerdict { name: task.name.clone(), weight: task.weight, verdict: of_task });
        }
        Ok(verdict)
    }
}

impl Unfit {
    /// The error that says so of `folder`.
    pub fn of(self, folder: &RunFolder) -> Error {
        match self {
            Self::Unfinished => folder.unfinished(),
            Self::Inconsistent => Error::Malformed {
                path: folder.path().to_owned(),
                why: "journal.jsonl and examples.jsonl do not belong together".into(),
                advice: "remove examples.jsonl and run the search again, which writes it anew; if that does not help, \
                         journal.jsonl, too",
            },
        }
    }
}

/// The files of a RUN folder that a verdict follows from, as they were read.
pub struct JudgedFiles<'a> {
    /// `run.json`.
    pub description: &'a RunDescription,
    /// `journal.jsonl`.
    pub entries: &'a Entries,
    /// `costs.jsonl`.
    pub costs: &'a Costs,
    /// The validation split of `examples.jsonl`.
    pub validation: &'a [Example],
    /// Its test split.
    pub test: &'a [Example],
    /// `strategy.json`, if it is there.
    pub trace: Option<&'a SearchTrace>,
}

impl JudgedFiles<'_> {
    /// The verdict of the finished search in `folder`, whose files these are.
    ///
    /// # Errors
    /// [`Error::Unfinished`], or what does not belong together.
    pub fn judge(&self, folder: &RunFolder) -> Result<Verdict> {
        let trace = self.trace.ok_or_else(|| folder.unfinished())?;
        // Figures that were computed in bf16 are told with what that changed.
        if self.description.search.dtype.is_some() && folder.bf16_checks()?.is_none() {
            let (path, advice) = (RunFile::Bf16Checks.at(folder.path()), "run the search again, which writes it anew");
            return Err(Error::Malformed { path, why: "it is missing".to_owned(), advice });
        }
        if trace.examples != self.validation.len() {
            let path = RunFile::Trace.at(folder.path());
            let (found, of) = (trace.examples, self.validation.len());
            let why = format!("it is of a search on {found} validation examples, and examples.jsonl has {of}");
            return Err(Error::Malformed { path, why, advice: RunFile::Trace.advice() });
        }
        let conclusion = Conclusion {
            entries: self.entries,
            trace,
            validation: &self.validation.iter().collect::<Vec<_>>(),
            test: &self.test.iter().collect::<Vec<_>>(),
            costs: self.costs,
            run: self.description,
        };
        let verdict = conclusion.verdict().map_err(|unfit| unfit.of(folder))?;
        folder.check_trace(trace, self.entries, self.description)?;
        Ok(verdict)
    }
}

impl RunFolder {
    /// Compares what `strategy.json` tells with the journal's entries.
    ///
    /// # Errors
    /// [`Error::Malformed`] if they do not belong together.
    pub fn check_trace(&self, trace: &SearchTrace, entries: &Entries, run: &RunDescription) -> Result<()> {
        self.refused(RunFile::Trace, of_trace(trace, entries, run))
    }

    /// Compares what `rounding.json` tells with the journal's entries.
    ///
    /// # Errors
    /// [`Error::Malformed`] if they do not belong together.
    pub fn check_bf16_checks(&self, checks: &[Bf16Check], entries: &Entries) -> Result<()> {
        self.refused(RunFile::Bf16Checks, of_bf16_checks(checks, entries))
    }

    fn refused(&self, file: RunFile, why: Option<String>) -> Result<()> {
        match why {
            None => Ok(()),
            Some(why) => Err(Error::Malformed { path: file.at(self.path()), why, advice: file.advice() }),
        }
    }

    /// The verdict of the finished search in this folder, from its files alone.
    ///
    /// # Errors
    /// A file cannot be read, or [`Error::Unfinished`].
    pub fn judge(&self) -> Result<Verdict> {
        let (validation, test) = self.splits()?;
        let (trace, costs) = (self.trace()?, self.costs()?);
        let files = JudgedFiles {
            description: &self.description()?,
            entries: &self.entries()?,
            costs: &costs,
            validation: &validation,
            test: &test,
            trace: trace.as_ref(),
        };
        files.judge(self)
    }
}

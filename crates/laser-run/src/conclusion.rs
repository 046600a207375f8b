//! The verdict of a finished search, from what was noted of it.

use crate::description::RunDescription;
use crate::entries::Entries;
use crate::entry::{SplitName, best};
use crate::error::{Error, Result};
use crate::perplexity::MeasuredText;
use crate::run_file::RunFile;
use crate::run_folder::RunFolder;
use crate::search_trace::SearchTrace;
use crate::verdict::{Evidence, Pair, Verdict, judge};
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
    /// A text before and after the edit, where one was to be measured.
    pub text: Option<&'a MeasuredText>,
    /// Seed of everything that is drawn.
    pub seed: u64,
}

/// What a verdict cannot be made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Something has not been scored yet.
    Unfinished,
    /// Entries and examples do not belong together.
    Inconsistent,
}

/// The best candidate on validation, if any has been scored.
pub fn chosen(entries: &Entries) -> Option<Candidate> {
    let candidates = entries.candidates();
    best(&candidates).map(|best| candidates[best].interventions.clone())
}

impl Conclusion<'_> {
    /// The verdict.
    ///
    /// # Errors
    /// Something is missing, or does not belong to the rest.
    pub fn verdict(&self) -> Result<Verdict, Unfit> {
        let best = chosen(self.entries).ok_or(Unfit::Unfinished)?;
        let pair = |candidate: &Candidate| {
            let on = |split| self.entries.get(split, candidate).ok_or(Unfit::Unfinished);
            Ok(Pair { validation: on(SplitName::Validation)?, test: on(SplitName::Test)? })
        };
        if self.text.is_some_and(|text| text.interventions != best) {
            return Err(Unfit::Unfinished);
        }
        let verdict = judge(&Evidence {
            base: pair(&Candidate::base())?,
            edited: pair(&best)?,
            candidates: &self.entries.candidates(),
            dropped: self.trace.dropped,
            adaptive: self.trace.is_adaptive(),
            last_round: self.trace.last_round(self.validation.len(), self.seed).as_deref(),
            validation: self.validation,
            test: self.test,
            perplexity: self.text.map(|text| text.change.clone()),
            seed: self.seed,
        });
        verdict.ok_or(Unfit::Inconsistent)
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
    /// The validation split of `examples.jsonl`.
    pub validation: &'a [Example],
    /// Its test split.
    pub test: &'a [Example],
    /// `strategy.json`, if it is there.
    pub trace: Option<&'a SearchTrace>,
    /// `perplexity.json`, if it is there.
    pub text: Option<&'a MeasuredText>,
}

impl JudgedFiles<'_> {
    /// The verdict of the finished search in `folder`, whose files these are.
    ///
    /// # Errors
    /// [`Error::Unfinished`], or what does not belong together.
    pub fn judge(&self, folder: &RunFolder) -> Result<Verdict> {
        let text = match &self.description.search.text {
            Some(asked) => {
                let measured = self.text.filter(|measured| measured.change.text == asked.sha256);
                Some(measured.ok_or_else(|| folder.unfinished())?)
            }
            None => None,
        };
        let trace = self.trace.ok_or_else(|| folder.unfinished())?;
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
            text,
            seed: self.description.search.seed,
        };
        conclusion.verdict().map_err(|unfit| unfit.of(folder))
    }
}

impl RunFolder {
    /// The verdict of the finished search in this folder, from its files alone.
    ///
    /// # Errors
    /// A file cannot be read, or [`Error::Unfinished`].
    pub fn judge(&self) -> Result<Verdict> {
        let (validation, test) = self.splits()?;
        let (trace, text) = (self.trace()?, self.perplexity()?);
        let files = JudgedFiles {
            description: &self.description()?,
            entries: &self.entries()?,
            validation: &validation,
            test: &test,
            trace: trace.as_ref(),
            text: text.as_ref(),
        };
        files.judge(self)
    }
}

//! The files of a RUN folder.

use std::path::{Path, PathBuf};

/// A file of a RUN folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunFile {
    Description,
    Journal,
    Examples,
    Trace,
    Ranking,
    Bf16Checks,
    Costs,
    Recipe,
    Verdict,
    Report,
    Lock,
}

impl RunFile {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::Description,
        Self::Journal,
        Self::Examples,
        Self::Trace,
        Self::Ranking,
        Self::Bf16Checks,
        Self::Costs,
        Self::Recipe,
        Self::Verdict,
        Self::Report,
        Self::Lock,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Description => "run.json",
            Self::Journal => "journal.jsonl",
            Self::Examples => "examples.jsonl",
            Self::Trace => "strategy.json",
            Self::Ranking => "gradient.json",
            Self::Bf16Checks => "rounding.json",
            Self::Costs => "costs.jsonl",
            Self::Recipe => "best.json",
            Self::Verdict => "verdict.json",
            Self::Report => "report.html",
            Self::Lock => "lock",
        }
    }

    /// Where it is in the RUN folder `run`.
    pub fn at(self, run: &Path) -> PathBuf {
        run.join(self.name())
    }

    /// What to do where it does not hold what it should.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Description => "choose another folder",
            Self::Examples => "remove the file and run the search again, which writes it anew",
            Self::Ranking => "remove the file and run the search again, which makes it anew",
            Self::Bf16Checks => "remove the file and run the search again",
            Self::Trace | Self::Recipe | Self::Verdict | Self::Report | Self::Journal | Self::Costs | Self::Lock => {
                "run the search again, which writes it anew"
            }
        }
    }
}

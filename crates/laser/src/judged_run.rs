//! The verdict of a finished search, from its RUN folder alone.

use crate::error::Result;
use crate::session::Session;
use laser_report::{judged_text, verdict_file};
use laser_run::{Bf16Check, RunFolder, RunWriter, Verdict};
use std::path::Path;

/// A finished search, judged once more.
#[derive(Debug)]
pub struct JudgedRun {
    folder: RunFolder,
    /// The verdict.
    pub verdict: Verdict,
    /// What comparing in bf16 changed, if candidates were.
    pub bf16_checks: Option<Vec<Bf16Check>>,
}

impl Session {
    /// Judges the finished search in a RUN folder. It needs no model and no right to write, and a search may be running there.
    ///
    /// ```no_run
    /// let judged = laser::Session::judge("run")?;
    /// println!("{}: {}", judged.verdict.word(), judged.text());
    /// # Ok::<(), laser::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the folder holds no finished search, or its files do not belong together.
    pub fn judge(run: impl AsRef<Path>) -> Result<JudgedRun> {
        let folder = RunFolder::open(run.as_ref())?;
        let (verdict, bf16_checks) = (folder.judge()?, folder.bf16_checks()?);
        if let Some(checks) = &bf16_checks {
            folder.check_bf16_checks(checks, &folder.entries()?)?;
        }
        Ok(JudgedRun { folder, verdict, bf16_checks })
    }
}

impl JudgedRun {
    /// What a person reads.
    pub fn text(&self) -> String {
        judged_text(self.bf16_checks.as_deref(), &self.verdict)
    }

    /// Writes `verdict.json` anew.
    ///
    /// # Errors
    /// If the folder cannot be written, or a search is running in it.
    pub fn write(&self) -> Result<()> {
        Ok(RunWriter::reopen(&self.folder)?.write_verdict(&verdict_file(&self.verdict))?)
    }
}

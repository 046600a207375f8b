//! `laser verdict`: the verdict of a finished search, recomputed from its folder.

use crate::cli::{Global, VerdictOptions};
use crate::output;
use laser_report::{judged_text, verdict_file};
use laser_run::{RunFolder, RunWriter};

pub fn run(options: &VerdictOptions, global: &Global) -> anyhow::Result<()> {
    let run = RunFolder::open(&options.run)?;
    let verdict = run.judge()?;
    let file = verdict_file(&verdict);
    // Written anew where that is allowed and no search is running in the folder; it can be read either way.
    if let Ok(writer) = RunWriter::reopen(&run) {
        writer.write_verdict(&file)?;
    }
    if global.json {
        return output::print_json(&file);
    }
    output::print(&judged_text(run.bf16_checks()?.as_deref(), &verdict))
}

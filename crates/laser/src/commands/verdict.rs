//! `laser verdict`: the verdict of a finished search, recomputed from its folder.

use crate::cli::{Global, VerdictOptions};
use crate::output;
use laser::Session;
use laser_report::verdict_file;

pub fn run(options: &VerdictOptions, global: &Global) -> anyhow::Result<()> {
    let judged = Session::judge(&options.run)?;
    // The folder may be read-only, or a search may be running in it: the verdict is told all the same.
    let _ = judged.write();
    if global.json {
        return output::print_json(&verdict_file(&judged.verdict));
    }
    output::print(&judged.text())
}

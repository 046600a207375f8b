//! `laser verdict`: the verdict of a finished search, recomputed from its folder.

use super::search::judged;
use crate::cli::{Global, VerdictOptions};
use crate::output;
use laser_search::{RunFolder, rejudge};

pub fn run(options: &VerdictOptions, global: &Global) -> anyhow::Result<()> {
    let run = RunFolder::open_existing(&options.run)?;
    let verdict = rejudge(&run)?;
    if global.json {
        return output::print_json(&verdict);
    }
    output::print(&judged(&run, &verdict)?)
}

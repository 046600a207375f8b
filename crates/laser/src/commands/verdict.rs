//! `laser verdict`: the verdict of a finished search, recomputed from its folder.

use crate::bar::Bar;
use crate::cli::{Global, VerdictOptions};
use crate::output;
use laser::{Error, Session};
use laser_report::verdict_file;
use laser_run::Progress;
use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};

pub fn run(options: &VerdictOptions, global: &Global) -> anyhow::Result<()> {
    let judged = Session::judge(&options.run)?;
    if let Err(error) = judged.write()
        && !is_expected(&error)
    {
        Bar::new(global.quiet).note(&format!("verdict.json was not written anew: {error}"));
    }
    if global.json {
        return output::print_json(&verdict_file(&judged.verdict));
    }
    output::print(&judged.text())
}

/// The folder may be read-only, or a search may be running in it: it is read all the same.
fn is_expected(error: &Error) -> bool {
    match error {
        Error::Run(laser_run::Error::Busy { .. }) => true,
        Error::Run(laser_run::Error::Io { source, .. }) => {
            matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem)
        }
        _ => false,
    }
}

//! `laser merge`: the shards of a search as one search.

use super::search::tell;
use crate::bar::Bar;
use crate::cli::{Cli, Command, Global, MergeOptions, SearchOptions};
use clap::Parser;
use laser::Session;
use laser_report::{quoted, search_arguments};
use laser_run::Shards;
use std::ffi::OsString;
use std::sync::Arc;

pub fn run(options: &MergeOptions, global: &Global) -> anyhow::Result<()> {
    let asked = search_of(options)?;
    let progress = Arc::new(Bar::new(global.quiet));
    let source = asked.source()?;
    let plan = asked.space.plan(asked.costs.plan(&asked.text, &source))?;
    let task = source.read(&*progress)?;
    let session = Session::open_with(asked.model.checkpoint.source(), asked.session(progress.clone()))?;
    let found = session.merge(&session.settle(&task, &source)?, &plan, &options.run)?;
    tell(&found, &options.run, &asked.model.checkpoint.model, global, &*progress)
}

/// The search whose shards are in the folder, as its command would be read.
fn search_of(options: &MergeOptions) -> anyhow::Result<Box<SearchOptions>> {
    let shards = Shards::open(&options.run)?;
    let mut arguments: Vec<OsString> = vec!["laser".into()];
    let words = search_arguments(&shards.description);
    let command = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    arguments.extend(words.into_iter().map(OsString::from));
    arguments.extend(["--out".into(), options.run.clone().into_os_string()]);
    match Cli::try_parse_from(arguments).map(|cli| cli.command) {
        Ok(Command::Search(mut search)) => {
            search.space.memory = options.memory;
            Ok(search)
        }
        _ => anyhow::bail!(
            "{}: its search cannot be asked for again as `laser {command}`: run the shards with this version of laser",
            options.run.display()
        ),
    }
}

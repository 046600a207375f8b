//! `laser man`: the manual pages, one for the program and one for each command.

use crate::cli::{Cli, Global, ManOptions};
use crate::output;
use anyhow::{Context, bail};
use clap::CommandFactory;
use clap_mangen::Man;
use laser_run::write_whole;
use serde_json::json;

pub fn run(options: &ManOptions, global: &Global) -> anyhow::Result<()> {
    let mut pages = Vec::new();
    let mut command = Cli::command();
    command.build();
    for (name, page) in of(&command, "laser") {
        let mut text = Vec::new();
        Man::new(page).render(&mut text).context("a manual page cannot be written: report it")?;
        pages.push((format!("{name}.1"), text));
    }
    output::make_folder(&options.out)?;
    if let Some((name, _)) = pages.iter().find(|(name, _)| !options.force && options.out.join(name).exists()) {
        bail!("{}: exists: choose another folder, or add --force", options.out.join(name).display());
    }
    for (name, text) in &pages {
        write_whole(&options.out.join(name), text)?;
    }
    if global.json {
        let names: Vec<&String> = pages.iter().map(|(name, _)| name).collect();
        return output::print_json(&json!({"out": output::shown(&options.out), "pages": names}));
    }
    output::print(&format!("{} manual pages are in {}\n", pages.len(), options.out.display()))
}

/// A command and all below it, each with the name of its page.
fn of(command: &clap::Command, name: &str) -> Vec<(String, clap::Command)> {
    let mut pages = vec![(name.to_owned(), command.clone().name(name.to_owned()))];
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages.extend(of(below, &format!("{name}-{}", below.get_name())));
    }
    pages
}

//! `laser sokoban`: one file a subcommand.

mod eval;
mod levels;
mod play;
mod search;
mod solve;
mod train;

use crate::cli::{EditOptions, Global, MoveOptions, Moves, SokobanCommand};
use crate::output_place::files_of_recipe;
use anyhow::Context;
use laser_decision::{MoveChoice, Policy};
use laser_edit::{Candidate, InterventionSpec};
use laser_kernels::Cpu;
use laser_sokoban::{Level, read_levels};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

pub fn run(command: &SokobanCommand, global: &Global) -> anyhow::Result<()> {
    match command {
        SokobanCommand::Levels(options) => levels::run(options, global),
        SokobanCommand::Solve(options) => solve::run(options, global),
        SokobanCommand::Train(options) => train::run(options, global),
        SokobanCommand::Eval(options) => eval::run(options, global),
        SokobanCommand::Search(options) => search::run(options, global),
        SokobanCommand::Play(options) => play::run(options, global),
    }
}

/// The largest file of levels or episodes that is read.
const LARGEST: u64 = 1 << 31;

/// The text of a file.
fn text_of(path: &Path) -> anyhow::Result<String> {
    let bytes = laser_guard::read_file(path, LARGEST).with_context(|| path.display().to_string())?;
    String::from_utf8(bytes).with_context(|| format!("{}: it is not text", path.display()))
}

/// The levels of a file, or the first of them.
fn levels_of(path: &Path, first: Option<NonZeroUsize>) -> anyhow::Result<Vec<Level>> {
    let mut levels = read_levels(&text_of(path)?).with_context(|| path.display().to_string())?;
    levels.truncate(first.map_or(levels.len(), NonZeroUsize::get));
    Ok(levels)
}

/// What a command reads that plays a model's episodes.
fn reads(model: &Path, levels: &Path, edit: &EditOptions) -> Vec<PathBuf> {
    let recipe = edit.recipe.iter().flat_map(|recipe| files_of_recipe(recipe));
    [model.to_owned(), levels.to_owned()].into_iter().chain(recipe).collect()
}

/// A trained model.
fn policy_of(path: &Path, options: MoveOptions) -> anyhow::Result<Policy> {
    let choice = match options.moves {
        Moves::Likeliest => MoveChoice::Likeliest,
        Moves::Untried => MoveChoice::Untried,
    };
    Ok(Policy::open(path, &Cpu)?.choosing(choice))
}

/// The edits that were asked for.
fn edits_of(options: &EditOptions, policy: &Policy) -> anyhow::Result<Candidate> {
    Ok(match &options.recipe {
        Some(path) => laser::read_recipe(path, policy.checkpoint(), None)?.edits,
        None => Candidate::new(InterventionSpec::expand_all(&options.reduce, policy.model().config())?)?,
    })
}

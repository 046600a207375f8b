//! `laser sokoban search`: the reduction with which a model plays best.

use super::{levels_of, policy_of};
use crate::bar::Bar;
use crate::cli::{Global, SearchLevelsOptions, Worth};
use crate::commands::search::document;
use crate::output;
use anyhow::bail;
use laser::{LevelsPlan, search_levels, write_page};
use laser_decision::{EpisodeWorth, EpisodesVerdict, episodes, test_entries};
use laser_report::{EXAMPLE_PICTURE, ReadRun, last_part};
use laser_run::{RunFolder, write_whole};
use laser_sokoban::{Level, Move, animation};
use serde_json::json;
use std::collections::HashSet;

pub fn run(options: &SearchLevelsOptions, global: &Global) -> anyhow::Result<()> {
    let progress = Bar::new(global.quiet);
    let plan = LevelsPlan {
        model: output::shown(&options.model),
        spec: [&options.validation, &options.test].map(|path| last_part(&output::shown(path))).join(" and "),
        validation: levels_of(&options.validation, options.first)?,
        test: levels_of(&options.test, None)?,
        worth: match options.by {
            Worth::Solved => EpisodeWorth::Solved,
            Worth::Return => EpisodeWorth::Return,
        },
        matrices: options.matrices.clone(),
        layers: options.layers.clone(),
        rhos: options.rho.clone(),
        seed: options.seed,
    };
    check_levels(&plan.validation, &plan.test)?;
    let policy = policy_of(&options.model, options.moves)?;
    let found = search_levels(&plan, &policy, &options.out, &progress)?;
    let folder = RunFolder::open(&options.out)?;
    let verdict = EpisodesVerdict::of_run(&folder)?;
    write_whole(&options.out.join("episodes.json"), format!("{:#}\n", json!(verdict)).as_bytes())?;
    let [base, edited] = test_entries(&folder)?;
    if let Some(svg) = shown(&plan.test, &episodes(&base, &folder)?, &episodes(&edited, &folder)?, &found.verdict.best)
    {
        write_whole(&options.out.join(EXAMPLE_PICTURE), svg.as_bytes())?;
        write_page(&folder, &ReadRun::open(&folder).data.page())?;
    }
    if global.json {
        let mut document = json!(document(&options.out, &found));
        document["episodes"] = json!(verdict);
        return output::print_json(&document);
    }
    output::print(&format!("{}\n{}", found.text(), verdict.text()))
}

/// Refuses levels on which nothing is to be done, and test levels that candidates are chosen on.
fn check_levels(validation: &[Level], test: &[Level]) -> anyhow::Result<()> {
    for (levels, option) in [(validation, "--validation"), (test, "--test")] {
        if let Some(number) = levels.iter().position(|level| level.is_solved(&level.start())) {
            bail!("{option}: level {number} is solved before the first move: remove it");
        }
    }
    let chosen_on: HashSet<&Level> = validation.iter().collect();
    if let Some(number) = test.iter().position(|level| chosen_on.contains(level)) {
        bail!("--test: level {number} is a validation level, too: judge on levels that chose nothing");
    }
    Ok(())
}

/// The first level that base and edited model play otherwise, side by side; the first of all if
/// there is none.
fn shown(levels: &[Level], base: &[Vec<Move>], edited: &[Vec<Move>], edits: &impl ToString) -> Option<String> {
    let number = base.iter().zip(edited).position(|(a, b)| a != b).unwrap_or(0);
    let panel = |title: String, moves: &[Vec<Move>]| Some((title, *levels.get(number)?, moves.get(number)?.clone()));
    let title = format!("test level {number}, base");
    Some(animation(&[panel(title, base)?, panel(edits.to_string(), edited)?]))
}

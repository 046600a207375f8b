//! `laser sokoban play`: an episode in the terminal, or as an animated picture.

use super::{edits_of, levels_of, policy_of};
use crate::cli::{Global, PlayOptions};
use crate::output;
use crate::output_place::OutputFile;
use laser_decision::play_edited;
use laser_edit::Candidate;
use laser_sokoban::{Game, Level, Move, Plan, Planner, animation, moves_text, picture};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Moves the cursor up by so many lines.
fn up(lines: usize) -> String {
    format!("\u{1b}[{lines}A")
}

/// Who plays, and how.
struct Episode {
    title: String,
    moves: Vec<Move>,
}

pub fn run(options: &PlayOptions, global: &Global) -> anyhow::Result<()> {
    let reads = super::reads(&options.model, &options.levels, &options.edit);
    let svg = options.svg.as_ref().map(|path| OutputFile::new(path, options.force, &reads)).transpose()?;
    let levels = levels_of(&options.levels, None)?;
    let Some(level) = levels.get(options.level).copied() else {
        let why = format!("--level {}: the file has {} levels, numbered from 0", options.level, levels.len());
        return Err(output::Usage(why.into()).into());
    };
    let episodes = episodes(options, &level)?;
    if let Some(svg) = svg {
        let panels: Vec<_> = episodes.iter().map(|it| (it.title.clone(), level, it.moves.clone())).collect();
        svg.write(animation(&panels).as_bytes())?;
    } else if !global.json && output::colour_width().is_some() {
        return show(&level, &episodes, Duration::from_millis(options.pause));
    }
    if global.json {
        return output::print_json(&json!(episodes.iter().map(|it| it.json(&level)).collect::<Vec<Value>>()));
    }
    let ends: String = episodes.iter().map(|it| it.end(&level)).collect();
    output::print(&(boards(&level, &episodes, usize::MAX) + &ends))
}

/// What the model does, and the edited one if there are edits; the planner does alone.
fn episodes(options: &PlayOptions, level: &Level) -> anyhow::Result<Vec<Episode>> {
    if options.model == Path::new("planner") && !options.model.exists() {
        let moves = match Planner::default().plan(level) {
            Plan::Solved(solution) => solution.moves,
            Plan::Unsolvable | Plan::OutOfNodes => Vec::new(),
        };
        return Ok(vec![Episode { title: "planner".to_owned(), moves }]);
    }
    let policy = policy_of(&options.model, options.moves)?;
    let edits = edits_of(&options.edit, &policy)?;
    let mut candidates = vec![Candidate::base()];
    if edits != Candidate::base() {
        candidates.push(edits);
    }
    let mut episodes = Vec::new();
    for candidate in candidates {
        let played = play_edited(&policy, &candidate, std::slice::from_ref(level))?;
        let moves = played.into_iter().next().map(|it| it.moves).unwrap_or_default();
        episodes.push(Episode { title: candidate.to_string(), moves });
    }
    Ok(episodes)
}

impl Episode {
    /// The game after some of the moves.
    fn game(&self, level: &Level, steps: usize) -> Game {
        let mut game = Game::new(*level);
        for &towards in self.moves.iter().take(steps) {
            if !game.is_done() {
                game.step(towards);
            }
        }
        game
    }

    fn json(&self, level: &Level) -> Value {
        let game = self.game(level, usize::MAX);
        json!({
            "by": self.title,
            "moves": moves_text(self.moves.iter().copied()),
            "solved": game.is_solved(),
            "return": game.capped_return(),
        })
    }

    /// How it ended, in a line.
    fn end(&self, level: &Level) -> String {
        let game = self.game(level, usize::MAX);
        let end = if game.is_solved() { "solved" } else { "not solved" };
        let moves = moves_text(self.moves.iter().copied());
        format!("{}: {end} in {} steps, return {:.1}: {moves}\n", self.title, game.steps(), game.capped_return())
    }
}

/// The boards side by side after some steps.
fn boards(level: &Level, episodes: &[Episode], steps: usize) -> String {
    let pictures: Vec<String> = episodes.iter().map(|it| picture(level, it.game(level, steps).state())).collect();
    let rows: Vec<Vec<&str>> = pictures.iter().map(|it| it.lines().collect()).collect();
    let row = |row: usize| rows.iter().map(|of| of[row]).collect::<Vec<_>>().join("    ") + "\n";
    (0..rows.first().map_or(0, Vec::len)).map(row).collect()
}

fn show(level: &Level, episodes: &[Episode], pause: Duration) -> anyhow::Result<()> {
    let longest = episodes.iter().map(|it| it.moves.len()).max().unwrap_or(0);
    for steps in 0..=longest {
        let boards = boards(level, episodes, steps);
        let back = if steps == 0 { String::new() } else { up(boards.lines().count()) };
        output::print_coloured(&(back + &boards))?;
        std::thread::sleep(pause);
    }
    episodes.iter().try_for_each(|it| output::print(&it.end(level)))
}

//! Walks through levels, one JSON line each, for `interop/sokoban_rules.py` to replay:
//!
//!     cargo run --release -p laser-sokoban --example walks -- LEVELS.txt COUNT
//!
//! Half of them are random; the others are a planner's with random moves between, as random walks
//! solve nothing. Without a file the levels are the generator's.

use laser_example::SplitMix64;
use laser_sokoban::{
    Expert, ExpertOptions, Game, Generator, Level, Move, Planner, generate_levels, moves_text, picture, read_levels,
};
use std::error::Error;
use std::io::Write;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [source, count] = args.as_slice() else { return Err("usage: walks LEVELS.txt|generated COUNT".into()) };
    let count: usize = count.parse()?;
    let levels = match source.as_str() {
        "generated" => generate_levels(&Generator::default(), 1, count),
        path => read_levels(&std::fs::read_to_string(path)?)?,
    };
    let planner = Planner { weight: 3, nodes: 20_000 };
    let expert = Expert::new(ExpertOptions { planner, deviations: 10 }, 2);
    let mut random = SplitMix64::new(3);
    let mut out = std::io::stdout().lock();
    for number in 0..count {
        let level = levels[number % levels.len()];
        let moves = match expert.episode(&level, number).filter(|_| number % 2 == 1) {
            Some(episode) => episode.steps.iter().map(|step| step.played).collect(),
            None => (0..120).map(|_| Move::ALL[random.below(4) as usize]).collect(),
        };
        writeln!(out, "{}", walk(level, moves))?;
    }
    Ok(())
}

fn walk(level: Level, moves: Vec<Move>) -> serde_json::Value {
    let mut game = Game::new(level);
    let (mut rewards, mut boards, mut made) = (Vec::new(), Vec::new(), Vec::new());
    for towards in moves {
        if game.is_done() {
            break;
        }
        rewards.push(game.step(towards).reward);
        boards.push(picture(&level, game.state()));
        made.push(towards);
    }
    serde_json::json!({
        "level": picture(&level, &level.start()),
        "moves": moves_text(made),
        "rewards": rewards,
        "boards": boards,
        "done": game.is_done(),
        "total": game.total(),
    })
}

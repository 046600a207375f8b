//! `laser sokoban solve`: how well the planner solves levels, and its episodes.

use super::levels_of;
use crate::bar::Bar;
use crate::cli::{Global, SolveOptions};
use crate::output;
use crate::output_place::OutputFile;
use laser_run::Progress;
use laser_sokoban::{Expert, ExpertOptions, Level, Plan, Planner, episode_line};
use rayon::prelude::*;
use serde::Serialize;
use std::time::Instant;

/// What the planner did.
#[derive(Serialize)]
struct Solved {
    levels: usize,
    solved: usize,
    unsolvable: usize,
    /// Of the solved ones.
    mean_moves: f64,
    mean_nodes: f64,
    seconds: f64,
    /// How much longer solutions are than the shortest, as a share of those, and on how many
    /// levels.
    longer: Option<f64>,
    compared: usize,
    episodes: Option<usize>,
}

pub fn run(options: &SolveOptions, global: &Global) -> anyhow::Result<()> {
    let file =
        options.episodes.as_ref().map(|path| OutputFile::new(path, options.force, &options.levels)).transpose()?;
    let mut levels = Vec::new();
    for path in &options.levels {
        levels.extend(levels_of(path, None)?);
    }
    let progress = Bar::new(global.quiet);
    let planner = Planner { weight: options.weight, nodes: options.nodes as usize };
    let begun = Instant::now();
    let plans = solve(planner, &levels, "solving", &progress);
    let seconds = begun.elapsed().as_secs_f64();
    let moves: Vec<Option<usize>> = plans.iter().map(moves_of).collect();
    let nodes: usize = plans.iter().map(|plan| if let Plan::Solved(it) = plan { it.expanded } else { 0 }).sum();
    let solved = moves.iter().flatten().count();

    let sample = &levels[..options.compare.min(levels.len())];
    let shortest = solve(Planner { weight: 1, nodes: usize::MAX }, sample, "comparing", &progress);
    let pairs: Vec<(usize, usize)> =
        moves.iter().zip(&shortest).filter_map(|(a, b)| Some(((*a)?, moves_of(b)?))).collect();
    let [found, least] = pairs.iter().fold([0, 0], |sum, pair| [sum[0] + pair.0, sum[1] + pair.1]);

    let episodes = match file {
        Some(file) => {
            let expert = Expert::new(ExpertOptions::default(), options.seed);
            progress.start("episodes", levels.len(), 0);
            let episodes = expert.episodes(&levels, || progress.advance(1));
            progress.finish();
            let lines: String = episodes.iter().map(|episode| episode_line(episode) + "\n").collect();
            file.write(lines.as_bytes())?;
            Some(episodes.len())
        }
        None => None,
    };
    let report = Solved {
        levels: levels.len(),
        solved,
        unsolvable: plans.iter().filter(|plan| **plan == Plan::Unsolvable).count(),
        mean_moves: moves.iter().flatten().sum::<usize>() as f64 / solved.max(1) as f64,
        mean_nodes: nodes as f64 / solved.max(1) as f64,
        seconds,
        longer: (least > 0).then(|| found as f64 / least as f64 - 1.0),
        compared: pairs.len(),
        episodes,
    };
    if global.json { output::print_json(&report) } else { output::print(&report.text()) }
}

fn solve(planner: Planner, levels: &[Level], what: &str, progress: &Bar) -> Vec<Plan> {
    progress.start(what, levels.len(), 0);
    let plan = |level: &Level| {
        let plan = planner.plan(level);
        progress.advance(1);
        plan
    };
    let plans = levels.par_iter().map(plan).collect();
    progress.finish();
    plans
}

fn moves_of(plan: &Plan) -> Option<usize> {
    match plan {
        Plan::Solved(solution) => Some(solution.moves.len()),
        Plan::Unsolvable | Plan::OutOfNodes => None,
    }
}

impl Solved {
    fn text(&self) -> String {
        let mut text = format!(
            "{} of {} levels solved in {:.1} s, {:.1} moves and {:.0} nodes on average; {} have no solution\n",
            self.solved, self.levels, self.seconds, self.mean_moves, self.mean_nodes, self.unsolvable
        );
        if let Some(longer) = self.longer {
            text +=
                &format!("{:.1} % longer than the shortest solutions of {} levels\n", 100.0 * longer, self.compared);
        }
        if let Some(episodes) = self.episodes {
            text += &format!("{episodes} episodes written\n");
        }
        text
    }
}

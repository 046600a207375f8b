//! `laser sokoban eval`: solved levels and mean return of a model, as it is or edited.

use super::{edits_of, levels_of, policy_of};
use crate::bar::Bar;
use crate::cli::{EvalLevelsOptions, Global};
use crate::output;
use crate::output_place::OutputFile;
use laser_engine::Editor;
use laser_run::Progress;
use laser_run::statistics::{paired_bootstrap, wilson};
use laser_sokoban::moves_text;
use serde_json::json;
use std::time::Instant;

const RESAMPLES: usize = 4_000;

pub fn run(options: &EvalLevelsOptions, global: &Global) -> anyhow::Result<()> {
    let reads = super::reads(&options.model, &options.levels, &options.edit);
    let examples = options.examples.as_ref().map(|path| OutputFile::new(path, options.force, &reads)).transpose()?;
    let progress = Bar::new(global.quiet);
    let levels = levels_of(&options.levels, options.first)?;
    let policy = policy_of(&options.model, options.moves)?;
    let edits = edits_of(&options.edit, &policy)?;
    let edited = Editor::new(policy.checkpoint(), policy.model()).edit(&edits)?;
    let begun = Instant::now();
    progress.start("playing", levels.len(), 0);
    let played = policy.play(&[&edited], &levels, |ended| {
        progress.advance(ended);
        Ok(progress.go_on()?)
    })?;
    progress.finish();
    let played = played.into_iter().next().unwrap_or_default();
    let seconds = begun.elapsed().as_secs_f64();

    let n = played.len();
    let solved = played.iter().filter(|it| it.solved).count();
    let returns: Vec<f64> = played.iter().map(|it| it.capped_return).collect();
    let mean = returns.iter().sum::<f64>() / n as f64;
    let interval = paired_bootstrap(&returns, &(0..n).collect::<Vec<_>>(), RESAMPLES, 0);
    let share = wilson(solved, n);
    if let Some(file) = examples {
        let line = |(number, it): (usize, &laser_decision::Played)| {
            let moves = moves_text(it.moves.iter().copied());
            json!({"level": number, "solved": it.solved, "return": it.capped_return, "moves": moves}).to_string() + "\n"
        };
        let lines: String = played.iter().enumerate().map(line).collect();
        file.write(lines.as_bytes())?;
    }
    if global.json {
        return output::print_json(&json!({
            "model": output::shown(&options.model),
            "interventions": edits,
            "n": n,
            "solved": solved,
            "solved_interval": share,
            "return": mean,
            "return_interval": interval,
            "steps": played.iter().map(|it| it.moves.len()).sum::<usize>(),
            "seconds": seconds,
        }));
    }
    let (low, high) = interval.map_or((mean, mean), |it| (it.low, it.high));
    output::print(&format!(
        "{edits} on {n} levels: {solved} solved, {:.2} % (95 % {:.1} to {:.1}), mean return {mean:.3} (95 % {low:.2} to \
         {high:.2}), {:.1} episodes per second\n",
        100.0 * solved as f64 / n as f64,
        100.0 * share.low,
        100.0 * share.high,
        n as f64 / seconds
    ))
}

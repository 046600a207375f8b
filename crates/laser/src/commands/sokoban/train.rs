//! `laser sokoban train`: a Decision Transformer from a planner's episodes.

use super::{levels_of, text_of};
use crate::bar::Bar;
use crate::cli::{Global, TrainOptions};
use crate::output;
use anyhow::Context;
use laser_decision::{DecisionShape, Teacher, Training, TrainingOptions, TrainingStep};
use laser_run::Progress;
use laser_sokoban::{Expert, ExpertOptions, Generator, generate_levels, read_episode};
use serde_json::json;
use std::time::Instant;

/// What was reached is kept every so many steps.
const KEEP: usize = 25;
/// Losses are told every so many steps, as their mean.
const TELL: usize = 100;

pub fn run(options: &TrainOptions, global: &Global) -> anyhow::Result<()> {
    settle_threads()?;
    let progress = Bar::new(global.quiet);
    let shape = DecisionShape {
        hidden: options.hidden,
        layers: options.layers,
        heads: options.heads,
        context: options.context,
        channels: options.channels,
        pairs: options.pairs,
    };
    let training = TrainingOptions {
        shape,
        seed: options.seed,
        windows: options.windows as usize,
        rate: options.rate,
        steps: options.steps as usize,
        ..TrainingOptions::default()
    };
    let teacher = Teacher::new(episodes(options, &progress)?, shape.context)?;
    let mut training = Training::open(&options.out, training, &teacher)?;
    let (before, begun) = (training.step(), Instant::now());
    let mut recent: Vec<TrainingStep> = Vec::new();
    let mut last = None;
    progress.start("training", options.steps as usize, before);
    training.run(&teacher, KEEP, |step| {
        progress.advance(1);
        recent.push(step);
        if recent.len() == TELL {
            let mean = mean_of(&recent);
            progress.note(&format!(
                "step {}: loss {:.4} nats per move, {:.1} % of the planner's moves, {:.4} nats per cell, {:.0} s",
                step.step,
                mean.loss,
                100.0 * mean.right,
                mean.plan,
                begun.elapsed().as_secs_f64()
            ));
            last = Some(mean);
            recent.clear();
        }
        Ok(progress.go_on()?)
    })?;
    progress.finish();
    let last = last.or_else(|| (!recent.is_empty()).then(|| mean_of(&recent)));
    if global.json {
        return output::print_json(&json!({
            "model": output::shown(&options.out),
            "steps": options.steps,
            "resumed_at": before,
            "windows": teacher.windows(),
            "loss": last.map(|it| it.loss),
            "right": last.map(|it| it.right),
        }));
    }
    output::print(&format!("{}: trained for {} steps\n", options.out.display(), options.steps))
}

fn mean_of(steps: &[TrainingStep]) -> TrainingStep {
    let mean = |of: fn(&TrainingStep) -> f64| steps.iter().map(of).sum::<f64>() / steps.len() as f64;
    let step = steps.last().map_or(0, |it| it.step);
    TrainingStep { step, loss: mean(|it| it.loss), plan: mean(|it| it.plan), right: mean(|it| it.right) }
}

/// The episodes that are learnt from: of the levels, and as they are given.
fn episodes(options: &TrainOptions, progress: &Bar) -> anyhow::Result<Vec<laser_sokoban::Episode>> {
    let mut levels = Vec::new();
    for path in &options.levels {
        levels.extend(levels_of(path, None)?);
    }
    if let Some(count) = options.generate {
        levels.extend(generate_levels(&Generator::default(), options.seed, count as usize));
    }
    let expert = Expert::new(ExpertOptions::default(), options.seed);
    progress.start("episodes", levels.len(), 0);
    let mut episodes = expert.episodes(&levels, || progress.advance(1));
    progress.finish();
    for path in &options.episodes {
        for (number, line) in text_of(path)?.lines().enumerate() {
            episodes.push(read_episode(line).with_context(|| format!("{}: line {}", path.display(), number + 1))?);
        }
    }
    Ok(episodes)
}

/// Starts the program once more with settings that the tensor library reads only at the start. A
/// step runs threads of its own; further ones would wait in a busy loop. Memory that goes back to
/// the system at each operation costs a third of the time.
#[cfg(unix)]
fn settle_threads() -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    const SETTINGS: [(&str, &str); 3] = [
        ("CANDLE_NUM_THREADS", "1"),
        ("MALLOC_MMAP_THRESHOLD_", "1073741824"),
        ("MALLOC_TRIM_THRESHOLD_", "8589934592"),
    ];
    let program = std::env::current_exe()?;
    // As a part of another program, such as Python, it cannot start itself.
    let is_own = program.file_stem().is_some_and(|name| name == "laser");
    if !is_own || std::env::var_os(SETTINGS[0].0).is_some() {
        return Ok(());
    }
    let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).envs(SETTINGS).exec();
    Err(error).context("the program cannot be started once more: set CANDLE_NUM_THREADS=1 and run it again")
}

#[cfg(not(unix))]
fn settle_threads() -> anyhow::Result<()> {
    Ok(())
}

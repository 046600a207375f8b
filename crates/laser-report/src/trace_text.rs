//! What a search did, for a terminal.

use laser_run::{Bf16Check, RaceTrace, SearchTrace};
use std::fmt::Write;

/// From which confidence on it is said that nothing better was dropped.
const CONFIDENT: f64 = 0.5;

/// Some lines on how the space was gone through; nothing where every candidate was simply scored. `composed`: reductions were to be
/// put together.
pub fn trace_text(trace: &SearchTrace, composed: bool) -> String {
    let mut text = String::new();
    let SearchTrace { space, examples, evaluations, race, gradient, steps, .. } = trace;
    if race.is_none() && gradient.is_none() && steps.is_empty() {
        return text;
    }
    // The unedited model is scored, too.
    let all = space.saturating_add(1).saturating_mul(*examples);
    let ratio = all as f64 / (*evaluations).max(1) as f64;
    let compared = if ratio >= 1.0 {
        format!("{ratio:.1} times fewer than all {space} candidates on all examples ({all})")
    } else {
        format!("{:.1} times as many as all {space} candidates on all examples ({all})", 1.0 / ratio)
    };
    let _ = writeln!(text, "{evaluations} evaluations of an example: {compared}.");
    if let Some(gradient) = gradient {
        let _ = writeln!(
            text,
            "Gradient: one backward pass over {} examples ranked all; the first {} raced.",
            gradient.examples, gradient.raced
        );
        if let Some(recall) = gradient.recall {
            let _ = writeln!(
                text,
                "Against the exhaustive search: {} of its best 10 are among them, its best has rank {}; Spearman's correlation of \
                 predicted and found log-loss is {:.2}.",
                recall.of_best_10, recall.rank_of_best, recall.spearman
            );
        }
    }
    if let Some(race) = race {
        text.push_str(&race_text(race));
    }
    for (number, step) in steps.iter().enumerate() {
        let _ = writeln!(
            text,
            "Step {}: {:.1} %, log-loss {:.3}: {}",
            number + 1,
            100.0 * step.accuracy,
            step.log_loss,
            step.interventions
        );
    }
    if composed && steps.len() < 2 {
        text.push_str("No second reduction makes validation better.\n");
    }
    text.push('\n');
    text
}

fn race_text(race: &RaceTrace) -> String {
    let rounds: Vec<String> =
        race.rounds.iter().map(|round| format!("{} on {}", round.candidates, round.examples)).collect();
    let (confidence, margin) = (100.0 * race.confidence, 100.0 * race.margin);
    let doubt = if race.rounds.len() == 1 {
        String::from("None was dropped in it.")
    } else if race.confidence >= CONFIDENT {
        format!(
            "None dropped is better, at a level of {confidence:.0} %; at one of 95 %, none by more than {margin:.0} points."
        )
    } else {
        format!(
            "The first rounds have too few examples to rule out that one dropped is better (at a level of {confidence:.0} %; at one of \
             95 %, none is by more than {margin:.0} points)."
        )
    };
    format!("Race: {} examples. {doubt}\n", rounds.join(", "))
}

/// What it changed that candidates were compared in bf16.
pub fn bf16_text(checks: &[Bf16Check]) -> String {
    let mut text = String::from("Compared in bf16, as are the validation figures here. On validation, bf16 for f32:\n");
    for Bf16Check { interventions, in_bf16, exact, different } in checks {
        let _ = writeln!(
            text,
            "{interventions}: {:.1} % for {:.1} %, {different} of {} answers differ, log-loss {:.3} for {:.3}",
            100.0 * in_bf16.accuracy,
            100.0 * exact.accuracy,
            exact.n,
            in_bf16.log_loss,
            exact.log_loss
        );
    }
    text.push('\n');
    text
}

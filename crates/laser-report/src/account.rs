//! What a search did, for a terminal.

use laser_search::{Account, Rounding};
use std::fmt::Write;

/// Some lines on how the space was gone through; nothing where every candidate was simply scored.
pub fn account_text(account: &Account) -> String {
    let mut text = String::new();
    let Account { space, examples, evaluations, race, gradient, steps } = account;
    if race.is_none() && gradient.is_none() {
        return text;
    }
    let all = space * examples;
    let _ = writeln!(
        text,
        "{evaluations} examples scored for {space} candidates; all on all would be {all} ({:.1} times as many).",
        all as f64 / (*evaluations).max(1) as f64
    );
    if let Some(race) = race {
        let rounds: Vec<String> =
            race.rounds.iter().map(|round| format!("{} on {}", round.candidates, round.examples)).collect();
        let _ = writeln!(
            text,
            "Race: {} examples. None dropped is better: confidence {:.0} %; at 95 %, none by more than {:.0} points.",
            rounds.join(", "),
            100.0 * race.confidence,
            100.0 * race.margin
        );
    }
    if let Some(gradient) = gradient {
        let _ = writeln!(
            text,
            "Gradient: one backward pass over {} examples ranked all; the first {} were scored.",
            gradient.examples, gradient.scanned
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
    text.push('\n');
    text
}

/// What it changed that candidates were compared in bf16.
pub fn rounding_text(rounding: &[Rounding]) -> String {
    let mut text = String::from("Compared in bf16. On validation, against f32:\n");
    for Rounding { interventions, rounded, exact, different } in rounding {
        let _ = writeln!(
            text,
            "{interventions}: {:.1} % for {:.1} %, {different} of {} answers differ, log-loss {:.3} for {:.3}",
            100.0 * rounded.accuracy,
            100.0 * exact.accuracy,
            exact.n,
            rounded.log_loss,
            exact.log_loss
        );
    }
    text.push('\n');
    text
}

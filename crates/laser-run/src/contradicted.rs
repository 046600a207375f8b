//! What the journal says otherwise than the files that sum it up: `strategy.json` and `rounding.json`.

use crate::bf16_check::Bf16Check;
use crate::description::RunDescription;
use crate::entries::Entries;
use crate::entry::SplitName;
use crate::search_trace::{RaceTrace, SearchTrace, Step};
use laser_edit::Candidate;
use std::collections::BTreeSet;

/// Figures that were computed from the same results differ by no more.
const ROUNDING: f64 = 1e-9;

/// Why `trace` cannot be of the search `run` that gave `entries`; none where it can.
pub(crate) fn of_trace(trace: &SearchTrace, entries: &Entries, run: &RunDescription) -> Option<String> {
    let SearchTrace { space, dropped, examples, evaluations, race, gradient, steps } = trace;
    let Some(whole) = space.checked_sub(*dropped) else {
        return Some(format!("{dropped} candidates were dropped of a space of {space}"));
    };
    // Beside the space's own candidates the journal may hold compositions, which have several edits.
    let scored = entries.candidates();
    let singles = scored.iter().filter(|it| it.interventions.interventions().len() == 1).count();
    if !(singles..=scored.len()).contains(&whole) || *space > largest_space(run) {
        let scored = scored.len();
        return Some(format!(
            "all but {dropped} of {space} candidates were scored on all examples, and journal.jsonl has {scored} of them"
        ));
    }
    let backward = gradient.as_ref().map_or(0, |it| it.examples.saturating_mul(3));
    let counted = entries.evaluations(SplitName::Validation, *examples).saturating_add(backward);
    // A search that goes on notes what it did at its end, and what it scores at once.
    if *evaluations > counted || (*evaluations < counted && run.search.more.is_none()) {
        return Some(format!("it tells of {evaluations} evaluations, and journal.jsonl of {counted}"));
    }
    if let Some(step) = steps.iter().find(|step| !is_scored(step, entries)) {
        return Some(format!("journal.jsonl says otherwise of its step {}", step.interventions));
    }
    let possible = race.as_ref().is_none_or(|race| is_possible(race, trace, run.task.results.is_binary()));
    let ranked = gradient.as_ref().is_none_or(|it| {
        let recall =
            it.recall.is_none_or(|it| it.of_best_10 <= 10 && it.rank_of_best <= *space && it.spearman.abs() <= 1.0);
        it.raced <= *space && recall
    });
    (!possible || !ranked).then(|| "it has a figure that cannot be".to_owned())
}

/// Why `checks` cannot be of the candidates that gave `entries`; none where they can.
pub(crate) fn of_bf16_checks(checks: &[Bf16Check], entries: &Entries) -> Option<String> {
    let fits = |check: &Bf16Check| {
        let Bf16Check { interventions, in_bf16, exact, different } = check;
        let entry = entries.get(SplitName::Validation, interventions);
        let moved = (exact.accuracy - in_bf16.accuracy).abs() * exact.n as f64;
        let possible = !entry.is_some_and(|it| it.is_binary())
            || ((0.0..=1.0).contains(&exact.accuracy) && moved <= *different as f64 + ROUNDING);
        entry.is_some_and(|it| it.score == *in_bf16 && it.score.n == exact.n)
            && exact.log_loss.is_finite()
            && *different <= exact.n
            && possible
    };
    match checks.iter().find(|check| !fits(check)) {
        Some(check) => Some(format!("journal.jsonl says otherwise of {}", check.interventions)),
        None => checks.is_empty().then(|| "it compares nothing".to_owned()),
    }
}

/// How many candidates a search may have to choose from.
fn largest_space(run: &RunDescription) -> usize {
    let search = &run.search;
    let of_matrix = search.rho.len().saturating_mul(search.blocks.len()).saturating_add(search.edits.len()).max(1);
    let matrices: BTreeSet<_> = search.matrices.iter().map(ToString::to_string).collect();
    // A caller of the library may describe no space.
    match search.layers.is_empty() || matrices.is_empty() {
        true => usize::MAX,
        false => search.layers.len().saturating_mul(matrices.len()).saturating_mul(of_matrix),
    }
}

fn is_scored(step: &Step, entries: &Entries) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= ROUNDING * b.abs().max(1.0);
    // A step may have gone back to the unedited model.
    let entry = entries.get(SplitName::Validation, &step.interventions);
    entry.is_some_and(|it| near(step.accuracy, it.score.accuracy) && near(step.log_loss, it.score.log_loss))
        || (entry.is_none() && step.interventions == Candidate::base())
}

fn is_possible(race: &RaceTrace, trace: &SearchTrace, is_binary: bool) -> bool {
    let rounds = race.rounds.iter().all(|it| it.candidates <= trace.space && it.examples <= trace.examples);
    let margin = race.margin >= 0.0 && race.margin <= if is_binary { 1.0 } else { f64::MAX };
    rounds && (0.0..=1.0).contains(&race.confidence) && margin
}

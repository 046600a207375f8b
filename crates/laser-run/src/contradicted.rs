//! What the journal says otherwise than the files that sum it up: `strategy.json` and `rounding.json`.

use crate::bf16_check::Bf16Check;
use crate::description::{RunDescription, SearchDescription};
use crate::entries::Entries;
use crate::entry::{Entry, SplitName};
use crate::search_trace::{Round, SearchTrace, Step};
use std::collections::BTreeMap;

/// Figures that were computed from the same results differ by no more.
const TOLERANCE: f64 = 1e-9;

/// Why `trace` cannot be of the search `run` that gave `entries`; none where it can.
pub(crate) fn of_trace(trace: &SearchTrace, entries: &Entries, run: &RunDescription) -> Option<String> {
    let SearchTrace { space, dropped, examples, evaluations, race, gradient, steps } = trace;
    let Some(whole) = space.checked_sub(*dropped) else {
        return Some(format!("{dropped} candidates were dropped of a space of {space}"));
    };
    if *space > largest_space(run) {
        return Some(format!("run.json asks for fewer than {space} candidates"));
    }
    // Beside the space's own candidates the journal may hold compositions, which have several edits. The space of ranks that were found
    // by the noise edge may have single candidates of several edits, too.
    let scored = entries.candidates();
    let singles = match run.search.rho.is_empty() && run.search.edits.is_empty() {
        true => 0,
        false => scored.iter().filter(|it| it.interventions.interventions().len() == 1).count(),
    };
    if !(singles..=scored.len()).contains(&whole) {
        let scored = scored.len();
        return Some(format!(
            "{dropped} of {space} candidates were dropped, and journal.jsonl has {scored} that were scored on all examples"
        ));
    }
    let backward = gradient.as_ref().map_or(0, |it| it.examples.saturating_mul(3));
    let counted = entries.evaluations(SplitName::Validation, *examples).saturating_add(backward);
    // With --more the journal may be ahead of strategy.json.
    if *evaluations > counted || (*evaluations < counted && run.search.more.is_none()) {
        return Some(format!("it counts {evaluations} evaluations, and journal.jsonl holds {counted}"));
    }
    if let Some(step) = steps.iter().find(|step| !is_scored(step, entries)) {
        return Some(format!("the score of step {} is another than in journal.jsonl", step.interventions));
    }
    if race.is_none() && is_race(&run.search) {
        return Some("it tells of no race, and run.json asks for one".to_owned());
    }
    if let Some(race) = race {
        if let Some(why) = of_rounds(&race.rounds, entries, *examples, &run.search) {
            return Some(why);
        }
        // Several tasks are compared by weighted gains, which have no bound.
        let is_share = run.task.results.is_binary() && run.search.tasks.is_empty();
        let most = if is_share { 1.0 } else { f64::MAX };
        if !(0.0..=1.0).contains(&race.confidence) || !(0.0..=most).contains(&race.margin) {
            return Some("the confidence or the margin of its race is out of range".to_owned());
        }
    }
    let recall = gradient.as_ref().and_then(|it| it.recall);
    let out_of_range = gradient.as_ref().is_some_and(|it| it.raced > *space)
        || recall.is_some_and(|it| it.of_best_10 > 10 || it.rank_of_best > *space || it.spearman.abs() > 1.0);
    out_of_range.then(|| "a figure of its gradient is out of range".to_owned())
}

/// Why `checks` cannot be of the candidates that gave `entries`; none where they can.
pub(crate) fn of_bf16_checks(checks: &[Bf16Check], entries: &Entries) -> Option<String> {
    let fits = |check: &Bf16Check| {
        let Bf16Check { interventions, in_bf16, exact, different } = check;
        let Some(entry) = entries.get(SplitName::Validation, interventions) else { return false };
        let moved = (exact.accuracy - in_bf16.accuracy).abs() * exact.n as f64;
        let in_range = !entry.is_binary()
            || ((0.0..=1.0).contains(&exact.accuracy) && moved <= *different as f64 + TOLERANCE * exact.n as f64);
        entry.score == *in_bf16
            && entry.score.n == exact.n
            && (-1e-3..=1e6).contains(&exact.log_loss)
            && *different <= exact.n
            && in_range
    };
    match checks.iter().find(|check| !fits(check)) {
        Some(check) => Some(format!("the scores of {} do not fit journal.jsonl", check.interventions)),
        None => checks.is_empty().then(|| "it compares no candidate".to_owned()),
    }
}

/// Whether candidates race in a search.
fn is_race(search: &SearchDescription) -> bool {
    let races = |strategy: &str| ["race", "gradient"].contains(&strategy);
    races(&search.strategy) || search.start.as_deref().is_some_and(races)
}

/// What the parts in the journal say against the rounds of a race.
fn of_rounds(rounds: &[Round], entries: &Entries, examples: usize, search: &SearchDescription) -> Option<String> {
    let of_candidates = |it: &&Entry| it.split == SplitName::Validation && !it.interventions.interventions().is_empty();
    let mut ends: BTreeMap<usize, usize> = BTreeMap::new();
    for entry in entries.all().iter().filter(of_candidates) {
        *ends.entry(entry.part.map_or(examples, |part| part.end)).or_default() += 1;
    }
    if !rounds.is_sorted_by(|a, b| a.examples < b.examples) || rounds.last().is_none_or(|it| it.examples != examples) {
        return Some(format!("the rounds of its race do not go on to all {examples} examples"));
    }
    let scored = |round: &Round| ends.get(&round.examples).copied().unwrap_or(0);
    if let Some(round) = rounds.iter().find(|round| scored(round) < round.candidates) {
        let Round { candidates, examples } = round;
        return Some(format!(
            "a round of its race has {candidates} candidates on {examples} examples, and journal.jsonl has not"
        ));
    }
    // Beams, evolution and strategies of other programs have further rounds, of which nothing is told.
    if !["race", "gradient", "compose"].contains(&search.strategy.as_str()) || search.more.is_some() {
        return None;
    }
    let is_told = |end: &usize| *end == examples || rounds.iter().any(|round| round.examples == *end);
    let untold = ends.into_keys().find(|end| !is_told(end))?;
    Some(format!("its race has no round on {untold} examples, and journal.jsonl has one"))
}

/// How many candidates a search may have to choose from.
fn largest_space(run: &RunDescription) -> usize {
    let search = &run.search;
    let of_matrix = search.rho.len().saturating_mul(search.blocks.len()).saturating_add(search.edits.len()).max(1);
    // A caller of the library may describe no space.
    match search.layers.is_empty() || search.matrices.is_empty() {
        true => usize::MAX,
        false => search.layers.len().saturating_mul(search.matrices.len()).saturating_mul(of_matrix),
    }
}

fn is_scored(step: &Step, entries: &Entries) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= TOLERANCE * b.abs().max(1.0);
    let entry = entries.get(SplitName::Validation, &step.interventions);
    entry.is_some_and(|it| near(step.accuracy, it.score.accuracy) && near(step.log_loss, it.score.log_loss))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Entry;
    use crate::example_range::ExampleRange;
    use crate::example_result::{ExampleResult, ResultKind};
    use crate::log::Log;
    use crate::search_trace::{GradientTrace, RaceTrace, Recall, Round};
    use laser_edit::Candidate;
    use serde_json::{Value, json};

    fn run(changed: impl FnOnce(&mut Value)) -> RunDescription {
        let mut run = json!({
            "version": "1", "model": {"path": "", "files": []}, "task": {"spec": "", "digest": "", "examples": 8},
            "search": {
                "strategy": "beam", "matrices": ["fc_in"], "layers": [1, 2], "rho": [0.5, 0.1], "blocks": [1],
                "edits": [], "limit": null, "seed": 3, "split_first": false, "device": "cpu",
            },
        });
        changed(&mut run);
        serde_json::from_value(run).unwrap()
    }

    fn of_rho(layers: &[usize], rho: f64) -> Candidate {
        let edits: Vec<Value> = layers.iter().map(|it| json!({"layer": it, "matrix": "fc_in", "rho": rho})).collect();
        serde_json::from_value(json!(edits)).unwrap()
    }

    fn candidate(layers: &[usize]) -> Candidate {
        of_rho(layers, 0.5)
    }

    /// The base, two candidates of the space and their composition, on four examples; each is right on one more. All four candidates
    /// were on the first example before.
    fn entries() -> Entries {
        let mut entries = Entries::default();
        let first = Some(ExampleRange { start: 0, end: 1 });
        for (layer, rho) in [(1, 0.5), (2, 0.5), (1, 0.1), (2, 0.1)] {
            let results = vec![ExampleResult::binary(rho > 0.2, 1.0)];
            entries.push(Entry::new(SplitName::Validation, &of_rho(&[layer], rho), first, ResultKind::Binary, results));
        }
        for (right, layers) in [&[][..], &[1], &[2], &[1, 2]].into_iter().enumerate() {
            let results = (0..4).map(|i| ExampleResult::binary(i < right, 1.0)).collect();
            entries.push(Entry::new(SplitName::Validation, &candidate(layers), None, ResultKind::Binary, results));
        }
        entries
    }

    fn trace() -> SearchTrace {
        let gradient = GradientTrace { examples: 2, raced: 4, recall: None };
        let rounds = vec![Round { candidates: 4, examples: 1 }, Round { candidates: 2, examples: 4 }];
        SearchTrace {
            space: 4,
            dropped: 2,
            examples: 4,
            evaluations: 4 * 4 + 2 + 3 * 2,
            race: Some(RaceTrace { rounds, confidence: 0.5, margin: 1.0 }),
            gradient: Some(gradient),
            steps: vec![Step { interventions: candidate(&[1, 2]), accuracy: 0.75, log_loss: 1.0 }],
        }
    }

    fn said(changed: impl FnOnce(&mut SearchTrace), run: &RunDescription) -> Option<String> {
        let mut trace = trace();
        changed(&mut trace);
        of_trace(&trace, &entries(), run)
    }

    fn race(trace: &mut SearchTrace) -> &mut RaceTrace {
        trace.race.as_mut().unwrap()
    }

    #[test]
    fn what_a_search_tells_of_itself_is_in_its_journal() {
        let plain = run(|_| ());
        assert_eq!(said(|_| (), &plain), None);
        type Change = fn(&mut SearchTrace);
        let changes: [(Change, &str); 14] = [
            (|it| it.dropped = 5, "5 candidates were dropped of a space of 4"),
            (|it| (it.space, it.dropped) = (1 << 40, (1 << 40) - 2), "run.json asks for fewer"),
            (|it| it.dropped = 3, "3 of 4 candidates were dropped, and journal.jsonl has 3"),
            (|it| it.dropped = 0, "0 of 4 candidates were dropped"),
            (|it| it.evaluations = 1, "it counts 1 evaluations, and journal.jsonl holds 24"),
            (|it| it.steps[0].accuracy = 99.0, "the score of step"),
            (|it| it.steps[0].interventions = candidate(&[2, 77]), "the score of step"),
            (|it| race(it).rounds[0].candidates = 1 << 50, "a round of its race"),
            (|it| race(it).rounds[0].examples = 2, "4 candidates on 2 examples, and journal.jsonl has not"),
            (|it| _ = race(it).rounds.pop(), "do not go on to all 4 examples"),
            (|it| race(it).rounds.reverse(), "do not go on to all 4 examples"),
            (|it| race(it).confidence = 1e300, "is out of range"),
            (|it| race(it).margin = 2.5, "is out of range"),
            (|it| it.gradient.as_mut().unwrap().raced = 9, "a figure of its gradient"),
        ];
        for (change, expected) in changes {
            let why = said(change, &plain).unwrap_or_default();
            assert!(why.contains(expected), "{expected}: {why}");
        }
        let recall = Recall { of_best_10: 11, rank_of_best: 1, spearman: 0.5 };
        assert!(said(|it| it.gradient.as_mut().unwrap().recall = Some(recall), &plain).is_some());
        let racing = run(|run| (run["search"]["strategy"], run["search"]["start"]) = (json!("compose"), json!("race")));
        assert_eq!(said(|_| (), &racing), None);
        assert!(said(|it| it.race = None, &racing).unwrap().contains("it tells of no race"));
        let cut = said(|it| _ = race(it).rounds.remove(0), &racing).unwrap();
        assert!(cut.contains("no round on 1 examples, and journal.jsonl has one"), "{cut}");
        // A beam and evolution have rounds of their own.
        for strategy in ["beam", "evolve"] {
            let run = run(|run| (run["search"]["strategy"], run["search"]["start"]) = (json!(strategy), json!("race")));
            assert_eq!(said(|it| _ = race(it).rounds.remove(0), &run), None);
        }
        // What honest searches come to: gains on several tasks have no bound, and a journal goes on.
        let tasks = json!([{"name": "a", "weight": 1.0}, {"name": "b", "weight": 2.0}]);
        assert_eq!(said(|it| race(it).margin = 2.5, &run(|run| run["search"]["tasks"] = tasks)), None);
        assert_eq!(said(|it| it.evaluations = 12, &run(|run| run["search"]["more"] = json!(24))), None);
    }

    #[test]
    fn what_bf16_has_changed_is_of_the_candidates_of_the_journal() {
        let entries = entries();
        let score = |layers: &[usize]| entries.get(SplitName::Validation, &candidate(layers)).unwrap().score;
        let check = |different| Bf16Check {
            interventions: candidate(&[1]),
            in_bf16: score(&[1]),
            exact: score(&[2]),
            different,
        };
        assert_eq!(of_bf16_checks(&[check(1)], &entries), None);
        // One answer fewer cannot be right where none differs.
        for wrong in [
            check(0),
            check(5),
            Bf16Check { in_bf16: score(&[2]), ..check(1) },
            Bf16Check { interventions: candidate(&[7]), ..check(1) },
        ] {
            assert!(of_bf16_checks(&[wrong], &entries).is_some_and(|why| why.contains("do not fit journal.jsonl")));
        }
        let mut more = check(1);
        more.exact.accuracy = 7.5;
        assert!(of_bf16_checks(&[more], &entries).is_some());
        assert_eq!(of_bf16_checks(&[], &entries), Some("it compares no candidate".to_owned()));
    }
}

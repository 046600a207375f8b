//! A verdict, and reading the journal that it follows from: `just bench verdict`.

#[path = "../tests/support/made.rs"]
mod made;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use laser_edit::Candidate;
use laser_example::{Example, SplitMix64, Target};
use laser_run::{Entry, Evidence, Pair, SplitName, judge};
use made::uniform;

const VALIDATION: usize = 200;
const TEST: usize = 800;

fn candidate(number: usize) -> Candidate {
    let (layer, rho) = (number / 7, (1 + number % 7) as f64 / 10.0);
    serde_json::from_value(serde_json::json!([{"layer": layer, "matrix": "fc_in", "rho": rho}])).expect("a candidate")
}

fn entry(split: SplitName, candidate: &Candidate, accuracy: f64, random: &mut SplitMix64) -> Entry {
    let n = if split == SplitName::Test { TEST } else { VALIDATION };
    let hits: Vec<bool> = (0..n).map(|_| uniform(random) < accuracy).collect();
    made::entry(split, candidate, &hits, |_, right| if right { 1.0 } else { 1.1 })
}

/// What the best of so many candidates is worth.
fn verdict(criterion: &mut Criterion, candidates: usize) {
    let random = &mut SplitMix64::new(7);
    let examples: Vec<Example> = (0..VALIDATION + TEST)
        .map(|i| {
            let target = Target::generate(vec![format!("answer {}", i % 50)], 10).expect("a target");
            Example::new(i.to_string(), None, format!("question {i}"), target).expect("an example")
        })
        .collect();
    let (validation, test): (Vec<&Example>, Vec<&Example>) =
        (examples[..VALIDATION].iter().collect(), examples[VALIDATION..].iter().collect());
    let base = [SplitName::Validation, SplitName::Test].map(|split| entry(split, &Candidate::base(), 0.4, random));
    let all: Vec<Entry> = (0..candidates).map(|i| entry(SplitName::Validation, &candidate(i), 0.42, random)).collect();
    let all: Vec<&Entry> = all.iter().collect();
    let chosen = entry(SplitName::Test, &candidate(0), 0.45, random);
    let base = Pair { validation: &base[0], test: &base[1] };
    let evidence = Evidence::new(base, Pair { validation: all[0], test: &chosen }, &all, [&validation, &test]);
    criterion.bench_with_input(BenchmarkId::new("verdict", candidates), &evidence, |bench, evidence| {
        bench.iter(|| judge(evidence));
    });
}

/// A line of the journal, written and read.
fn journal_line(criterion: &mut Criterion) {
    let entry = entry(SplitName::Validation, &candidate(3), 0.4, &mut SplitMix64::new(7));
    criterion.bench_function("journal line", |bench| {
        bench.iter(|| {
            let line = serde_json::to_string(&entry).expect("JSON");
            serde_json::from_str::<Entry>(&line).expect("an entry")
        });
    });
}

fn verdicts(criterion: &mut Criterion) {
    [100, 1000].into_iter().for_each(|candidates| verdict(criterion, candidates));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = verdicts, journal_line
}
criterion_main!(benches);

//! Strategies score what they say, resume to the same end, and never accept what does not help.

mod support;

use laser_edit::{Candidate, MatrixKind};
use laser_engine::{ContentFreePrompts, GuardExamples, LocalScorer, ReferenceText, Subject};
use laser_example::{Example, SplitMix64};
use laser_matrix::Rho;
use laser_run::{Entries, RunDescription, RunFolder, RunWriter, SearchTrace, Silent, SplitName};
use laser_search::{Beam, Compose, Evolve, Exhaustive, Gradient, Plan, Race, Strategy, grid, search};
use laser_tasks::{Split, Task};
use std::num::NonZeroUsize;
use std::path::Path;
use support::{Fixture, open};

/// A text of more than two windows of the model's context.
const TEXT: &str = "The mother tongue of Berlin is German, and the capital of France is Paris. The writer of the book is \
                    French; her answer is true. ";
/// So much may candidates differ from the unedited model, nats per token: about half of the space does.
const MAX_KL: f64 = 0.02;

fn task(folder: &Path) -> Task {
    let words = ["The", "mother", "tongue", "of", "Berlin", "is", "capital", "book", "writer", "French"];
    let mut random = SplitMix64::new(11);
    let mut text = |n: usize| {
        let picked: Vec<&str> = (0..n).map(|_| words[random.below(words.len() as u64) as usize]).collect();
        picked.join(" ")
    };
    let rows: Vec<String> = (0..260)
        .map(|i| {
            let choices = serde_json::json!(["book", "writer", "French"]);
            serde_json::json!({"prompt": text(2 + i % 5), "choices": choices, "answer": i % 3}).to_string()
        })
        .collect();
    let path = folder.join("task.jsonl");
    std::fs::write(&path, rows.join("\n")).unwrap();
    Task::open(path.to_str().unwrap()).unwrap()
}

fn space(fixture: &Fixture) -> Vec<Candidate> {
    let layers: Vec<usize> = (0..fixture.model.config().layers).collect();
    let matrices = [MatrixKind::FcIn, MatrixKind::FcOut, MatrixKind::OutProj, MatrixKind::VProj].map(Into::into);
    let rhos = [0.8, 0.6, 0.4, 0.3, 0.2, 0.1].map(|rho| Rho::new(rho).unwrap());
    grid(&layers, &matrices, &[NonZeroUsize::MIN], &rhos, false, &[]).unwrap()
}

struct Ran {
    trace: SearchTrace,
    best: Candidate,
    entries: Entries,
    verdict: String,
}

fn description(task: &Task) -> RunDescription {
    let search = serde_json::json!({
        "strategy": "test", "matrices": [], "layers": [], "rho": [], "limit": null, "seed": 3, "split_first": false,
        "device": "cpu", "text": {"sha256": "", "limit": 1000, "window": 128}, "limits": {"kl": MAX_KL},
        "guards": [{"spec": "guard", "digest": "", "examples": task.examples.len()}],
    });
    serde_json::from_value(serde_json::json!({
        "version": "1",
        "model": {"path": "", "files": []},
        "task": {"spec": "", "digest": task.digest, "examples": task.examples.len()},
        "search": search,
    }))
    .unwrap()
}

fn run(fixture: &Fixture, task: &Task, mut strategy: impl Strategy, out: &Path) -> Ran {
    run_boxed(fixture, task, &mut strategy, out)
}

fn run_boxed(fixture: &Fixture, task: &Task, strategy: &mut dyn Strategy, out: &Path) -> Ran {
    let run = RunWriter::create(out, &description(task)).unwrap();
    let (split, space) = (Split::shuffled(task, 0.5, 3).unwrap(), space(fixture));
    let pick = |numbers: &[usize]| -> Vec<&Example> { numbers.iter().map(|&i| &task.examples[i]).collect() };
    let (validation, test) = (pick(&split.validation), pick(&split.test));
    let content_free = ContentFreePrompts::new(task, &test);
    let (text, config) = (TEXT.repeat(12), fixture.model.config());
    let text = ReferenceText::new(&text, &["What is it?", "Who?"], &fixture.tokenizer, config, 1000).unwrap();
    let mut scorer = LocalScorer::new(Subject {
        checkpoint: &fixture.checkpoint,
        model: &fixture.model,
        compared: None,
        tokenizer: &fixture.tokenizer,
        validation: validation.clone(),
        test: test.clone(),
        content_free: &content_free,
        text: Some(&text),
        guards: vec![GuardExamples { validation: test.clone(), test: validation.clone() }],
        observer: None,
        memory: 1 << 30,
    });
    let plan = Plan {
        space: &space,
        validation: &validation,
        test: &test,
        check_bf16: false,
        run: &description(task),
        reused: &[],
        shards: &[],
    };
    let finished = search(strategy, &plan, &mut scorer, &run, &Silent).unwrap();
    let folder = run.folder();
    let best = folder.recipe().unwrap().unwrap().interventions;
    assert_eq!((&finished.verdict.best, folder.trace().unwrap().as_ref()), (&best, Some(&finished.trace)));
    assert_eq!(folder.judge().unwrap(), finished.verdict);
    let verdict = format!("{:?}", finished.verdict);
    Ran { trace: finished.trace, best, entries: finished.entries, verdict }
}

#[test]
fn a_race_gives_its_finalists_the_scores_of_an_exhaustive_search() {
    let (fixture, scratch) = (open("llama"), tempfile::tempdir().unwrap());
    let task = task(scratch.path());
    let all = run(&fixture, &task, Exhaustive::new(space(&fixture)), &scratch.path().join("all"));
    let race = run(&fixture, &task, Race::new(space(&fixture)), &scratch.path().join("race"));
    let rounds = &race.trace.race.as_ref().unwrap().rounds;
    assert_eq!(rounds.first().map(|round| round.candidates), Some(space(&fixture).len()));
    assert!(rounds.len() > 2 && rounds.last().unwrap().examples == race.trace.examples);
    assert!(race.trace.evaluations < all.trace.evaluations);
    let finalists = race.entries.all().iter().filter(|it| it.split == SplitName::Validation && it.part.is_none());
    let mut compared = 0;
    for entry in finalists {
        assert_eq!(Some(entry), all.entries.get(SplitName::Validation, &entry.interventions));
        compared += 1;
    }
    assert_eq!(compared, rounds.last().unwrap().candidates + 1);
}

#[test]
fn a_killed_search_comes_to_the_same_end() {
    let (fixture, scratch) = (open("llama"), tempfile::tempdir().unwrap());
    let task = task(scratch.path());
    let gradient = || Gradient::new(space(&fixture), 20, None);
    let race = || Box::new(Race::new(space(&fixture)));
    type Make<'a> = &'a dyn Fn() -> Box<dyn Strategy>;
    let strategies: [(&str, Make); 5] = [
        ("race", &|| race()),
        ("gradient", &|| Box::new(gradient())),
        ("compose", &|| Box::new(Compose::new(space(&fixture), race()))),
        ("beam", &|| Box::new(Beam::new(space(&fixture), Box::new(gradient()), 2))),
        ("evolve", &|| Box::new(Evolve::new(space(&fixture), race(), 4_000, 1))),
    ];
    for (name, strategy) in strategies {
        let out = scratch.path().join(name);
        let whole = run_boxed(&fixture, &task, &mut *strategy(), &out);
        let journal = std::fs::read_to_string(out.join("journal.jsonl")).unwrap();
        let lines: Vec<&str> = journal.lines().collect();
        let costs = std::fs::read_to_string(out.join("costs.jsonl")).unwrap();
        let costs: Vec<&str> = costs.lines().collect();
        for kept in [1, lines.len() / 3, lines.len() - 1] {
            let half = scratch.path().join(format!("{name}-{kept}"));
            std::fs::create_dir(&half).unwrap();
            std::fs::copy(out.join("run.json"), half.join("run.json")).unwrap();
            std::fs::write(half.join("journal.jsonl"), lines[..kept].join("\n") + "\n").unwrap();
            let measured = costs.len() * kept / lines.len();
            std::fs::write(half.join("costs.jsonl"), costs[..measured].join("\n") + "\n").unwrap();
            let resumed = run_boxed(&fixture, &task, &mut *strategy(), &half);
            assert_eq!(resumed.trace, whole.trace, "{name} from line {kept}");
            assert_eq!(resumed.best, whole.best, "{name} from line {kept}");
            assert_eq!(resumed.verdict, whole.verdict, "{name} from line {kept}");
        }
    }
}

#[test]
fn a_composition_accepts_only_what_helps() {
    let (fixture, scratch) = (open("llama"), tempfile::tempdir().unwrap());
    let task = task(scratch.path());
    let race = || Box::new(Race::new(space(&fixture)));
    let compose = run(&fixture, &task, Compose::new(space(&fixture), race()), &scratch.path().join("compose"));
    let beam = run(&fixture, &task, Beam::new(space(&fixture), race(), 2), &scratch.path().join("beam"));
    for ran in [&compose, &beam] {
        let steps = &ran.trace.steps;
        assert!(!steps.is_empty());
        let mut before = ran.entries.get(SplitName::Validation, &Candidate::base()).unwrap().score;
        for step in steps {
            let after = ran.entries.get(SplitName::Validation, &step.interventions).unwrap().score;
            let better = after.accuracy > before.accuracy
                || (after.accuracy == before.accuracy && after.log_loss <= before.log_loss);
            assert!(better, "{}: {after:?} after {before:?}", step.interventions);
            before = after;
        }
        let best = ran.entries.get(SplitName::Validation, &ran.best).unwrap().score;
        assert!(best.accuracy >= before.accuracy);
    }
}

#[test]
fn an_exhaustive_journal_tells_what_a_gradient_recalls() {
    let (fixture, scratch) = (open("llama"), tempfile::tempdir().unwrap());
    let task = task(scratch.path());
    let path = scratch.path().join("all");
    run(&fixture, &task, Exhaustive::new(space(&fixture)), &path);
    let folder = RunFolder::open(&path).unwrap();
    let exhaustive = Some(folder.scores(&folder.description().unwrap(), &space(&fixture)).unwrap());
    let gradient = Gradient::new(space(&fixture), 130, exhaustive);
    let trace = run(&fixture, &task, gradient, &scratch.path().join("gradient")).trace.gradient.unwrap();
    let recall = trace.recall.unwrap();
    assert_eq!(trace.raced, space(&fixture).len() / 2);
    assert!(recall.of_best_10 <= 10 && (1..=space(&fixture).len()).contains(&recall.rank_of_best));
    assert!(recall.spearman > 0.3, "{recall:?}");
}

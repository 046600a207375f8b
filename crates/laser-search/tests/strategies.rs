//! Strategies score what they say, resume to the same end, and never accept what does not help.

mod support;

use laser_checkpoint::MatrixKind;
use laser_linalg::Rho;
use laser_search::{
    Account, All, Beam, Candidate, Compose, Gradient, Journal, ModelDescription, Plan, Race, Recipe, RunDescription,
    RunFolder, SearchDescription, Silent, SplitName, Start, Strategy, Subject, TaskDescription, exhaustive, search,
};
use laser_tasks::{Split, SplitMix64, Task};
use std::num::NonZeroUsize;
use std::path::Path;
use support::{Fixture, open};

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
    exhaustive(&layers, &matrices, &[NonZeroUsize::MIN], &rhos, false).unwrap()
}

struct Ran {
    account: Account,
    best: Candidate,
    journal: Journal,
}

fn run(fixture: &Fixture, task: &Task, strategy: &dyn Strategy, out: &Path) -> Ran {
    let description = RunDescription {
        version: "1".into(),
        model: ModelDescription { path: String::new(), files: Vec::new() },
        task: TaskDescription { spec: String::new(), digest: task.digest.clone(), examples: task.examples.len() },
        search: SearchDescription {
            strategy: "test".into(),
            gradient_examples: None,
            start: None,
            width: None,
            matrices: Vec::new(),
            layers: Vec::new(),
            rho: Vec::new(),
            blocks: vec![1],
            randomised: false,
            limit: None,
            seed: 3,
            split_first: false,
            chat: false,
            text: None,
            dtype: None,
            device: "cpu".into(),
        },
    };
    let folder = RunFolder::open(out, &description).unwrap();
    let subject = Subject { checkpoint: &fixture.checkpoint, model: &fixture.model, tokenizer: &fixture.tokenizer };
    let (split, candidates) = (Split::shuffled(task, 0.5, 3).unwrap(), space(fixture));
    let plan = Plan {
        candidates: &candidates,
        rounded: None,
        strategy,
        split: &split,
        seed: 3,
        memory: 1 << 30,
        model_files: &[],
        text: None,
    };
    search(&subject, task, &plan, &folder, &Silent).unwrap();
    let read = |name: &str| std::fs::read(out.join(name)).unwrap();
    let recipe: Recipe = serde_json::from_slice(&read("best.json")).unwrap();
    Ran {
        account: serde_json::from_slice(&read("strategy.json")).unwrap(),
        best: recipe.interventions,
        journal: folder.journal().unwrap(),
    }
}

#[test]
fn a_race_gives_its_finalists_the_scores_of_an_exhaustive_search() {
    let (fixture, scratch) = (open("llama"), tempfile::tempdir().unwrap());
    let task = task(scratch.path());
    let all = run(&fixture, &task, &All, &scratch.path().join("all"));
    let race = run(&fixture, &task, &Race, &scratch.path().join("race"));
    let rounds = &race.account.race.as_ref().unwrap().rounds;
    assert_eq!(rounds.first().map(|round| round.candidates), Some(space(&fixture).len()));
    assert!(rounds.len() > 2 && rounds.last().unwrap().examples == race.account.examples);
    assert!(race.account.evaluations < all.account.evaluations);
    let finalists = race.journal.entries().iter().filter(|it| it.split == SplitName::Validation && it.part.is_none());
    let mut compared = 0;
    for entry in finalists {
        assert_eq!(Some(entry), all.journal.get(SplitName::Validation, &entry.interventions));
        compared += 1;
    }
    assert_eq!(compared, rounds.last().unwrap().candidates + 1);
}

#[test]
fn a_killed_search_comes_to_the_same_end() {
    let (fixture, scratch) = (open("llama"), tempfile::tempdir().unwrap());
    let task = task(scratch.path());
    let gradient = || Gradient { examples: 20, exhaustive: None };
    let strategies: [(&str, Box<dyn Strategy>); 4] = [
        ("race", Box::new(Race)),
        ("gradient", Box::new(gradient())),
        ("compose", Box::new(Compose { start: Start::Race })),
        ("beam", Box::new(Beam { start: Start::Gradient(gradient()), width: 2 })),
    ];
    for (name, strategy) in strategies {
        let out = scratch.path().join(name);
        let whole = run(&fixture, &task, &*strategy, &out);
        let journal = std::fs::read_to_string(out.join("journal.jsonl")).unwrap();
        let lines: Vec<&str> = journal.lines().collect();
        for kept in [1, lines.len() / 3, lines.len() - 1] {
            let half = scratch.path().join(format!("{name}-{kept}"));
            std::fs::create_dir(&half).unwrap();
            std::fs::copy(out.join("run.json"), half.join("run.json")).unwrap();
            std::fs::write(half.join("journal.jsonl"), lines[..kept].join("\n") + "\n").unwrap();
            let resumed = run(&fixture, &task, &*strategy, &half);
            assert_eq!(resumed.account, whole.account, "{name} from line {kept}");
            assert_eq!(resumed.best, whole.best, "{name} from line {kept}");
            assert_eq!(
                std::fs::read(half.join("verdict.json")).unwrap(),
                std::fs::read(out.join("verdict.json")).unwrap(),
                "{name} from line {kept}"
            );
        }
    }
}

#[test]
fn a_composition_accepts_only_what_helps() {
    let (fixture, scratch) = (open("llama"), tempfile::tempdir().unwrap());
    let task = task(scratch.path());
    let compose = run(&fixture, &task, &Compose { start: Start::Race }, &scratch.path().join("compose"));
    let beam = run(&fixture, &task, &Beam { start: Start::Race, width: 2 }, &scratch.path().join("beam"));
    for ran in [&compose, &beam] {
        let steps = &ran.account.steps;
        assert!(!steps.is_empty());
        let mut before = ran.journal.get(SplitName::Validation, &Candidate::base()).unwrap().score;
        for step in steps {
            let after = ran.journal.get(SplitName::Validation, &step.interventions).unwrap().score;
            let better = after.accuracy > before.accuracy
                || (after.accuracy == before.accuracy && after.log_loss <= before.log_loss);
            assert!(better, "{}: {after:?} after {before:?}", step.interventions);
            before = after;
        }
        let best = ran.journal.get(SplitName::Validation, &ran.best).unwrap().score;
        assert!(best.accuracy >= before.accuracy);
    }
}

#[test]
fn an_exhaustive_journal_tells_what_a_gradient_recalls() {
    let (fixture, scratch) = (open("llama"), tempfile::tempdir().unwrap());
    let task = task(scratch.path());
    let path = scratch.path().join("all");
    run(&fixture, &task, &All, &path);
    let folder = RunFolder::open_existing(&path).unwrap();
    let exhaustive = Some(folder.scores(&folder.description().unwrap().unwrap(), &space(&fixture)).unwrap());
    drop(folder);
    let gradient = run(&fixture, &task, &Gradient { examples: 130, exhaustive }, &scratch.path().join("gradient"));
    let account = gradient.account.gradient.unwrap();
    let recall = account.recall.unwrap();
    assert_eq!(account.raced, space(&fixture).len() / 2);
    assert!(recall.of_best_10 <= 10 && (1..=space(&fixture).len()).contains(&recall.rank_of_best));
    assert!(recall.spearman > 0.3, "{recall:?}");
}

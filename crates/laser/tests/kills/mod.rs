//! Searches of every strategy that are killed, and a model that is cut under them.

use crate::support::{Session, fixture, task};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const SPACE: &str = "--text text.txt --matrices mlp --quiet";
/// A trained model: a random one is all noise.
const TRAINED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo");

/// Each strategy with a small space.
const STRATEGIES: [&str; 7] = [
    "exhaustive --rho 0.5,0.2",
    "race --rho 0.5,0.2,0.1",
    "gradient --gradient-examples 10 --rho 0.5,0.2",
    "compose --rho 0.5,0.2",
    "beam --width 2 --rho 0.5,0.2",
    "evolve --evaluations 600 --rho 0.5,0.2",
    "noise-edge",
];

fn session() -> Session {
    let session = Session::new();
    session.write("task.jsonl", task(60));
    session.write(
        "text.txt",
        "The book that the writer wrote in Berlin is about a river and its old bridges. ".repeat(40),
    );
    session
}

/// The files of a RUN folder with their contents.
fn files(session: &Session, run: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(session.path(run)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| (name.clone(), session.read(&format!("{run}/{name}")))).collect()
}

fn assert_same(session: &Session, run: &str, whole: &str, what: &str) {
    let (found, expected) = (files(session, run), files(session, whole));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    for (name, content) in found {
        assert!(content == expected[&name], "{what}: {name} differs: {content}\n{}", expected[&name]);
    }
}

/// Other moments each time.
#[test]
fn every_strategy_ends_with_the_same_files_whenever_it_is_killed() {
    let session = session();
    let random_model = format!("{} --task task.jsonl", fixture("llama").display());
    let mut random = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    for strategy in STRATEGIES {
        let name = strategy.split(' ').next().unwrap();
        let model = match name {
            "noise-edge" => format!("{TRAINED} --task {TRAINED}/demo.yaml --limit 60"),
            _ => random_model.clone(),
        };
        let search = format!("search {model} {SPACE} --strategy {strategy} --out");
        let begun = Instant::now();
        session.prints(&format!("{search} whole-{name}"));
        let takes = begun.elapsed();
        let mut moments = Vec::new();
        for _ in 0..4 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let moment = takes * (random >> 16) / (1 << 16);
            let mut child = session.starts(&format!("{search} {name}"));
            std::thread::sleep(moment);
            moments.push((moment, child.try_wait().unwrap().is_none()));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        session.prints(&format!("{search} {name}"));
        assert_same(&session, name, &format!("whole-{name}"), &format!("{strategy} killed at {moments:?}"));
    }
}

/// The file is cut while it is mapped: a page of it that is touched then is no more.
#[test]
fn a_model_that_is_cut_during_a_search_is_one_line() {
    let session = session();
    let model = session.copy_of("llama", "model").join("model.safetensors");
    let whole = std::fs::read(&model).unwrap();
    let search = "search model --task task.jsonl --no-costs --matrices all --rho 0.8,0.6,0.5,0.3,0.2 --strategy exhaustive --quiet";
    session.prints(&format!("{search} --out whole"));
    let mut refused = 0;
    for (number, kept) in [100, whole.len() / 2, whole.len() - 8].into_iter().enumerate() {
        let run = format!("cut{number}");
        let mut child = session.starts(&format!("{search} --out {run}"));
        while !session.path(&run).join("journal.jsonl").exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::fs::File::options().write(true).open(&model).unwrap().set_len(kept as u64).unwrap();
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        if !output.status.success() {
            assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "{message}");
            assert!(message.contains("model"), "{message}");
            refused += 1;
        }
        std::fs::write(&model, &whole).unwrap();
        session.prints(&format!("{search} --out {run}"));
        assert_same(&session, &run, "whole", &format!("cut to {kept} bytes"));
    }
    assert!(refused > 0, "the whole model was read before it was cut");
}

/// As a script starts it with `&` or `trap ''`: what its terminal sends does not reach it.
#[test]
fn a_signal_that_is_to_be_ignored_is_ignored() {
    let session = session();
    let laser = assert_cmd::cargo::cargo_bin!("laser").display().to_string();
    let model = fixture("llama").display().to_string();
    let search =
        "--task task.jsonl --no-costs --matrices all --rho 0.8,0.5,0.2 --strategy exhaustive --quiet --out run";
    let script = format!("trap '' INT; exec {laser} search {model} {search}");
    let mut child = std::process::Command::new("bash")
        .current_dir(session.path("."))
        .args(["-c", &script])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !session.path("run/journal.jsonl").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert!(child.wait().unwrap().success());
    assert!(session.path("run/best.json").exists());
}

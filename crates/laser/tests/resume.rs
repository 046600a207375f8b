//! A search that is killed goes on where it was and ends with the same files.

mod support;

use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Session, fixture, task};

const SEARCH: &str = "--task task.jsonl --matrices all --rho 0.8,0.5,0.2,0.1 --quiet";

#[test]
fn killed_three_times_it_ends_with_the_same_files() {
    let session = Session::new();
    session.write("task.jsonl", task(300));
    let model = fixture("llama").display().to_string();
    let files =
        |run: &str| ["best.json", "verdict.json", "report.html"].map(|file| session.read(&format!("{run}/{file}")));
    session.prints(&format!("search {model} --out whole {SEARCH}"));
    let all = session.read("whole/journal.jsonl").lines().count();

    let lines = || {
        let journal = std::fs::read(session.path("killed/journal.jsonl")).unwrap_or_default();
        journal.iter().filter(|&&byte| byte == b'\n').count()
    };
    // Killed at its start, in the middle, and near the end: as soon as so many candidates are finished.
    for enough in [1, all / 2, all - 3] {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("laser"))
            .current_dir(session.path("."))
            .args(format!("search {model} --out killed {SEARCH}").split_whitespace())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while lines() < enough && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(lines() >= enough, "the search stopped by itself");
    }
    session.prints(&format!("search {model} --out killed {SEARCH}"));
    assert_eq!(files("killed"), files("whole"));
    let sorted = |run: &str| {
        let mut lines: Vec<String> = session.read(&format!("{run}/journal.jsonl")).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted("killed"), sorted("whole"));
    let names = |run: &str| {
        let entries = std::fs::read_dir(session.path(run)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("killed"), names("whole"));
}

#[test]
fn another_search_in_the_folder_is_refused() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    session.write("other.jsonl", task(21));
    let (llama, mistral) = (fixture("llama").display().to_string(), fixture("mistral").display().to_string());
    let options = "--layers 2 --matrices fc_in --rho 0.1 --quiet --out run";
    session.prints(&format!("search {llama} --task task.jsonl {options}"));
    let before = session.read("run/journal.jsonl");
    for (command, what) in [
        (format!("search {mistral} --task task.jsonl {options}"), "model.files"),
        (format!("search {llama} --task other.jsonl {options}"), "task.digest"),
        (format!("search {llama} --task task.jsonl {options} --seed 1"), "search.seed"),
        (format!("search {llama} --task task.jsonl {options} --split-first"), "search.split_first"),
    ] {
        let (_, message) = session.fails(&command);
        assert!(message.contains(what) && message.contains("--out"), "{message}");
    }
    assert_eq!(session.read("run/journal.jsonl"), before);
}

#[test]
fn a_folder_of_something_else_is_refused() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    std::fs::create_dir(session.path("photos")).unwrap();
    session.write("photos/cat.jpg", "cat");
    let model = fixture("llama").display().to_string();
    let (_, message) = session.fails(&format!("search {model} --task task.jsonl --out photos --quiet"));
    assert!(message.contains("something else"), "{message}");
    assert_eq!(std::fs::read_dir(session.path("photos")).unwrap().count(), 1);
}

#[test]
fn a_folder_in_use_is_refused() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let model = fixture("llama").display().to_string();
    let search = format!("search {model} --task task.jsonl --layers 2 --matrices fc_in --rho 0.1 --quiet --out run");
    session.prints(&search);
    let lock = std::fs::File::open(session.path("run/lock")).unwrap();
    lock.lock().unwrap();
    let (_, message) = session.fails(&search);
    assert!(message.contains("another search is running"), "{message}");
}

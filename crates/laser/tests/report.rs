//! `laser report`, and the report that a search writes.

mod support;

use parquet::file::reader::{FileReader, SerializedFileReader};
use support::{Session, fixture, task};

/// A finished search in `run`.
fn searched() -> Session {
    let session = Session::new();
    session.write("task.jsonl", task(60));
    let model = fixture("llama").display().to_string();
    session.prints(&format!(
        "search {model} --task task.jsonl --strategy exhaustive --matrices mlp --rho 0.5,0.1 --out run --quiet"
    ));
    session
}

#[test]
fn a_search_leaves_its_report_and_the_command_writes_it_anew() {
    let session = searched();
    let page = session.read("run/report.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("What was run"));
    assert!(!page.contains("run.json was written"));
    let printed = session.prints("report run");
    let verdict = session.json("run/verdict.json");
    let word = verdict["word"].as_str().unwrap();
    assert!(printed.contains(&format!(": {word}: ")) && printed.ends_with("run/report.html\n"), "{printed}");
    assert!(session.read("run/report.html").contains("run.json was written"));
}

#[test]
fn a_users_file_is_no_report_and_two_outputs_are_two_files() {
    let session = searched();
    session.write("run/report.html", "mine");
    let model = fixture("llama").display().to_string();
    let search =
        format!("search {model} --task task.jsonl --strategy exhaustive --matrices mlp --rho 0.5,0.1 --out run");
    let output = session.laser(&search).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && message.contains("laser did not write this report: it stays as it is"),
        "{message}"
    );
    assert_eq!(session.read("run/report.html"), "mine");
    let (_, message) = session.fails("report run --out both --parquet both");
    let twice = |path: &str| format!("error: {path}: another output is to be there: give each its own path\n");
    assert_eq!(message, twice("both"));
    assert!(!session.path("both").exists());
    assert_eq!(session.fails("report run --out both --optuna run/../both").1, twice("run/../both"));
    assert_eq!(session.fails("report run --out p.html --csv d --parquet d/o.parquet").1, twice("d"));
    assert_eq!(session.fails("report --compare run run --out d/o.html --csv d").1, twice("d"));
    assert!(!session.path("d").exists());
}

#[test]
fn every_form_is_written_and_nothing_is_replaced_unasked() {
    let session = searched();
    let forms = "--csv csv --parquet run.parquet --optuna run.log --lm-eval harness";
    let document: serde_json::Value =
        serde_json::from_str(&session.prints(&format!("report run --out page.html {forms} --json"))).unwrap();
    let written: Vec<&str> = document["written"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(written.iter().all(|path| session.path(path).is_file()), "{written:?}");
    for path in ["page.html", "csv/scores.csv", "csv/changed.csv", "run.parquet", "run.log"] {
        assert!(written.contains(&path), "{written:?}");
    }
    assert_eq!(written.iter().filter(|path| path.starts_with("harness/")).count(), 4);
    assert_eq!(document["report"]["state"], "finished");

    // Six candidates and the base on 12 validation examples, base and best on 48 test examples.
    let file = std::fs::File::open(session.path("run.parquet")).unwrap();
    let metadata = SerializedFileReader::new(file).unwrap().metadata().file_metadata().clone();
    let candidates = session.read("run/journal.jsonl").lines().count() as i64 - 2;
    assert_eq!(metadata.num_rows(), candidates * 12 + 2 * 48);

    for form in ["--csv csv", "--parquet run.parquet", "--optuna run.log", "--lm-eval harness"] {
        let (_, message) = session.fails(&format!("report run --out page.html {form}"));
        assert!(message.contains("exists") && message.contains("--force"), "{message}");
    }
    // A page is written anew; another file is not.
    session.prints(&format!("report run --out page.html {forms} --force"));
    session.write("notes.html", "mine");
    let (_, message) = session.fails("report run --out notes.html");
    assert!(message.contains("exists"), "{message}");
    assert_eq!(session.read("notes.html"), "mine");
}

#[test]
fn a_folder_without_a_search_or_that_cannot_be_written_is_told() {
    let session = searched();
    let (_, message) = session.fails("report nowhere");
    assert!(message.contains("holds no search"), "{message}");
    std::fs::remove_file(session.path("run/report.html")).unwrap();
    std::fs::create_dir_all(session.path("run/report.html/taken")).unwrap();
    let (_, message) = session.fails("report run --force");
    assert!(message.contains("--out FILE"), "{message}");
    session.prints("report run --out elsewhere.html");
}

#[test]
fn an_unfinished_search_is_shown_as_such() {
    let session = searched();
    for file in ["verdict.json", "best.json", "strategy.json"] {
        std::fs::remove_file(session.path(&format!("run/{file}"))).unwrap();
    }
    let printed = session.prints("report run");
    assert!(printed.contains("has not come to its end"), "{printed}");
    let (_, message) = session.fails("report run --lm-eval harness --parquet run.parquet --out run/report.html/no");
    assert!(!message.is_empty());
}

#[test]
fn runs_are_put_side_by_side() {
    let session = searched();
    session.prints("report run --compare run --out both.html --csv both");
    assert!(session.read("both.html").contains("2 runs compared"));
    assert_eq!(session.read("both/compared.csv").lines().count(), 3);
    let (code, _) = session.fails("report --compare run --optuna x");
    assert_eq!(code, 2);
}

//! Files of the kinds that other programs make, with the numbers that those programs give for them.
//!
//! A case is a folder in `tests/fixtures/cases`: its files, and `expected.json`:
//!
//! - `source`: which program gave the numbers; `about`: what the case is, in a line.
//! - `model`: a folder of `tests/fixtures`, or one of the case's own; with `base` (a folder of
//!   `tests/fixtures`) that one has what its own does not. `task`: a file of the case.
//! - `arguments` (may be missing): further ones of `laser eval`.
//! - `report`: what `--json` prints, by JSON pointer (`"/choice/acc": 0.5`).
//! - `examples`: what `--examples` writes, a line each, the keys that are looked at.
//! - `stderr`: texts that the notes hold. `error`: texts of the one line of a refusal, in place of
//!   `report` and `examples`.
//!
//! Numbers agree within 1e-3 of their size, all else to the letter.

mod support;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use support::Session;

#[test]
fn the_numbers_of_the_peers_on_their_own_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/cases");
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(!names.is_empty(), "there are no cases in {}", folder.display());
    let mut wrong = Vec::new();
    for name in names {
        let differences = differences(&folder.join(&name));
        wrong.extend(differences.into_iter().map(|it| format!("{}: {it}", name.to_string_lossy())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A copy of the fixture `base` with the files of `own` over it; weights of its own hide the others.
fn overlaid(session: &Session, base: &str, own: &Path) -> PathBuf {
    let folder = session.copy_of(base, "overlaid");
    let files = || fs::read_dir(own).unwrap().map(|entry| entry.unwrap().path());
    if files().any(|file| file.extension().is_some_and(|it| it == "safetensors")) {
        fs::remove_file(folder.join("model.safetensors")).unwrap();
    }
    for file in files() {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    folder
}

/// What a case gives otherwise than it should.
fn differences(case: &Path) -> Vec<String> {
    let text = fs::read_to_string(case.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let word = |key: &str| expected[key].as_str().unwrap_or_else(|| panic!("{}: no {key}", case.display()));
    assert!(!word("source").is_empty() && !word("about").is_empty());
    let session = Session::new();
    let own = case.join(word("model"));
    let model = match expected["base"].as_str() {
        Some(base) => overlaid(&session, base, &own),
        None if own.is_dir() => own,
        None => support::fixture(word("model")),
    };

    let mut command = session.laser("eval");
    command.arg(model).arg("--task").arg(case.join(word("task")));
    let arguments = expected["arguments"].as_array().cloned().unwrap_or_default();
    command.args(arguments.iter().map(|argument| argument.as_str().unwrap()));
    command.args(["--split", "all", "--threads", "1", "--json", "--examples", "examples.jsonl"]);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();

    let mut found = Vec::new();
    let parts = |key: &str| expected[key].as_array().cloned().unwrap_or_default();
    for part in parts("error").iter().chain(&parts("stderr")) {
        if !stderr.contains(part.as_str().unwrap()) {
            found.push(format!("{part} is not in: {stderr}"));
        }
    }
    if !parts("error").is_empty() {
        assert_eq!(stderr.lines().count(), 1, "not one line: {stderr}");
        assert!(!output.status.success(), "{} was not refused", case.display());
        return found;
    }
    if !output.status.success() {
        found.push(stderr);
        return found;
    }
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (pointer, value) in expected["report"].as_object().into_iter().flatten() {
        compare(pointer, value, report.pointer(pointer).unwrap_or(&Value::Null), &mut found);
    }
    let lines = session.read("examples.jsonl");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let examples = parts("examples");
    assert!(!examples.is_empty() || expected["report"].is_object(), "{} checks nothing", case.display());
    if examples.len() > lines.len() {
        found.push(format!("{} examples of {}", lines.len(), examples.len()));
    }
    for (number, (example, line)) in examples.iter().zip(&lines).enumerate() {
        for (key, value) in example.as_object().unwrap() {
            compare(&format!("example {number}, {key}"), value, &line[key], &mut found);
        }
    }
    found
}

/// Notes where `found` is not `expected`.
fn compare(place: &str, expected: &Value, found: &Value, wrong: &mut Vec<String>) {
    match (expected, found) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            if (a - b).abs() > 1e-3 * a.abs().max(1e-6) {
                wrong.push(format!("{place}: {b}, not {a}"));
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}[{i}]"), a, b, wrong);
            }
        }
        _ if expected == found => {}
        _ => wrong.push(format!("{place}: {found}, not {expected}")),
    }
}

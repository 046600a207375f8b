//! What is printed: whole or an error, text and nothing else, short, from paths of any name.

mod support;

use std::fs;
use support::{Session, fixture, task};

/// Nobody reads standard error, or it cannot be written: that is not a reason to panic.
#[cfg(unix)]
#[test]
fn a_closed_standard_error() {
    let session = Session::new();
    let laser = assert_cmd::cargo::cargo_bin!("laser").display().to_string();
    for (command, code) in [("eval nowhere --task facts", 1), ("evil", 2)] {
        let script = format!("exec {laser} {command} 2>/dev/full");
        let status =
            std::process::Command::new("bash").current_dir(session.path(".")).args(["-c", &script]).status().unwrap();
        assert_eq!(status.code(), Some(code), "{command}");
    }
}

/// Help that nobody can read is not a success.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_printed_is_an_error() {
    let session = Session::new();
    for arguments in ["--help", "--version", "search --help", "tasks"] {
        let full = std::process::Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("laser"));
        let output = command.current_dir(session.path(".")).args(arguments.split(' ')).stdout(full).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "{arguments}: {message}");
        assert!(message.contains("standard output cannot be written") && message.contains("No space"), "{message}");
    }
}

/// Escapes write the clipboard and move the cursor; overrides turn text around.
#[test]
fn no_text_of_a_file_controls_the_terminal() {
    let evil = "\u{1b}]52;c;aGk=\u{7}\u{9b}31m\u{7f}\u{202e}\u{2066}x";
    let is_plain = |text: &str| {
        let controls = |it: char| (it.is_control() && !"\n\t".contains(it)) || "\u{202e}\u{2066}\u{2028}".contains(it);
        assert!(!text.contains(controls), "{text:?}");
    };
    let session = Session::new();
    let row = |i: usize, answer: &str| serde_json::json!({"id": format!("{i}{evil}"), "prompt": "Berlin is", "choices": [evil, "b"], "answer": answer});
    let rows: String = (0..20).map(|i| format!("{}\n", row(i, if i % 2 == 0 { evil } else { "b" }))).collect();
    session.write("task.jsonl", &rows);
    let model = fixture("llama").display().to_string();
    session.write("run.json", "{}");
    session.write("broken.jsonl", format!("{}\n", serde_json::json!({"prompt": evil, evil: 1})));
    session.write(&format!("{}.yaml", &evil.replace('/', "")), format!("task: \"{}\"\n", "\\e]52;c\\a\\x9b"));
    let search = format!("search {model} --task task.jsonl --layers 2 --matrices fc_in --rho 0.1 --out run");
    session.prints(&search);
    session.write(
        "run/verdict.json",
        serde_json::json!({"word": "noise", "because": evil, "best": session.json("run/best.json")["interventions"]})
            .to_string(),
    );
    for command in [
        format!("eval {model} --task task.jsonl"),
        format!("eval {model} --task task.jsonl --json"),
        format!("eval {model} --task broken.jsonl"),
        format!("eval {evil} --task task.jsonl"),
        format!("eval {model} --task {evil}.yaml"),
        format!("eval {model} --task task.jsonl --{evil}"),
        format!("tasks task.jsonl {evil}.yaml"),
        search,
        "report run --json".to_owned(),
        "verdict run".to_owned(),
        format!("apply {model} --recipe run --out edited"),
        format!("compare {model} --reduce 0.fc_in:zero --prompt {evil}"),
        format!("chat {model} --prompt {evil} --raw"),
    ] {
        let output = session.laser(&command).output().unwrap();
        [output.stdout, output.stderr].into_iter().for_each(|text| is_plain(&String::from_utf8(text).unwrap()));
    }
    let document: serde_json::Value =
        serde_json::from_str(&session.prints("report run --json --out page.html")).unwrap();
    assert_eq!(document["report"]["verdict"]["classes"]["classes"][0], evil, "{document}");
}

#[test]
fn long_names_are_cut_in_messages() {
    let session = Session::new();
    let model = fixture("llama").display().to_string();
    let long = "x".repeat(3000);
    session.write("task.jsonl", format!("{{\"prompt\":\"a\",\"answer\":\"b\",\"{long}\":1}}\n{{\"{long}\"\n"));
    for command in [
        format!("eval {long} --task task.jsonl"),
        format!("eval {model} --task {long}"),
        format!("eval {model} --task task.jsonl"),
        format!("eval {model} --task task.jsonl --reduce {long}"),
        format!("apply {model} --reduce 0.fc_in:0.5 --out {long}/x"),
        format!("report {long}"),
    ] {
        let (_, message) = session.fails(&command);
        assert!(message.chars().count() <= 900, "{} characters: {message}", message.chars().count());
    }
}

/// Bytes that are not UTF-8 are replaced in JSON, and do no harm.
#[cfg(target_os = "linux")]
#[test]
fn paths_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let odd = std::ffi::OsStr::from_bytes(b"odd\xff");
    let model = fixture("llama").display().to_string();
    let search = format!("search {model} --task task.jsonl --layers 2 --matrices fc_in --rho 0.1 --json --quiet --out");
    let run = |arguments: &str| {
        let mut command = session.laser(arguments);
        let output = command.arg(odd).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {message}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    assert_eq!(run(&search)["run"], "odd\u{fffd}");
    for command in ["report --json", "front --all --json", "verdict --json"] {
        run(command);
    }
    fs::remove_dir_all(session.path(".").join(odd)).unwrap();
    assert_eq!(run(&format!("apply {model} --reduce 0.fc_in:0.5 --json --out"))["out"], "odd\u{fffd}");
}

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

#[test]
fn laser_alone_says_what_to_type_first() {
    let session = Session::new();
    let text = session.prints("");
    assert_eq!(
        text,
        "Find, judge and apply rank reductions that improve a trained transformer.

Examples:
  laser demo                                            see it work, in seconds
  laser search MODEL --task qa.jsonl --out run          find what helps on your questions
  laser apply MODEL --recipe run --out edited           write the edited model

laser --help has all commands, laser doctor what this machine has.
"
    );
    assert!(session.prints("--help").ends_with("write the edited model\n"));
}

#[test]
fn completions_and_manual_pages() {
    let session = Session::new();
    for (shell, part) in [("bash", "complete -F _laser"), ("zsh", "#compdef laser"), ("fish", "complete -c laser")] {
        assert!(session.prints(&format!("completions {shell}")).contains(part), "{shell}");
    }
    let said = session.prints("man --out pages");
    let pages = fs::read_dir(session.path("pages")).unwrap().count();
    assert_eq!(said, format!("{pages} manual pages are in pages\n"));
    assert!(session.read("pages/laser-search.1").contains("\\-\\-dry\\-run"));
    assert!(session.read("pages/laser-tasks-show.1").contains(".TH laser-tasks-show 1"));
    let (code, message) = session.fails("man --out pages");
    assert!(code == 1 && message.contains("exists: choose another folder, or add --force"), "{message}");
    session.prints("man --out pages --force");
}

/// The token is a secret; what it opens is not shown either.
#[test]
fn the_doctor_says_what_there_is_and_no_secret() {
    let session = Session::new();
    let mut command = session.laser(&format!("doctor {}", fixture("llama").display()));
    let output = command.env("HF_TOKEN", "hf_secret").env("HF_HOME", session.path("home")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !text.contains("hf_secret"), "{text}");
    let names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for name in ["laser", "processor", "memory", "gpu", "hub", "cache", "model", "weights", "speed", "next"] {
        assert!(names.contains(&name), "{name}: {text}");
    }
    assert!(text.contains("with a token") && text.contains("home/hub"), "{text}");
    let document: serde_json::Value = serde_json::from_str(&session.prints("doctor --json")).unwrap();
    assert_eq!(document["model"], serde_json::Value::Null);
    assert!(document["machine"]["memory"].as_u64() >= document["machine"]["free_memory"].as_u64());
    let (_, message) = session.fails("doctor nowhere");
    assert!(message.contains("nowhere"), "{message}");
}

/// A rehearsal asks for what the search asks for, as far as that does not depend on what it finds.
#[test]
fn a_dry_run_says_what_a_search_takes_and_leaves_nothing() {
    let session = Session::new();
    session.write("task.jsonl", support::task(60));
    let search = format!(
        "search {} --task task.jsonl --layers 1-2 --matrices mlp --rho 0.5,0.1 --out run",
        fixture("llama").display()
    );
    let told: serde_json::Value = serde_json::from_str(&session.prints(&format!("{search} --dry-run --json"))).unwrap();
    assert!(!session.path("run").exists());
    let text = session.prints(&format!("{search} --dry-run"));
    assert!(text.starts_with("examples     12 to choose on, 48 to judge on\ncandidates   12 in the space\n"), "{text}");
    let found: serde_json::Value = serde_json::from_str(&session.prints(&format!("{search} --json"))).unwrap();
    assert_eq!(told["dry_run"]["evaluations"], found["strategy"]["evaluations"], "{told} {found}");
    assert_eq!(told["dry_run"]["space"], found["strategy"]["space"]);
    // Every strategy can be rehearsed, and so can limits and costs.
    for options in
        ["--strategy evolve --evaluations 500", "--strategy beam", "--strategy gradient --no-costs", "--max-kl 0.1"]
    {
        session.prints(&format!("{search}2 --dry-run {options}"));
    }
}

#[test]
fn a_name_that_ends_in_gguf_is_a_gguf_file() {
    let session = Session::new();
    session.prints(&format!("apply {} --reduce 0.fc_in:0.5 --out edited.gguf", fixture("llama").display()));
    assert!(fs::read(session.path("edited.gguf")).unwrap().starts_with(b"GGUF"));
    session.prints(&format!("apply {} --reduce 0.fc_in:0.5 --format hf --out named.gguf", fixture("llama").display()));
    assert!(session.path("named.gguf/config.json").exists());
}

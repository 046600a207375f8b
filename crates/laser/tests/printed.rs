//! What is printed: whole or an error, text and nothing else, short, from paths of any name.

#[path = "printed/first_mistakes.rs"]
mod first_mistakes;
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
    let apply = format!("apply {model} --reduce 0.fc_in:0.5 --json");
    assert_eq!(run(&format!("{apply} --out"))["out"], "odd\u{fffd}");
    fs::remove_dir_all(session.path(".").join(odd)).unwrap();
    let patch = session.laser(&format!("{apply} --format patch --out")).arg(odd).output().unwrap();
    let message = String::from_utf8_lossy(&patch.stderr).into_owned();
    assert!(message.ends_with("its name is not UTF-8: choose another --out\n"), "{message}");
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
    // Of a large budget a part is rehearsed.
    let strategies = "--strategy evolve --evaluations 40000000 --more 20000000";
    let search = format!("search {} --task task.jsonl --out run --no-costs {strategies}", fixture("llama").display());
    let told: serde_json::Value = serde_json::from_str(&session.prints(&format!("{search} --dry-run --json"))).unwrap();
    let evaluations = told["dry_run"]["evaluations"].as_u64().unwrap();
    // A generation of 24 takes 24 * 1 + 12 * 3 + 6 * 8 of the 12 examples.
    let expected = 40_000_000 + 20_000_000 / 24 * 108;
    assert!((expected * 9 / 10..expected * 11 / 10).contains(&evaluations), "{evaluations}, not {expected}");
}

#[test]
fn a_name_that_ends_in_gguf_is_a_gguf_file() {
    let session = Session::new();
    session.prints(&format!("apply {} --reduce 0.fc_in:0.5 --out edited.gguf", fixture("llama").display()));
    assert!(fs::read(session.path("edited.gguf")).unwrap().starts_with(b"GGUF"));
    session.prints(&format!("apply {} --reduce 0.fc_in:0.5 --format hf --out named.gguf", fixture("llama").display()));
    assert!(session.path("named.gguf/config.json").exists());
}

/// What must be given stands in the line that says how a command is used.
#[test]
fn usage_lines_have_what_is_required() {
    let session = Session::new();
    for (command, usage) in [
        ("search", "laser search [OPTIONS] --task <TASK> --out <RUN> <MODEL>"),
        ("eval", "laser eval [OPTIONS] <--task <TASK>|--text <FILE>> <MODEL>"),
        ("apply", "laser apply [OPTIONS] --out <PATH> <--reduce <SPEC>|--recipe <FILE>|--patch <FILE>> <MODEL>"),
    ] {
        let help = session.prints(&format!("{command} --help"));
        assert!(help.contains(&format!("Usage: {usage}\n")), "{help}");
    }
}

/// Everything that these commands print, to the letter: `tests/printed/*.txt`, which `LASER_WRITE_DOCS=1` writes anew. Of
/// numbers one decimal counts. What a model computes is compared where the kernels are those that wrote the files: others
/// may round to another word of a random model.
#[test]
fn what_commands_print() {
    let session = Session::new();
    session.write("qa.jsonl", task(60));
    let choice =
        |i: usize| format!("{{\"prompt\":\"Question {i} is\",\"choices\":[\"e\",\"a\"],\"answer\":{}}}\n", i % 2);
    session.write("choices.jsonl", (0..60).map(choice).collect::<String>());
    session.write("text.txt", "The book of the French writer, whose answer is true. ".repeat(20));
    std::os::unix::fs::symlink(fixture("llama"), session.path("llama")).unwrap();
    let doctor: serde_json::Value = serde_json::from_str(&session.prints("doctor --json")).unwrap();
    let same_kernels = doctor["machine"]["kernel_path"] == "cpu avx512-bf16";
    let search = "search llama --layers 1-2 --matrices mlp --quiet";
    for (name, command) in [
        ("inspect", "inspect llama"),
        ("inspect-spectrum", "inspect llama --spectrum --layers 1 --matrices fc_in --rho 0.5,0.1"),
        ("eval", "eval llama --task qa.jsonl --text text.txt"),
        ("eval-choices", "eval llama --task choices.jsonl --reduce 1.fc_in:0.5"),
        ("search", &format!("{search} --task qa.jsonl --rho 0.5,0.1 --edit zero --strategy exhaustive --out run")),
        ("search-limits", &format!("{search} --task choices.jsonl --max-kl 0.01 --guard qa.jsonl --out limits")),
        ("search-beam", &format!("{search} --task qa.jsonl --strategy beam --width 2 --no-costs --out beam")),
        ("search-tasks", &format!("{search} --task qa.jsonl --task choices.jsonl --weights 2,1 --out tasks")),
        ("search-shard", &format!("{search} --task qa.jsonl --shard 1/2 --out shards")),
        ("search-other-shard", &format!("{search} --task qa.jsonl --shard 2/2 --out shards")),
        ("merge", "merge shards --quiet"),
        ("verdict", "verdict run"),
        ("front", "front run --all"),
        ("report", "report run --csv tables"),
        ("report-compared", "report --compare run beam"),
        ("apply", "apply llama --reduce 1.fc_in:0.1 --reduce 0.v_proj:zero --out edited"),
        ("apply-factored", "apply llama --reduce 1.fc_in:0.1 --format hf-factored --out factored"),
        ("apply-gguf", "apply llama --reduce 1.fc_in:0.1 --out edited.gguf"),
        ("apply-lora", "apply llama --reduce 1.fc_in:0.9 --format lora --out adapter"),
        ("apply-patch", "apply llama --recipe run --format patch --out patch.safetensors"),
        ("chat", "chat llama --prompt Berlin --raw --max-tokens 3"),
        ("compare", "compare llama --reduce 1.fc_in:zero --prompt Berlin --raw --max-tokens 3"),
        ("analyze-monotone", "analyze monotone run"),
        ("analyze-prune", "analyze prune run"),
        ("analyze-paraphrase", "analyze paraphrase run"),
        ("analyze-rank", "analyze rank run llama"),
        ("analyze-perplexity", "analyze perplexity llama --text text.txt --reduce 1.fc_in:0.1"),
        ("tasks", "tasks"),
        ("tasks-show", "tasks show fever"),
        ("fleet", "fleet hq --shards 2 -- search llama --task qa.jsonl --out fleet"),
    ] {
        let printed = with_one_decimal(&session.prints(command));
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/printed").join(format!("{name}.txt"));
        if std::env::var_os("LASER_WRITE_DOCS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &printed).unwrap();
        }
        let computes =
            ["eval", "search", "merge", "verdict", "front", "chat", "compare", "analyze", "inspect llama --spec"];
        if !same_kernels && computes.iter().any(|computing| command.starts_with(computing)) {
            continue;
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(printed, expected, "laser {command}: if that is meant, run this with LASER_WRITE_DOCS=1");
    }
}

/// The text with the second and further decimals of its numbers as `_`.
fn with_one_decimal(text: &str) -> String {
    let mut decimals = None;
    let letters = text.chars().map(|letter| {
        decimals = match (letter, decimals) {
            ('.', _) => Some(0),
            (digit, Some(count)) if digit.is_ascii_digit() => Some(count + 1),
            _ => None,
        };
        if decimals.is_some_and(|count| count > 1) { '_' } else { letter }
    });
    letters.collect()
}

//! Where `laser apply` writes: what it refuses, replaces and leaves when it is killed.

use super::*;

#[test]
fn a_target_is_never_the_input_nor_in_it() {
    let session = with_task();
    session.copy_of("llama", "model");
    for out in ["model", "model/inside", "."] {
        let (_, message) = session.fails(&format!("apply model --reduce 1.fc_in:0.5 --out {out} --force"));
        assert!(message.contains("will not write"), "{out}: {message}");
    }
    assert_eq!(session.list(), ["model", "task.jsonl"]);
}

/// What a link leads to is not made part of what is written, except within the folder and the hub's cache.
#[cfg(unix)]
#[test]
fn links_out_of_the_model_are_refused_by_name() {
    use std::os::unix::fs::symlink;
    let session = Session::new();
    session.copy_of("llama", "model");
    session.write("private.json", "{\"secret\": \"of the user\"}");
    for (name, to) in [
        ("notes.txt", session.path("private.json")),
        ("environment", "/proc/self/environ".into()),
        ("special_tokens_map.json", "../private.json".into()),
        ("chat_template.jinja", "../private.json".into()),
    ] {
        symlink(to, session.path("model").join(name)).unwrap();
        for (format, out) in [("hf", "out"), ("hf-factored", "out"), ("gguf", "out.gguf")] {
            let (_, message) =
                session.fails(&format!("apply model --reduce 1.fc_in:0.1 --format {format} --out {out} --quiet"));
            assert!(message.contains(name) && message.contains("a link"), "{format}: {message}");
        }
        fs::remove_file(session.path("model").join(name)).unwrap();
    }
    assert_eq!(session.list(), ["model", "private.json"]);
    // As the hub's cache has it, and a link within the folder.
    let (snapshot, blobs) = (session.path("models--a--b/snapshots/12ab"), session.path("models--a--b/blobs"));
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(&blobs).unwrap();
    for (number, entry) in fs::read_dir(session.path("model")).unwrap().enumerate() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), blobs.join(format!("{number}"))).unwrap();
        symlink(format!("../../blobs/{number}"), snapshot.join(entry.file_name())).unwrap();
    }
    symlink("config.json", snapshot.join("same.json")).unwrap();
    fs::write(blobs.join("card"), "---\nlicense: apache-2.0\n---\n").unwrap();
    symlink("../../blobs/card", snapshot.join("README.md")).unwrap();
    session.prints("apply models--a--b/snapshots/12ab --reduce 1.fc_in:0.1 --out out --quiet");
    assert!(session.read("out/README.md").starts_with("---\nlicense: apache-2.0\n"));
    assert_eq!(session.read("out/same.json"), session.read("model/config.json"));
    assert!(session.path("out/tokenizer.json").is_file());
}

/// `--force` replaces a regular file or a folder that we wrote, and nothing else.
#[cfg(unix)]
#[test]
fn force_replaces_only_what_the_program_made() {
    use std::os::unix::fs::symlink;
    let session = with_task();
    session.copy_of("llama", "model");
    let (eval, apply) =
        ("eval model --task task.jsonl --quiet --force --examples", "apply model --reduce 1.fc_in:0.1 --quiet --force");
    session.write("own.jsonl", "a user's");
    symlink("own.jsonl", session.path("link")).unwrap();
    symlink("nowhere", session.path("dangling")).unwrap();
    symlink("/dev/null", session.path("null")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(session.path("pipe")).status();
    assert!(fifo.unwrap().success());
    session.prints(&format!("{apply} --out ours"));
    session.prints(&format!("{apply} --out ours"));
    let before = session.list();
    for (name, expected) in [
        ("link", "a link"),
        ("dangling", "a link"),
        ("null", "a link"),
        ("/dev/null", "a device"),
        ("pipe", "a pipe"),
        ("model", "a folder"),
        ("task.jsonl", "being read"),
        ("./task.jsonl", "being read"),
        ("model/model.safetensors", "being read"),
        ("model/new", "being read"),
    ] {
        let (_, message) = session.fails(&format!("{eval} {name}"));
        assert!(message.contains(expected), "{name}: {message}");
        if !name.contains("task.jsonl") {
            let (_, message) = session.fails(&format!("{apply} --format gguf --out {name}"));
            assert!(message.contains(expected), "{name}: {message}");
        }
    }
    // What a user put into a folder of ours, or changed in it, stays.
    for (file, content) in [("ours/notes.txt", "a user's"), ("ours/README.md", "a user's")] {
        let saved = fs::read(session.path(file)).ok();
        session.write(file, content);
        let (_, message) = session.fails(&format!("{apply} --out ours"));
        assert!(message.contains(file.trim_start_matches("ours/")), "{message}");
        assert_eq!(session.read(file), content);
        match saved {
            Some(saved) => drop(session.write(file, saved)),
            None => fs::remove_file(session.path(file)).unwrap(),
        }
    }
    // The data of a task is not named on the command line.
    session.write(
        "task.yaml",
        "task: t\ndataset_path: json\ndataset_kwargs: {data_files: task.jsonl}\noutput_type: generate_until\n\
         doc_to_text: \"{{prompt}}\"\ndoc_to_target: \"{{answer}}\"\n",
    );
    let rows = session.read("task.jsonl");
    session.fails("eval model --task task.yaml --quiet --force --examples task.jsonl");
    assert_eq!(session.read("task.jsonl"), rows);
    // The RUN that is read.
    session.prints("search model --task task.jsonl --layers 2 --matrices fc_in --rho 0.1 --quiet --out run");
    let journal = session.read("run/journal.jsonl");
    for option in
        ["--parquet run/journal.jsonl", "--optuna run/run.json", "--out run/best.json", "--csv run", "--lm-eval run"]
    {
        session.fails(&format!("report run --force {option}"));
    }
    session.fails("apply model --recipe run --format gguf --out run/best.json --force --quiet");
    assert_eq!(session.read("run/journal.jsonl"), journal);
    session.prints(&format!("{eval} own.jsonl"));
    session.prints(&format!("{apply} --out ours"));
    assert_eq!(session.list().len(), before.len() + 2);
}

/// Whatever the option is by which a command reads a file.
#[test]
fn what_is_read_by_any_option_is_not_replaced() {
    let session = with_task();
    let model = fixture("llama").display().to_string();
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(40);
    session.write("text.txt", &text);
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../laser-checkpoint/architectures/llama.toml");
    fs::copy(&table, session.path("my.toml")).unwrap();
    session
        .prints(&format!("search {model} --task task.jsonl --layers 2 --matrices fc_in --rho 0.1 --quiet --out run"));
    let calibrated = "--reduce 0.fc_in:kfac=0.1 --calibration text.txt";
    let own = format!("--architecture my.toml --text task.jsonl --text-tokens 100 {calibrated}");
    let kept = ["text.txt", "task.jsonl", "my.toml", "run/best.json"].map(|name| session.read(name));
    for command in [
        format!("eval {model} --task task.jsonl {calibrated} --examples text.txt"),
        format!("apply {model} {calibrated} --format patch --out text.txt"),
        format!("analyze --page text.txt perplexity {model} {own}"),
        format!("analyze --page my.toml perplexity {model} {own}"),
        format!("analyze --page task.jsonl table --model {model} --task task.jsonl --out table"),
        format!("analyze --page text.txt table --model {model} --task task.jsonl --text text.txt --out table"),
        format!("analyze --page run/best.json rank run {model}"),
    ] {
        let (_, message) = session.fails(&format!("{command} --force --quiet"));
        assert!(message.contains("read lies there") || message.contains("is being read"), "{command}: {message}");
    }
    assert_eq!(kept, ["text.txt", "task.jsonl", "my.toml", "run/best.json"].map(|name| session.read(name)));
}

/// Killed at any moment, a run leaves what the next one in the same folder removes.
#[cfg(unix)]
#[test]
fn killed_while_it_writes() {
    let session = with_task();
    session.copy_of("llama", "model");
    for (format, out) in
        [("hf", "hf"), ("hf-factored", "factored"), ("gguf", "x.gguf"), ("patch", "x.patch"), ("lora", "lora")]
    {
        let rho = if format == "lora" { "0.9" } else { "0.1" };
        let apply = format!("apply model --reduce 1.fc_in:{rho} --format {format} --out {out} --force --quiet");
        session.prints(&apply);
        for signal in ["KILL", "KILL", "TERM"] {
            let mut child = session.starts(&apply);
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
            // As soon as it writes.
            let own = format!(".laser-{}-", child.id());
            let writes = || session.temporaries(".").iter().any(|name| name.starts_with(&own));
            while !writes() && std::time::Instant::now() < deadline {
                std::thread::sleep(std::time::Duration::from_micros(300));
                if child.try_wait().unwrap().is_some() {
                    break;
                }
            }
            let _ = std::process::Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
            let output = child.wait_with_output().unwrap();
            if signal != "KILL" {
                assert!(session.temporaries(".").is_empty(), "{format}: {:?}", session.temporaries("."));
                let said = String::from_utf8(output.stderr).unwrap();
                assert!(output.status.success() || said.contains("nothing was written"), "{said}");
            }
            assert!(session.path(out).exists(), "{format}: what was there is gone");
        }
        session.prints(&apply);
        assert!(session.temporaries(".").is_empty(), "{format}: {:?}", session.temporaries("."));
    }
}

//! Bad input: one line that says what and what to do, exit 1 or 2, nothing half-written.

#[cfg(unix)]
mod places;
mod support;

use std::fs;
use std::path::Path;
use support::{Session, fixture, task};

/// Runs eval and search on a model that must be refused, and gives the message.
fn refused(session: &Session, model: &Path, expected: &[&str]) {
    session.write("task.jsonl", task(20));
    let before = session.list();
    for command in ["eval", "search --out run"] {
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let (_, message) = session.fails(&format!("{name} {} --task task.jsonl {rest} --quiet", model.display()));
        for part in expected {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    }
    let (_, message) = session.fails(&format!("apply {} --reduce 0.fc_in:0.5 --out edited", model.display()));
    for part in expected {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
    assert_eq!(session.list(), before, "something was left behind");
}

fn header_length(bytes: &[u8]) -> usize {
    u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

/// Replaces `from` by `to`, of one length, in a safetensors header.
fn in_header(model: &Path, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let path = model.join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let header = String::from_utf8(bytes[8..8 + header_length(&bytes)].to_vec()).unwrap();
    assert!(header.contains(from), "{header}");
    let changed = header.replacen(from, to, 1);
    bytes[8..8 + changed.len()].copy_from_slice(changed.as_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn truncated_safetensors() {
    for keep in [0, 4, 100, 10_000, 400_000] {
        let session = Session::new();
        let model = session.copy_of("llama", "model");
        let path = model.join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..keep.min(bytes.len() - 1)]).unwrap();
        refused(&session, &model, &["model.safetensors"]);
    }
}

#[test]
fn bit_flipped_safetensors() {
    let session = Session::new();
    let model = session.copy_of("llama", "model");
    let path = model.join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    // The high exponent bits of the first value: 0x7f800000 and above is not a finite number.
    let first = 8 + header_length(&bytes);
    bytes[first + 3] |= 0x7f;
    bytes[first + 2] |= 0x80;
    fs::write(&path, bytes).unwrap();
    refused(&session, &model, &["finite"]);
}

#[test]
fn a_header_that_claims_two_to_the_sixtieth() {
    let session = Session::new();
    let model = session.copy_of("llama", "model");
    let path = model.join("model.safetensors");
    let header =
        r#"{"model.embed_tokens.weight":{"dtype":"F32","shape":[1073741824,1073741824],"data_offsets":[0,16]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat();
    fs::write(&path, bytes).unwrap();
    refused(&session, &model, &["model.safetensors"]);
    fs::write(&path, (1u64 << 60).to_le_bytes()).unwrap();
    refused(&session, &model, &["model.safetensors"]);
}

#[test]
fn a_missing_tensor() {
    let session = Session::new();
    let model = session.copy_of("llama", "model");
    in_header(&model, "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.xx_proj.weight");
    refused(&session, &model, &["model.layers.1.mlp.up_proj.weight"]);
}

#[test]
fn a_shape_that_contradicts_the_configuration() {
    let session = Session::new();
    let model = session.copy_of("llama", "model");
    let config = fs::read_to_string(model.join("config.json")).unwrap();
    fs::write(model.join("config.json"), config.replace("\"intermediate_size\": 96", "\"intermediate_size\": 97"))
        .unwrap();
    refused(&session, &model, &["96", "97"]);
}

#[test]
fn damaged_gguf() {
    let session = Session::new();
    for (name, bytes) in [
        ("empty.gguf", Vec::new()),
        ("magic.gguf", b"GGUX\x03\0\0\0".to_vec()),
        ("short.gguf", b"GGUF\x03\0\0\0\x01\0".to_vec()),
        ("claims.gguf", [&b"GGUF\x03\0\0\0"[..], &(1u64 << 60).to_le_bytes(), &(1u64 << 60).to_le_bytes()].concat()),
    ] {
        let path = session.write(name, bytes);
        refused(&session, &path, &[name]);
    }
}

#[test]
fn not_a_model() {
    let session = Session::new();
    refused(&session, &session.path("nowhere"), &["nowhere"]);
    fs::create_dir(session.path("folder")).unwrap();
    refused(&session, &session.path("folder"), &["config.json"]);
}

#[test]
fn interventions_that_make_no_sense() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let model = fixture("llama").display().to_string();
    for (spec, expected) in [
        ("99.fc_in:0.5", "0 to 2"),
        ("0.fc_inn:0.5", "fc_out"),
        ("0.fc_in:1.5", "1.5"),
        ("0.fc_in:NaN", "NaN"),
        ("0.fc_in", "LAYER.MATRIX:EDIT"),
        ("0.fc_in:rank=49", "48"),
        ("2-1.fc_in:0.5", "last"),
    ] {
        for command in ["eval --task task.jsonl", "apply --out edited"] {
            let (name, rest) = command.split_once(' ').unwrap();
            let (_, message) = session.fails(&format!("{name} {model} {rest} --quiet --reduce {spec}"));
            assert!(message.contains(expected), "{spec}: {expected:?} is not in: {message}");
        }
    }
    let (_, message) =
        session.fails(&format!("eval {model} --task task.jsonl --reduce 0.fc_in:0.5 --reduce 0.mlp:0.2 --quiet"));
    assert!(message.contains("0.fc_in"), "{message}");
    for (option, expected) in [
        ("--rho 1.5", "1.5"),
        ("--rho NaN", "NaN"),
        ("--rho x", "`x` is not a number"),
        ("--layers 99", "0 to 2"),
        ("--matrices fc_inn", "fc_out"),
        ("--memory 4XB", "4GB"),
    ] {
        let (_, message) = session.fails(&format!("search {model} --task task.jsonl --out run --quiet {option}"));
        assert!(message.contains(expected), "{option}: {expected:?} is not in: {message}");
    }
    assert_eq!(session.list(), ["task.jsonl"]);
}

#[test]
fn tasks_that_cannot_be_used() {
    let session = Session::new();
    let model = fixture("llama").display().to_string();
    let long = format!("{{\"prompt\":\"{}\",\"answer\":\"x\"}}\n", "Berlin is the capital. ".repeat(80));
    for (content, expected) in [
        (String::new(), "task.jsonl"),
        ("{\"prompt\":\"a b\",\"answer\":\"c\"}\n{\"prompt\":\"a\n".to_owned(), ":2"),
        ("{\"prompt\":\"a b\",\"answer\":\"c\"}\n{\"prompt\":\"a\",\"answer\":\"  \"}\n".to_owned(), ":2"),
        ("{\"prompt\":\"a b\"}\n".to_owned(), ":1"),
        (long + &task(10), "context"),
    ] {
        session.write("task.jsonl", &content);
        for command in ["eval --on-long error --task task.jsonl", "search --on-long error --out run --task task.jsonl"]
        {
            let (name, rest) = command.split_once(' ').unwrap();
            let (_, message) = session.fails(&format!("{name} {model} {rest} --quiet"));
            assert!(message.contains(expected), "{expected:?} is not in: {message}");
        }
        assert_eq!(session.list(), ["task.jsonl"]);
    }
    let (_, message) = session.fails(&format!("eval {model} --task nothing --quiet"));
    assert!(message.contains("facts"), "{message}");
}

#[test]
fn places_that_cannot_be_written() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    session.write("file", "a user's");
    fs::create_dir(session.path("folder")).unwrap();
    session.write("folder/file", "a user's");
    let model = fixture("llama").display().to_string();
    let tiny = "--layers 2 --matrices fc_in --rho 0.1";
    for command in [
        format!("search {model} --task task.jsonl {tiny} --out file"),
        format!("search {model} --task task.jsonl {tiny} --out file/run"),
        format!("search {model} --task task.jsonl {tiny} --out /proc/run"),
        format!("apply {model} --reduce 0.fc_in:0.5 --out file"),
        format!("apply {model} --reduce 0.fc_in:0.5 --out folder"),
        format!("apply {model} --reduce 0.fc_in:0.5 --out folder --force"),
        format!("apply {model} --reduce 0.fc_in:0.5 --out /proc/edited"),
        format!("apply {model} --reduce 0.fc_in:0.5 --out {model} --force"),
        format!("eval {model} --task task.jsonl --examples file"),
        format!("eval {model} --task task.jsonl --examples /proc/rows.jsonl"),
        "demo --out file".to_owned(),
    ] {
        session.fails(&format!("{command} --quiet"));
    }
    assert_eq!(session.list(), ["file", "folder", "task.jsonl"]);
    assert_eq!((session.read("file").as_str(), session.read("folder/file").as_str()), ("a user's", "a user's"));
}

/// A full disk, by the shell's limit on the size of a file.
#[cfg(unix)]
#[test]
fn a_full_disk() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let model = fixture("llama").display().to_string();
    let laser = assert_cmd::cargo::cargo_bin!("laser").display().to_string();
    for (kib, command) in [
        (64, format!("apply {model} --reduce 0.fc_in:0.5 --out edited")),
        (0, format!("search {model} --task task.jsonl --out run")),
        (0, format!("eval {model} --task task.jsonl --examples rows.jsonl")),
    ] {
        let script = format!("trap '' XFSZ; ulimit -f {kib}; exec {laser} {command} --quiet");
        let output =
            std::process::Command::new("bash").current_dir(session.path(".")).args(["-c", &script]).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "{command}: {message}");
        assert!(message.starts_with("error: "), "{message}");
        assert!(!session.path("edited").exists() && !session.path("rows.jsonl").exists(), "{command} left a part");
    }
    assert!(!session.path("run/best.json").exists());

    // A disk that fills up in the middle of the journal: with room again, the search goes on.
    let search = format!("search {model} --task task.jsonl --layers 2 --matrices mlp --out");
    let script = format!("trap '' XFSZ; ulimit -f 5; exec {laser} {search} full --quiet");
    let output =
        std::process::Command::new("bash").current_dir(session.path(".")).args(["-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(fs::metadata(session.path("full/journal.jsonl")).unwrap().len() > 0);
    session.prints(&format!("{search} full --quiet"));
    session.prints(&format!("{search} roomy --quiet"));
    for file in ["best.json", "verdict.json", "journal.jsonl"] {
        assert_eq!(session.read(&format!("full/{file}")), session.read(&format!("roomy/{file}")), "{file}");
    }
}

#[test]
fn a_recipe_of_another_model() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let (llama, mistral) = (fixture("llama").display().to_string(), fixture("mistral").display().to_string());
    session
        .prints(&format!("search {llama} --task task.jsonl --layers 2 --matrices fc_in --rho 0.1 --out run --quiet"));
    let (_, message) = session.fails(&format!("apply {mistral} --recipe run/best.json --out edited"));
    assert!(message.contains("other model") && message.contains("--reduce"), "{message}");
    session.write("none.json", "{}");
    let (_, message) = session.fails(&format!("apply {llama} --recipe none.json --out edited"));
    assert!(message.contains("best.json"), "{message}");
    assert!(!session.path("edited").exists());
}

#[test]
fn an_absurd_number_of_tokens() {
    let session = Session::new();
    session.write("rows.jsonl", "{\"q\":\"Berlin is\",\"a\":\"x\"}\n".repeat(8));
    session.write(
        "task.yaml",
        "task: t\ndataset_path: json\ndataset_kwargs: {data_files: rows.jsonl}\noutput_type: generate_until\n\
         doc_to_text: \"{{q}}\"\ndoc_to_target: \"{{a}}\"\ngeneration_kwargs: {max_gen_toks: 18446744073709551615}\n",
    );
    session.fails(&format!("eval {} --task task.yaml --quiet", fixture("llama").display()));
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_and_devices_are_not_read() {
    use std::time::Duration;
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let model = fixture("llama").display().to_string();
    session
        .prints(&format!("search {model} --task task.jsonl --out run --matrices fc_in --rho 0.5 --layers 0 --quiet"));
    let fifo = session.path("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    for place in ["run/journal.jsonl", "run/lock"] {
        let place = session.path(place);
        fs::remove_file(&place).unwrap();
        std::os::unix::fs::symlink(&fifo, &place).unwrap();
    }
    session.copy_of("llama", "settings");
    let settings = session.path("settings/tokenizer_config.json");
    let _ = fs::remove_file(&settings);
    std::os::unix::fs::symlink(&fifo, &settings).unwrap();
    let (_, message) = session.fails("apply settings --reduce 0.fc_in:0.5 --out edited");
    assert!(message.contains("tokenizer_config.json is a pipe, which cannot be copied: remove it"), "{message}");
    session.copy_of("llama", "model");
    for file in ["fifo", "/dev/zero"] {
        // A card or a verdict that is none is as if it were not there.
        for place in ["model/README.md", "run/verdict.json"] {
            let place = session.path(place);
            let _ = fs::remove_file(&place);
            std::os::unix::fs::symlink(session.path(file), &place).unwrap();
        }
        let out = if file == "fifo" { "one" } else { "two" };
        let command = format!("apply model --recipe run/best.json --out {out} --quiet");
        let output = session.laser(&command).timeout(Duration::from_secs(60)).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() || message.lines().count() == 1, "{message}");
        for command in [
            format!("apply {model} --patch {file} --out edited"),
            format!("eval {model} --task task.jsonl --text {file}"),
            format!("inspect {model} --architecture {file}"),
            format!("apply {model} --recipe {file} --out edited"),
            "verdict run".to_owned(),
            format!("search {model} --task task.jsonl --out run --matrices fc_in --rho 0.5 --layers 0"),
            format!("analyze frequency run --facts {file} --corpus task.jsonl --quiet"),
        ] {
            let output = session.laser(&command).timeout(Duration::from_secs(60)).output().unwrap();
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "laser {command}: {message}");
            assert_eq!(message.lines().count(), 1, "laser {command}: {message}");
        }
    }
}

#[test]
fn usage_errors_are_one_line_and_exit_with_2() {
    let session = Session::new();
    let many = session.laser("demo --out demo").env("RAYON_NUM_THREADS", "99999999").output().unwrap();
    let message = String::from_utf8_lossy(&many.stderr).into_owned();
    assert!(many.status.code() == Some(2) && message.contains("at most 1024 threads are started"), "{message}");
    for (arguments, expected) in [
        ("evil", "evil"),
        ("eval", "MODEL"),
        ("eval model", "--task"),
        ("eval model --task t --device tpu", "tpu"),
        ("apply model --out x", "--reduce"),
        ("search model --task t --out x --strategy magic", "magic"),
        ("demo --threads 0", "0 is not in"),
        ("demo --threads 20000", "20000 is not in 1..=1024"),
    ] {
        let (code, message) = session.fails(arguments);
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(expected), "{arguments:?}: {expected:?} is not in: {message}");
    }
}

/// On a machine without a driver. Where there is one the test has nothing to say.
#[test]
fn a_gpu_that_is_not_there_is_one_line_and_auto_is_the_processor() {
    let session = Session::new();
    session.write("task.jsonl", "{\"prompt\": \"a\", \"answer\": \"b\"}\n");
    let command = |device| format!("eval {} --task task.jsonl --quiet --device {device}", fixture("llama").display());
    if laser::model::DeviceKind::Cuda.open().is_ok() {
        return println!("skipped: there is a GPU");
    }
    let (code, message) = session.fails(&command("cuda"));
    assert_eq!((code, message.trim().lines().count()), (1, 1), "{message}");
    assert!(message.starts_with("error: device `cuda` cannot be used: "), "{message}");
    if message.contains("not found") {
        assert!(message.contains("looked in the system's library path"), "{message}");
    }
    session.prints(&command("auto"));
}

#[test]
fn a_space_that_the_model_is_too_small_for_leaves_no_folder() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let before = session.list();
    let model = fixture("llama").display().to_string();
    for (options, expected) in [
        ("--matrices fc_in --blocks 5000", "use at most as many blocks"),
        ("--layers 2-1", "--layers 2-1: the first layer comes after the last"),
    ] {
        let (_, message) = session.fails(&format!("search {model} --task task.jsonl --out run {options}"));
        assert!(message.contains(expected) && message.lines().count() == 1, "{message}");
        assert_eq!(session.list(), before, "something was left behind");
    }
}

#[test]
fn products_that_the_processor_lacks_leave_no_folder() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let before = session.list();
    let model = fixture("llama").display().to_string();
    let search = format!("search {model} --task task.jsonl --out run --dtype bf16 --matrices fc_in --rho 0.5 --quiet");
    if session.laser(&search).output().unwrap().status.success() {
        return println!("skipped: this processor has products in bf16");
    }
    let (_, message) = session.fails(&search);
    assert!(message.contains("--dtype bf16"), "{message}");
    assert_eq!(session.list(), before, "something was left behind");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_that_cannot_be_had_is_one_line() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let (model, laser) = (fixture("llama"), assert_cmd::cargo::cargo_bin!("laser"));
    let (model, laser) = (model.display(), laser.display());
    let mut refused = 0;
    for kib in [80_000, 100_000, 130_000, 180_000] {
        let script = format!("ulimit -v {kib}; exec {laser} eval {model} --task task.jsonl --quiet --threads 2");
        let mut command = std::process::Command::new("bash");
        let output = command.current_dir(session.path(".")).args(["-c", &script]).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        if !output.status.success() {
            assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "{kib}: {message}");
            assert!(message.starts_with("error: "), "{message}");
            refused += usize::from(message.starts_with("error: out of memory: "));
        }
    }
    assert!(refused > 0, "no limit was too low");
}

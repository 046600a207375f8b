//! Folders and disks that whoever runs the program cannot write: one line that says so, and nothing is lost.

use crate::support::{Session, fixture, task};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

/// Anybody but root: the number is nobody's on Linux and macOS.
const NOBODY: u32 = 65534;

/// Somebody who may write in no folder of the session's.
struct Stranger<'s> {
    session: &'s Session,
    is_root: bool,
}

impl<'s> Stranger<'s> {
    /// None, with a word why, where root's own rights cannot be given up here.
    fn of(session: &'s Session) -> Option<Self> {
        fs::set_permissions(session.path("."), Permissions::from_mode(0o755)).unwrap();
        let is_root = fs::metadata(session.path(".")).unwrap().uid() == 0;
        let stranger = Self { session, is_root };
        let started = stranger.command("--version").output();
        if started.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(stranger);
        }
        println!("skipped: the program cannot be run as another user: {started:?}");
        None
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("laser"));
        command.current_dir(self.session.path(".")).args(arguments.split_whitespace());
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Takes from a folder, and all that is in it, the right to write.
    fn seal(&self, folder: &str) {
        set_modes(&self.session.path(folder), 0o555, 0o444);
    }

    /// Gives it back, so that the session can be removed.
    fn unseal(&self, folder: &str) {
        set_modes(&self.session.path(folder), 0o755, 0o644);
    }
}

fn set_modes(path: &Path, folder: u32, file: u32) {
    if path.is_dir() {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        fs::read_dir(path).unwrap().for_each(|entry| set_modes(&entry.unwrap().path(), folder, file));
    }
    fs::set_permissions(path, Permissions::from_mode(if path.is_dir() { folder } else { file })).unwrap();
}

/// The line that a command that must fail prints.
fn line_of(output: Output, command: &str) -> String {
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "{command}: {message}");
    assert!(message.starts_with("error: ") && !message.contains("panicked"), "{command}: {message}");
    message
}

/// Every file below a folder, with its content.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false => drop(found.insert(path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    found
}

#[test]
fn who_may_not_write_is_told_where() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    session.copy_of("llama", "model");
    let tiny = "--task task.jsonl --layers 2 --matrices fc_in --rho 0.1 --no-costs --quiet";
    session.prints(&format!("search model {tiny} --out run"));
    fs::create_dir(session.path("sealed")).unwrap();
    let Some(stranger) = Stranger::of(&session) else { return };
    ["sealed", "run", "model"].iter().for_each(|folder| stranger.seal(folder));
    let before = contents(&session.path("."));
    for (command, place) in [
        (format!("search model {tiny} --out sealed/run"), "sealed/run"),
        (format!("search model {tiny} --out sealed"), "sealed"),
        (format!("search model {tiny} --out run"), "run"),
        ("apply model --reduce 0.fc_in:0.5 --out sealed/edited".to_owned(), "sealed"),
        ("eval model --task task.jsonl --quiet --examples sealed/rows.jsonl".to_owned(), "sealed"),
        ("report run --out sealed/page.html".to_owned(), "sealed"),
        ("report run --csv tables".to_owned(), "run/report.html"),
        ("demo --quiet --out sealed/demo".to_owned(), "sealed"),
    ] {
        let message = line_of(stranger.command(&command).output().unwrap(), &command);
        assert!(message.contains(place) && message.contains("denied"), "{command}: {message}");
    }
    // Reading asks for no such right.
    for command in ["verdict run --quiet", "inspect model --spectrum", "eval model --task task.jsonl --quiet"] {
        let output = stranger.command(command).env("HOME", session.path("sealed")).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && message.is_empty(), "{command}: {message}");
    }
    assert_eq!(contents(&session.path(".")), before);
    ["sealed", "run", "model"].iter().for_each(|folder| stranger.unseal(folder));
}

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub with one model, `a/b`. Gives its address.
fn hub() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let model = fixture("llama");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let Some(request) = lines.next() else { continue };
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let path = request.split(' ').nth(1).unwrap_or_default();
            let name = path.rsplit('/').next().unwrap_or_default();
            let body = match path.starts_with("/api/") {
                true => {
                    let names = fs::read_dir(&model).unwrap().map(|entry| entry.unwrap().file_name());
                    let files = names.map(|name| serde_json::json!({"rfilename": name.to_string_lossy()}));
                    let files: Vec<serde_json::Value> = files.collect();
                    serde_json::json!({"sha": SHA, "siblings": files}).to_string().into_bytes()
                }
                false => fs::read(model.join(name)).unwrap_or_default(),
            };
            let head = format!("ETag: \"{name}\"\r\nX-Repo-Commit: {SHA}\r\nContent-Length: {}", body.len());
            let _ = write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(&body);
        }
    });
    address
}

#[test]
fn a_hub_cache_that_cannot_be_written_is_one_line() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    fs::create_dir(session.path("home")).unwrap();
    let Some(stranger) = Stranger::of(&session) else { return };
    stranger.seal("home");
    let (command, home) = ("eval a/b --task task.jsonl --quiet", session.path("home"));
    let address = hub();
    for variable in ["HF_HOME", "HOME", "HF_HUB_CACHE"] {
        let mut command_there = stranger.command(command);
        for name in ["HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"] {
            command_there.env_remove(name);
        }
        let output = command_there.env("HF_ENDPOINT", &address).env(variable, &home).output().unwrap();
        let message = line_of(output, variable);
        assert!(message.contains("denied") && message.contains("HF_HUB_CACHE"), "{variable}: {message}");
    }
    stranger.unseal("home");
}

/// By the shell's limit on the size of a file, and on a file system of a few kilobytes where one can be had.
#[test]
fn a_hub_cache_on_a_full_disk_is_one_line_and_goes_on_with_room() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let laser = assert_cmd::cargo::cargo_bin!("laser").display().to_string();
    let eval = format!("{laser} eval a/b --task task.jsonl --quiet");
    let address = hub();
    let run = |script: &str| {
        let mut command = Command::new("bash");
        command.current_dir(session.path(".")).args(["-c", script]);
        command.env("HF_ENDPOINT", &address).env("HF_HOME", session.path("cache")).output().unwrap()
    };
    let message = line_of(run(&format!("trap '' XFSZ; ulimit -f 64; exec {eval}")), "ulimit");
    assert!(message.contains("could not be stored"), "{message}");
    let whole = run(&eval);
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));

    fs::create_dir(session.path("small")).unwrap();
    let mount = "mount -t tmpfs -o size=256k none small";
    if !run(&format!("unshare -m {mount}")).status.success() {
        return println!("skipped: no small file system can be had here");
    }
    let there = format!("HF_HOME=small exec {eval}");
    let message = line_of(run(&format!("unshare -m bash -c '{mount} && {there}'")), "tmpfs");
    assert!(message.contains("No space left") && message.contains("make room"), "{message}");
    let search = format!("{laser} search a/b --task task.jsonl --no-costs --quiet --out small/run");
    let filled = "head -c 250000 /dev/zero > small/file";
    let message = line_of(run(&format!("unshare -m bash -c '{mount} && {filled} && exec {search}'")), "search");
    assert!(message.contains("No space left") && message.contains("small/run"), "{message}");
}

/// The files of `demo` and of the `sokoban` commands: nothing waits for a writer, or reads what has no end.
#[cfg(target_os = "linux")]
#[test]
fn the_demo_and_sokoban_read_no_pipes_and_devices() {
    use std::os::unix::fs::symlink;
    use std::time::Duration;
    let session = Session::new();
    let fifo = session.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    session.prints("sokoban levels --count 2 --out levels.txt");
    let refused = |command: &str| {
        let output = session.laser(command).timeout(Duration::from_secs(60)).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "laser {command}: {message}");
    };
    let player = fixture("sokoban/model").display().to_string();
    for (number, file) in [fifo.as_path(), Path::new("/dev/zero")].into_iter().enumerate() {
        let levels = file.display();
        refused(&format!("sokoban solve {levels}"));
        refused(&format!("sokoban play planner --levels {levels}"));
        refused(&format!("sokoban eval {player} --levels {levels}"));
        for name in ["config.json", "model.safetensors"] {
            let copy = format!("player-{number}-{name}");
            let place = session.copy_of("sokoban/model", &copy).join(name);
            fs::remove_file(&place).unwrap();
            symlink(file, &place).unwrap();
            refused(&format!("sokoban eval {copy} --levels levels.txt"));
            let out = session.path(&format!("demo-{number}-{name}"));
            fs::create_dir_all(out.join("model")).unwrap();
            symlink(file, out.join("model").join(name)).unwrap();
            refused(&format!("demo --quiet --out {}", out.display()));
        }
    }
}

#[test]
fn a_folder_of_task_files_is_gone_through_once_whatever_links_there_are() {
    use std::os::unix::fs::symlink;
    let session = Session::new();
    fs::create_dir(session.path("tasks")).unwrap();
    session.write("tasks/rows.jsonl", "{\"q\": \"a\", \"a\": \"b\"}\n");
    let text = "task: one\ndataset_kwargs: {data_files: rows.jsonl}\ndoc_to_text: q\ndoc_to_target: a\n";
    session.write("tasks/one.yaml", text);
    for (target, name) in [(".", "again"), (".", "around"), ("/", "all"), (".", "folder.yaml")] {
        symlink(target, session.path("tasks").join(name)).unwrap();
    }
    assert_eq!(session.prints("tasks check tasks"), "tasks/one.yaml: one: can be used\n");
    // The folder itself may be a link.
    assert_eq!(session.prints("tasks check tasks/again"), "tasks/again/one.yaml: one: can be used\n");
}

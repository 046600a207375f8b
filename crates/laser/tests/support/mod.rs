//! A scratch folder and the program in it.
#![allow(dead_code)] // each test file uses a part

use assert_cmd::Command;
use std::path::{Path, PathBuf};

/// A user's session in a folder of its own.
pub struct Session {
    folder: tempfile::TempDir,
}

impl Session {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// The names in the folder, sorted.
    pub fn list(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// A copy of a fixture, to be damaged.
    pub fn copy_of(&self, fixture: &str, name: &str) -> PathBuf {
        let to = self.path(name);
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(self::fixture(fixture)).unwrap() {
            let entry = entry.unwrap();
            std::fs::write(to.join(entry.file_name()), std::fs::read(entry.path()).unwrap()).unwrap();
        }
        to
    }

    /// The program, with arguments separated by spaces.
    pub fn laser(&self, arguments: &str) -> Command {
        let mut command = assert_cmd::cargo::cargo_bin_cmd!("laser");
        command.current_dir(self.folder.path()).args(arguments.split_whitespace());
        command
    }

    /// What a run that must succeed prints.
    pub fn prints(&self, arguments: &str) -> String {
        let output = self.laser(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "laser {arguments}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The program, started and left to run; what it says can be read once it has ended.
    pub fn starts(&self, arguments: &str) -> std::process::Child {
        // A script's `&` has what it starts ignore SIGINT, and so would the program.
        let heeding = |program: &std::ffi::OsStr| {
            let mut env = std::process::Command::new("env");
            env.arg("--default-signal=HUP,INT,TERM").arg(program);
            env
        };
        let laser = assert_cmd::cargo::cargo_bin!("laser");
        // Not every `env` can that.
        let mut command = match heeding("true".as_ref()).output() {
            Ok(output) if output.status.success() => heeding(laser.as_os_str()),
            _ => std::process::Command::new(laser),
        };
        command
            .current_dir(self.folder.path())
            .args(arguments.split_whitespace())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Names of temporary files and folders in a folder of the session's.
    pub fn temporaries(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with('.')).collect()
    }

    /// The one line that a run that must fail prints, and its exit code.
    pub fn fails(&self, arguments: &str) -> (i32, String) {
        let output = self.laser(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code();
        assert!(code == Some(1) || code == Some(2), "laser {arguments}: exit {code:?}: {stderr}");
        assert!(output.stdout.is_empty(), "laser {arguments} printed {}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(stderr.lines().count(), 1, "laser {arguments}: not one line: {stderr}");
        assert!(stderr.starts_with("error: "), "laser {arguments}: {stderr}");
        (code.unwrap(), stderr)
    }
}

/// A tiny checkpoint.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

/// A task file of `n` examples that a random byte-level model gets partly right.
pub fn task(n: usize) -> String {
    let letters = ["e", "a", "t", "s", "n"];
    (0..n)
        .map(|i| {
            let (subject, answer) = (["Berlin", "The book", "The writer", "French"][i % 4], letters[i / 4 % 5]);
            format!("{{\"prompt\":\"{subject} number {i} is\",\"answer\":\"{answer}\",\"group\":\"{}\"}}\n", i / 2)
        })
        .collect()
}

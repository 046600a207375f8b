//! A search that is killed or stopped goes on where it was and ends with the same files.

#[cfg(unix)]
mod kills;
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
        (format!("search {mistral} --task task.jsonl {options}"), "the model's files are not those of then"),
        (format!("search {llama} --task other.jsonl {options}"), "the task's examples are not those of then"),
        (format!("search {llama} --task task.jsonl {options} --seed 1"), "search.seed"),
        (format!("search {llama} --task task.jsonl {options} --split-first"), "search.split_first"),
    ] {
        let (_, message) = session.fails(&command);
        assert!(message.contains(what) && message.contains("choose another folder"), "{message}");
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

/// Nothing in a folder is touched before it is known to be this search's; then only leftovers of our own form.
#[cfg(unix)]
#[test]
fn files_of_the_users_stay() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let model = fixture("llama").display().to_string();
    let search = format!("search {model} --task task.jsonl --layers 2 --matrices fc_in --rho 0.1 --quiet --out");
    let mut ended = session.starts("--version");
    ended.wait().unwrap();
    let leftover = format!(".laser-{}-abcdef.tmp", ended.id());
    let put = |folder: &str| {
        std::fs::create_dir_all(session.path(folder)).unwrap();
        for name in [".tmpabcdef", ".tmp", ".laser-notes.tmp", &leftover] {
            session.write(&format!("{folder}/{name}"), "a user's");
        }
    };
    // A folder of something else, of another search, and of something that calls its file run.json, too.
    put("photos");
    session.prints(&format!("{search} other --seed 1"));
    put("other");
    put("npm");
    session.write("npm/run.json", "{\"name\": \"run\"}");
    for folder in ["photos", "other", "npm"] {
        let before = session.temporaries(folder).len();
        session.fails(&format!("{search} {folder}"));
        assert_eq!(session.temporaries(folder).len(), before, "{folder}");
        assert_eq!(session.path(&format!("{folder}/lock")).exists(), folder == "other");
    }
    session.prints(&format!("{search} run"));
    put("run");
    session.prints(&format!("{search} run"));
    let mut kept = session.temporaries("run");
    kept.sort();
    assert_eq!(kept, [".laser-notes.tmp", ".tmp", ".tmpabcdef"]);
    // A link in the place of a file is not followed.
    let own = session.write("own", "a user's");
    for name in ["journal.jsonl", "lock", "costs.jsonl"] {
        let path = session.path(&format!("run/{name}"));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&own, &path).unwrap();
        let (_, message) = session.fails(&format!("{search} run"));
        assert!(message.contains("a link"), "{message}");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(session.read("own"), "a user's");
        session.prints(&format!("{search} run"));
    }
}

/// What was not scored by this search is not believed.
#[test]
fn a_journal_that_was_changed_is_refused_by_line() {
    let session = Session::new();
    session.write("task.jsonl", task(40));
    let model = fixture("llama").display().to_string();
    let search =
        format!("search {model} --task task.jsonl --layers 1-2 --matrices fc_in --rho 0.5,0.1 --quiet --out run");
    session.prints(&format!("{search} --strategy exhaustive"));
    let (journal, examples) = (session.read("run/journal.jsonl"), session.read("run/examples.jsonl"));
    let lines: Vec<serde_json::Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let at = lines.iter().position(|line| line["interventions"][0]["layer"] == 1).unwrap();
    let n = lines[at]["correct"].as_str().unwrap().len();
    let all_right = |line: &mut serde_json::Value| {
        line["correct"] = "1".repeat(n).into();
        line["score"]["accuracy"] = 1.0.into();
    };
    type Change<'a> = &'a dyn Fn(&mut serde_json::Value);
    let changes: [(&str, Change); 8] = [
        ("not in the space", &|line| {
            all_right(line);
            line["interventions"][0]["rho"] = 0.3.into();
        }),
        ("not in the space", &|line| line["interventions"][0]["layer"] = 0.into()),
        ("not in the space", &|line| line["interventions"][0]["matrix"] = "fc_out".into()),
        ("does not follow", &|line| line["score"]["accuracy"] = 1.0.into()),
        ("does not follow", &|line| line["correct"] = "1".repeat(n).into()),
        ("it is over", &|line| {
            line["correct"] = "1".into();
            line["log_loss"] = serde_json::json!([0.5]);
            line["score"] = serde_json::json!({"n": 1, "accuracy": 1.0, "log_loss": 0.5});
        }),
        ("not of one length", &|line| line["part"] = serde_json::json!([0, 1])),
        ("other characters", &|line| line["correct"] = "2".repeat(n).into()),
    ];
    let refused = |expected: &str| {
        for command in [format!("{search} --strategy exhaustive"), "verdict run".to_owned(), "front run".to_owned()] {
            let (_, message) = session.fails(&command);
            assert!(message.contains(expected) && message.contains("run the search again"), "{command}: {message}");
        }
    };
    for (why, change) in changes {
        let mut changed = lines.clone();
        change(&mut changed[at]);
        let text: String = changed.iter().map(|line| format!("{line}\n")).collect();
        session.write("run/journal.jsonl", text);
        refused(&format!("journal.jsonl: line {} is not a journal entry", at + 1));
        assert!(session.fails("verdict run").1.contains(why), "{why}");
    }
    // The same candidate twice, with two results.
    let mut again = lines[at].clone();
    all_right(&mut again);
    session.write("run/journal.jsonl", format!("{journal}{again}\n"));
    refused(&format!("line {} is not a journal entry", lines.len() + 1));
    session.write("run/journal.jsonl", &journal);
    // Examples of the same number, with other answers.
    session.write("run/examples.jsonl", examples.replacen("\"e\"", "\"x\"", 1));
    let (_, message) = session.fails("verdict run");
    assert!(message.contains("examples.jsonl") && message.contains("hash"), "{message}");
    session.prints(&format!("{search} --strategy exhaustive"));
    assert_eq!(session.read("run/examples.jsonl"), examples);
    // A recipe that the search has not scored.
    let mut recipe = session.json("run/best.json");
    recipe["interventions"][0]["rho"] = 0.3.into();
    session.write("run/best.json", recipe.to_string());
    let (_, message) = session.fails(&format!("apply {model} --recipe run --out edited"));
    assert!(message.contains("has not scored"), "{message}");
}

#[test]
fn a_race_is_compared_with_its_parts() {
    let session = Session::new();
    session.write("task.jsonl", task(200));
    let model = fixture("llama").display().to_string();
    let search =
        format!("search {model} --task task.jsonl --matrices mlp --rho 0.5,0.1 --strategy race --quiet --out run");
    session.prints(&search);
    let journal = session.read("run/journal.jsonl");
    let mut lines: Vec<serde_json::Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_whole =
        |line: &serde_json::Value| line["part"].is_null() && line["interventions"].as_array().unwrap().len() == 1;
    let at = lines.iter().position(|line| is_whole(line) && line["split"] == "validation").unwrap();
    let n = lines[at]["correct"].as_str().unwrap().len();
    lines[at]["correct"] = "1".repeat(n).into();
    lines[at]["score"]["accuracy"] = 1.0.into();
    session.write("run/journal.jsonl", lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    let (_, message) = session.fails("verdict run");
    assert!(message.contains(&format!("line {} is not", at + 1)) && message.contains("a part"), "{message}");
}

#[test]
fn of_four_searches_at_one_folder_one_wins() {
    let session = Session::new();
    session.write("task.jsonl", task(100));
    let model = fixture("llama").display().to_string();
    let search = format!("search {model} --task task.jsonl --matrices mlp --quiet --out");
    let children: Vec<_> = (0..4).map(|_| session.starts(&format!("{search} run"))).collect();
    let ended: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(ended.iter().any(|it| it.status.success()));
    for refused in ended.iter().filter(|it| !it.status.success()) {
        let message = String::from_utf8_lossy(&refused.stderr);
        assert!(message.contains("another search is running") && message.lines().count() == 1, "{message}");
    }
    session.prints(&format!("{search} alone"));
    for file in ["best.json", "verdict.json", "journal.jsonl"] {
        assert_eq!(session.read(&format!("run/{file}")), session.read(&format!("alone/{file}")), "{file}");
    }
}

#[cfg(unix)]
#[test]
fn signals_end_a_search_in_one_line_and_it_resumes() {
    let session = Session::new();
    session.write("task.jsonl", task(200));
    let search = format!(
        "search {} --task task.jsonl --matrices all --rho 0.8,0.5,0.2 --strategy exhaustive --quiet --out",
        fixture("llama").display()
    );
    for (signal, code) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
        let child = session.starts(&format!("{search} run"));
        let before = std::fs::read(session.path("run/journal.jsonl")).unwrap_or_default().len();
        while std::fs::read(session.path("run/journal.jsonl")).unwrap_or_default().len() == before {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        kill(signal, &child);
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), message.lines().count()), (Some(code), 1), "{message}");
        assert!(message.contains(&format!("stopped by SIG{signal}")) && message.contains("to resume"), "{message}");
        assert!(session.temporaries("run").is_empty());
    }
    // What a scheduler stops is to be run again.
    let shard = session.starts(&format!("{search} parts --shard 2/2"));
    while std::fs::read(session.path("parts/shards/2-of-2/journal.jsonl")).unwrap_or_default().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    kill("TERM", &shard);
    let output = shard.wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), message.lines().count()), (Some(75), 1), "{message}");
    assert!(message.contains("stopped by SIGTERM") && message.contains("to resume"), "{message}");
    // What it had in hand is there.
    let scored = session.read("parts/shards/2-of-2/journal.jsonl").lines().count();
    assert!(scored > 1, "{scored} lines");
    session.prints(&format!("{search} run"));
    session.prints(&format!("{search} whole"));
    for file in ["best.json", "verdict.json"] {
        assert_eq!(session.read(&format!("run/{file}")), session.read(&format!("whole/{file}")), "{file}");
    }
    // A file that is cut under a map.
    let child = session.starts(&format!("{search} cut"));
    while !session.path("cut/journal.jsonl").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    kill("BUS", &child);
    let output = child.wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "{message}");
    assert!(message.contains("was cut while it was read"), "{message}");
}

#[cfg(unix)]
fn kill(signal: &str, child: &std::process::Child) {
    let status = std::process::Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

//! A RUN folder: written by one, read by all.

use laser_edit::Candidate;
use laser_example::{Example, Target};
use laser_run::{
    Bf16Check, Entry, Error, ExampleRange, ExampleResult, PredictedChange, Record, ResultKind, RunDescription,
    RunFolder, RunWriter, SearchTrace, SplitName, VerdictFile,
};
use std::path::Path;

fn description(strategy: &str) -> RunDescription {
    serde_json::from_value(serde_json::json!({
        "version": "1",
        "model": {"path": "here", "files": []},
        "task": {"spec": "t", "digest": "d", "examples": 8},
        "search": {
            "strategy": strategy, "matrices": ["fc_in"], "layers": [1], "rho": [0.5], "limit": null, "seed": 3,
            "split_first": false, "device": "cpu",
        },
    }))
    .unwrap()
}

fn candidate() -> Candidate {
    serde_json::from_str(r#"[{"layer":1,"matrix":"fc_in","rho":0.5}]"#).unwrap()
}

fn examples() -> Vec<Example> {
    let target = |i: usize| Target::generate(vec![format!("a{i}")], 3).unwrap();
    (0..4).map(|i| Example::new(i.to_string(), None, format!("q{i}"), target(i)).unwrap()).collect()
}

fn trace() -> SearchTrace {
    SearchTrace { space: 1, dropped: 0, examples: 4, evaluations: 8, race: None, gradient: None, steps: Vec::new() }
}

fn entry(split: SplitName, candidate: &Candidate, right: usize) -> Entry {
    let record =
        Record { answer_rank: 0, generation: Some("a".into()), choice_logprobs: None, content_free_logprobs: None };
    let record = (split == SplitName::Test).then_some(record);
    let result = |i| ExampleResult { record: record.clone(), ..ExampleResult::binary(i < right, 0.5) };
    Entry::new(split, candidate, None, ResultKind::Binary, (0..4).map(result).collect())
}

/// A finished search.
fn finished(path: &Path) -> RunWriter {
    let writer = RunWriter::create(path, &description("exhaustive")).unwrap();
    let examples = examples();
    let examples: Vec<&Example> = examples.iter().collect();
    writer.write_examples(&examples, &examples).unwrap();
    let mut journal = writer.journal().unwrap();
    for split in [SplitName::Validation, SplitName::Test] {
        journal.append(entry(split, &Candidate::base(), 1)).unwrap();
        journal.append(entry(split, &candidate(), 3)).unwrap();
    }
    writer.write_trace(&trace()).unwrap();
    writer
}

#[test]
fn what_is_written_is_read_beside_the_writer() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("run");
    let writer = finished(&path);
    let folder = RunFolder::open(&path).unwrap();
    assert_eq!(folder.description().unwrap(), description("exhaustive"));
    assert_eq!(folder.entries().unwrap().all().len(), 4);
    assert_eq!(folder.splits().unwrap(), (examples(), examples()));
    assert_eq!(folder.trace().unwrap(), Some(trace()));
    assert_eq!((folder.ranking().unwrap(), folder.bf16_checks().unwrap()), (None, None));
    let ranking = vec![PredictedChange { interventions: candidate(), change: -0.25 }];
    writer.write_ranking(&ranking).unwrap();
    assert_eq!(folder.ranking().unwrap(), Some(ranking));
    let score = entry(SplitName::Validation, &candidate(), 3).score;
    let checks = vec![Bf16Check { interventions: candidate(), in_bf16: score, exact: score, different: 0 }];
    writer.write_bf16_checks(&checks).unwrap();
    assert_eq!(folder.bf16_checks().unwrap(), Some(checks));
    // Nobody else may write meanwhile.
    assert!(matches!(RunWriter::create(&path, &description("exhaustive")), Err(Error::Busy { .. })));
    assert!(matches!(RunWriter::reopen(&folder), Err(Error::Busy { .. })));
    let verdict = folder.judge().unwrap();
    drop(writer);
    RunWriter::reopen(&folder).unwrap().write_verdict(&VerdictFile::new(&verdict, |_| "so".into())).unwrap();
    let text = std::fs::read_to_string(path.join("verdict.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["word"], &json["because"]), (&"noise".into(), &"so".into()));
    assert_eq!(json["best"], serde_json::to_value(candidate()).unwrap());
    assert!(text.starts_with("{\n  \"word\": \"noise\",\n  \"because\": \"so\",\n  \"best\": ["), "{text}");
    assert!(json.get("reason").is_none() && json["test"]["mcnemar_p"].is_number());
}

#[cfg(unix)]
#[test]
fn reading_needs_no_right_to_write() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("run");
    drop(finished(&path));
    // As of someone else: without its lock file, and nothing in it may be changed.
    std::fs::remove_file(path.join("lock")).unwrap();
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let allow = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    let verdict = RunFolder::open(&path).unwrap().judge();
    allow(0o755);
    assert_eq!(verdict.unwrap().best, candidate());
    assert_eq!(names(), before, "reading leaves nothing behind");
}

#[test]
fn beside_a_search_that_has_not_ended_one_is_told_to_wait() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("run");
    let writer = RunWriter::create(&path, &description("exhaustive")).unwrap();
    let judge = || RunFolder::open(&path).unwrap().judge();
    assert!(matches!(judge(), Err(Error::Running { .. })));
    drop(writer);
    assert!(matches!(judge(), Err(Error::Unfinished { .. })));
}

#[test]
fn a_trace_of_impossible_size_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("run");
    drop(finished(&path));
    let rounds =
        r#"{"rounds":[{"candidates":1,"examples":2},{"candidates":1,"examples":4}],"confidence":1,"margin":0}"#;
    for examples in ["5", "1000000000000000000"] {
        let trace = format!(r#"{{"space":1,"dropped":0,"examples":{examples},"evaluations":8,"race":{rounds}}}"#);
        std::fs::write(path.join("strategy.json"), trace).unwrap();
        let message = RunFolder::open(&path).unwrap().judge().unwrap_err().to_string();
        assert!(message.contains("strategy.json") && message.contains(examples), "{message}");
    }
}

#[test]
fn who_looks_whether_a_search_runs_keeps_none_from_beginning() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("run");
    drop(RunWriter::create(&path, &description("exhaustive")).unwrap());
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                RunFolder::open(&path).unwrap().is_running();
            }
        });
        let begun: Vec<_> = (0..300).map(|_| RunWriter::create(&path, &description("exhaustive")).map(drop)).collect();
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(begun.into_iter().all(|begun| begun.is_ok()));
    });
}

#[test]
fn another_search_and_other_folders_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("run");
    drop(RunWriter::create(&path, &description("exhaustive")).unwrap());
    drop(RunWriter::create(&path, &description("exhaustive")).unwrap());
    let message = RunWriter::create(&path, &description("race")).unwrap_err().to_string();
    assert!(message.contains("search.strategy differs"), "{message}");
    std::fs::create_dir(scratch.path().join("other")).unwrap();
    std::fs::write(scratch.path().join("other/file"), "").unwrap();
    assert!(RunWriter::create(&scratch.path().join("other"), &description("race")).is_err());
    assert!(RunFolder::open(&scratch.path().join("other")).is_err());
    assert!(matches!(RunFolder::open(&path).unwrap().judge(), Err(Error::Unfinished { .. })));
}

#[test]
fn ranges_are_pairs_in_the_journal() {
    let part = Some(ExampleRange { start: 5, end: 7 });
    let results = vec![ExampleResult::binary(true, 0.5); 2];
    let entry = Entry::new(SplitName::Validation, &candidate(), part, ResultKind::Binary, results);
    let json = serde_json::to_string(&entry).unwrap();
    assert!(json.ends_with(r#""correct":"11","log_loss":[0.5,0.5],"part":[5,7]}"#), "{json}");
}

#[test]
fn a_journal_is_not_continued_with_other_kernels() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("run");
    let with = |kernels: Option<&str>| {
        let mut description = description("race");
        description.search.kernel_path = kernels.map(str::to_owned);
        RunWriter::create(&path, &description).map(drop)
    };
    with(Some("cpu avx512")).unwrap();
    with(Some("cpu avx512")).unwrap();
    let message = with(Some("cpu avx2")).unwrap_err().to_string();
    assert!(message.contains("with the kernels cpu avx512, and here they are cpu avx2"), "{message}");
    assert!(message.contains("choose another folder") && !message.contains('\n'), "{message}");
    assert!(with(None).is_err());
    // As of a version that did not record them: it is read, and not continued.
    let text = std::fs::read_to_string(path.join("run.json")).unwrap();
    let old: String =
        text.lines().filter(|line| !line.contains("kernel_path")).map(|line| format!("{line}\n")).collect();
    std::fs::write(path.join("run.json"), old.replace("\"cpu\",", "\"cpu\"")).unwrap();
    assert!(RunFolder::open(&path).unwrap().description().unwrap().search.kernel_path.is_none());
    let message = with(Some("cpu avx2")).unwrap_err().to_string();
    assert!(message.contains("did not record its kernels") && message.contains("laser verdict"), "{message}");
    with(None).unwrap();
}

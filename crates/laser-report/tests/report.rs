//! The report of RUN folders of every kind, from their files alone.

use laser_edit::{Candidate, MatrixKind};
use laser_example::{Example, Target};
use laser_report::{ComparedRuns, ReadRun, State, judged_text, lm_eval_files, optuna_journal};
use laser_run::{
    Entry, ExampleRange, ExampleResult, Record, ResultKind, RunDescription, RunFolder, RunWriter, SearchTrace,
    SplitName, Step,
};
use serde_json::Value;
use std::path::Path;

/// What a page must show as text.
const HOSTILE: &str = "</script><script>alert(1)</script></style><b>\"'&\u{0}\u{1b}[31m\u{202e}<!--";

fn description(task: &str) -> RunDescription {
    let description = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "model": {
            "path": format!("models/{HOSTILE}"),
            "files": [{"name": "model.safetensors", "bytes": 8, "sha256": "00".repeat(32)}],
        },
        "task": {"spec": task, "digest": "11".repeat(32), "examples": 60, "reading": {"shots": 3}},
        "search": {
            "strategy": "beam", "matrices": ["fc_in", "fc_out"], "layers": [0, 1], "rho": [0.9, 0.5, 0.1],
            "limit": null, "seed": 0, "split_first": false, "device": "cpu",
        },
    });
    serde_json::from_value(description).unwrap()
}

fn candidate(json: &str) -> Candidate {
    serde_json::from_str(json).unwrap()
}

fn one(layer: usize, matrix: &str, rho: f64) -> Candidate {
    candidate(&format!(r#"[{{"layer":{layer},"matrix":"{matrix}","rho":{rho}}}]"#))
}

/// Examples scored by generation; every text of them is hostile.
fn examples(from: usize, n: usize) -> Vec<Example> {
    let example = |i: usize| {
        let target = Target::generate(vec![format!("{HOSTILE} {i}")], 5).unwrap();
        Example::new(format!("id{i}{HOSTILE}"), None, format!("{HOSTILE} question {i}"), target).unwrap()
    };
    (from..from + n).map(example).collect()
}

/// So many right ones of `n`.
fn entry(split: SplitName, candidate: &Candidate, right: usize, n: usize) -> Entry {
    let result = |i: usize| {
        let mut result = ExampleResult::binary(i < right, 1.0 + (n - right) as f64 / n as f64);
        let generation = Some(format!("{HOSTILE} said {i}"));
        result.record = (split == SplitName::Test).then_some(Record {
            answer_rank: i,
            generation,
            choice_logprobs: None,
            content_free_logprobs: None,
        });
        result
    };
    Entry::new(split, candidate, None, ResultKind::Binary, (0..n).map(result).collect())
}

/// A RUN folder of a search over 20 validation and 40 test examples.
struct Run {
    folder: tempfile::TempDir,
}

impl Run {
    /// A search that has come to its end, or one that stopped before.
    fn new(finished: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let writer = RunWriter::create(folder.path(), &description("tasks/facts.jsonl")).unwrap();
        let (validation, test) = (examples(0, 20), examples(20, 40));
        writer.write_examples(&validation.iter().collect::<Vec<_>>(), &test.iter().collect::<Vec<_>>()).unwrap();
        let mut journal = writer.journal().unwrap();
        let base = Candidate::base();
        let best = one(1, "fc_in", 0.1);
        let two = candidate(r#"[{"layer":0,"matrix":"fc_out","rho":0.5},{"layer":1,"matrix":"fc_in","rho":0.1}]"#);
        for (candidate, right) in
            [(&base, 8), (&one(0, "fc_in", 0.9), 7), (&one(0, "fc_out", 0.1), 3), (&best, 18), (&two, 17)]
        {
            journal.append(entry(SplitName::Validation, candidate, right, 20)).unwrap();
        }
        if finished {
            journal.append(entry(SplitName::Test, &base, 12, 40)).unwrap();
            journal.append(entry(SplitName::Test, &best, 36, 40)).unwrap();
            let step = Step { interventions: best, accuracy: 0.9, log_loss: 1.1 };
            let (race, gradient) = (None, None);
            writer
                .write_trace(&SearchTrace {
                    space: 4,
                    dropped: 0,
                    examples: 20,
                    evaluations: 100,
                    race,
                    gradient,
                    steps: vec![step],
                })
                .unwrap();
        }
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn read(&self) -> ReadRun {
        ReadRun::open(&RunFolder::open(self.path()).unwrap())
    }
}

/// The JSON of a page.
fn data_of(page: &str) -> Value {
    let (_, rest) = page.split_once("<script id=\"data\" type=\"application/json\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn a_finished_run_has_every_section_and_the_same_page_again() {
    let run = Run::new(true);
    let read = run.read();
    assert_eq!((read.data.state, read.data.problems.as_slice()), (State::Finished, [].as_slice()));
    let page = read.data.page();
    for part in
        ["Before and after", "Where it helps", "How much to remove", "Composition", "Answers gained", "What was run"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("24 test examples gained, 0 lost"), "{page}");
    assert!(page.contains("30.0 % → <strong>90.0 %</strong>"));
    // The numbers of the heat map are there without a script.
    assert!(page.contains("<th scope=\"row\">1.fc_in</th>") && page.contains("<td>90.0</td>"));
    assert_eq!(page, run.read().data.page());
    let data = data_of(&page);
    assert_eq!(data["sweep"]["edits"], serde_json::json!(["0.9", "0.1"]));
    assert_eq!(data["best"]["edits"][0]["layer"], 1);
}

#[test]
fn hostile_texts_are_text() {
    let page = Run::new(true).read().data.page();
    // One script element for the data and one for the program, and one style.
    assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
    assert_eq!((page.matches("<style").count(), page.matches("</style").count()), (1, 1));
    assert!(!page.contains("<b>") && !page.contains("<!--"));
    assert!(!page.chars().any(|letter| letter.is_control() && letter != '\n'));
    let shown = page.split("<script id=\"data\"").next().unwrap();
    assert!(!shown.contains('\u{202e}'));
    assert!(
        page.contains("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;/style&gt;&lt;b&gt;&quot;'&amp;␀␛[31m")
    );
    assert_eq!(data_of(&page)["model"].as_str().unwrap(), HOSTILE.rsplit('/').next().unwrap());
}

#[test]
fn a_picture_of_an_example_runs_nothing() {
    let run = Run::new(true);
    let path = run.folder.path().join("example.svg");
    let shows = |text: &str| {
        std::fs::write(&path, text).unwrap();
        run.read().data.page()
    };
    let page = shows("<svg><script>alert('x')</script><rect width=\"9\"/></svg>");
    let source = "src=\"data:image/svg+xml,%3Csvg%3E%3Cscript%3Ealert(%27x%27)%3C/script%3E%3Crect width=%229%22/%3E";
    assert!(page.contains(source) && page.contains("An example"));
    for not_shown in ["no picture", &format!("<svg>{}", " ".repeat(1 << 18))] {
        assert!(!shows(not_shown).contains("An example"));
    }
}

#[test]
fn nothing_is_fetched() {
    let page = Run::new(true).read().data.page();
    assert!(page.contains("Content-Security-Policy\" content=\"default-src 'none'"));
    assert!(!page.contains(" src=") && !page.contains("url(") && !page.contains("@import") && !page.contains("<link"));
    for address in page.split("http").skip(1) {
        let names_or_policy = ["://www.w3.org/2000/svg", "-equiv="];
        assert!(names_or_policy.iter().any(|known| address.starts_with(known)), "http{}", &address[..40]);
    }
}

#[test]
fn an_unfinished_or_running_search_shows_what_there_is() {
    let run = Run::new(false);
    let read = run.read();
    assert_eq!(read.data.state, State::Unfinished);
    let page = read.data.page();
    assert!(
        page.contains("has not come to its end: 4 candidates were scored; the best so far is 1.fc_in:0.1"),
        "{page}"
    );
    assert!(page.contains("Run the same search again") && page.contains("Where it helps"));
    let _writer = RunWriter::reopen(&RunFolder::open(run.path()).unwrap()).unwrap();
    let read = run.read();
    assert_eq!(read.data.state, State::Running);
    assert!(read.data.page().contains("A process writes to this RUN folder"));
}

#[test]
fn a_damaged_file_is_named_and_the_rest_is_shown() {
    let damaged = |file: &str, content: &[u8]| {
        let run = Run::new(true);
        let path = run.path().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.splice(0..0, content.iter().copied());
        std::fs::write(&path, bytes).unwrap();
        let data = run.read().data;
        let page = data.page();
        assert!(page.contains(file), "{file}: {:?}", data.problems);
        assert!(data.problems.iter().all(|problem| !problem.contains('\n')), "{:?}", data.problems);
        (data, page)
    };
    let (data, page) = damaged("journal.jsonl", b"{\"split\":\"validation\"}\n");
    assert_eq!(data.candidates, 4);
    assert!(data.problems[0].contains("line 1") && page.contains("Where it helps"));
    let (data, page) = damaged("run.json", b"?");
    assert!(data.run.is_none() && page.contains("Where it helps"));
    let (data, page) = damaged("examples.jsonl", b"?\n");
    assert!(data.verdict.is_none() && page.contains("Where it helps"));
    damaged("strategy.json", b"?");
}

#[test]
fn what_keeps_a_verdict_away_is_told_beside_other_problems() {
    let run = Run::new(true);
    let path = run.path().join("examples.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.lines().skip(50).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    std::fs::write(run.path().join("rounding.json"), "?").unwrap();
    let data = run.read().data;
    assert!(data.verdict.is_none());
    assert!(data.problems.iter().any(|problem| problem.contains("rounding.json")), "{:?}", data.problems);
    assert!(data.problems.iter().any(|problem| problem.contains("strategy.json")), "{:?}", data.problems);
}

#[test]
fn results_that_are_not_right_or_wrong_are_not_in_percent() {
    let folder = tempfile::tempdir().unwrap();
    let mut real = description("returns.jsonl");
    real.task.results = ResultKind::Real;
    let writer = RunWriter::create(folder.path(), &real).unwrap();
    let (validation, test) = (examples(0, 20), examples(20, 40));
    writer.write_examples(&validation.iter().collect::<Vec<_>>(), &test.iter().collect::<Vec<_>>()).unwrap();
    let mut journal = writer.journal().unwrap();
    for (candidate, value) in [(Candidate::base(), 2.0), (one(0, "fc_in", 0.9), 1.0), (one(1, "fc_in", 0.1), 12.5)] {
        for (split, n) in [(SplitName::Validation, 20), (SplitName::Test, 40)] {
            let results = (0..n).map(|i| ExampleResult::real(value + i as f64 / 100.0, 1.0)).collect();
            journal.append(Entry::new(split, &candidate, None, ResultKind::Real, results)).unwrap();
        }
    }
    let (race, gradient, steps) = (None, None, Vec::new());
    let trace = SearchTrace { space: 2, dropped: 0, examples: 20, evaluations: 60, race, gradient, steps };
    writer.write_trace(&trace).unwrap();
    drop(writer);
    let data = ReadRun::open(&RunFolder::open(folder.path()).unwrap()).data;
    let verdict = data.verdict.as_ref().unwrap_or_else(|| panic!("{:?}", data.problems));
    let text = judged_text(None, verdict);
    assert!(text.starts_with("real: 10.500 more per result on unseen examples"), "{text}");
    assert!(text.contains("mean result +10.500 (95 % +10.500 to +10.500)"), "{text}");
    let compared = ComparedRuns { runs: vec![data] };
    let text = text + &compared.text() + &compared.page();
    assert!(text.contains("+10.500") && !text.contains("1050"), "{text}");
}

#[test]
fn a_terminal_gets_no_control_characters() {
    let data = Run::new(true).read().data;
    let text = judged_text(None, data.verdict.as_ref().unwrap());
    assert!(text.contains("␛[31m"), "{text:?}");
    assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
}

#[test]
fn another_version_is_told() {
    let run = Run::new(true);
    let path = run.path().join("run.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(env!("CARGO_PKG_VERSION"), "9.9.9")).unwrap();
    assert!(run.read().data.page().contains("the search was run by version 9.9.9 of laser"));
}

#[test]
fn a_large_run_stays_below_a_megabyte_and_says_what_it_leaves_out() {
    let run = Run::new(false);
    let mut lines = std::fs::read_to_string(run.path().join("journal.jsonl")).unwrap();
    let mut add = |candidate: &Candidate, right: usize| {
        let entry = entry(SplitName::Validation, candidate, right, 20);
        lines.push_str(&format!("{}\n", serde_json::to_string(&entry).unwrap()));
    };
    for layer in 0..80 {
        for matrix in MatrixKind::ALL {
            for rho in [0.9, 0.8, 0.6, 0.2, 0.1, 0.05, 0.01] {
                add(&one(layer, matrix.name(), rho), layer % 20);
            }
        }
    }
    for a in 0..2000 {
        let two = format!(
            r#"[{{"layer":{},"matrix":"fc_in","rank":{a}}},{{"layer":79,"matrix":"fc_out","rho":0.5}}]"#,
            a % 79
        );
        add(&candidate(&two), a % 20);
    }
    // Many numbers of each matrix: what stands under the heat map is cut, too.
    for layer in 0..80 {
        for number in 1..60 {
            add(&one(layer, "fc_up", f64::from(number) / 61.0), layer % 20);
        }
    }
    std::fs::write(run.path().join("journal.jsonl"), lines).unwrap();
    // A description without layers says nothing of the space.
    let mut wide = description("tasks/facts.jsonl");
    wide.search.layers.clear();
    std::fs::write(run.path().join("run.json"), serde_json::to_string(&wide).unwrap()).unwrap();
    let page = run.read().data.page();
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert!(page.contains("more rows: <code>--csv DIR</code>"));
    let csv = tempfile::tempdir().unwrap();
    run.read().data.write_csv(csv.path()).unwrap();
    assert_eq!(std::fs::read_to_string(csv.path().join("others.csv")).unwrap().lines().count(), 2002);
}

#[test]
fn optuna_gets_a_study_of_single_edits_and_one_of_the_others() {
    let run = Run::new(true);
    let writer = RunWriter::reopen(&RunFolder::open(run.path()).unwrap()).unwrap();
    // Two rounds of a race, the second of which was scored twice.
    for (start, end) in [(0, 5), (5, 8), (5, 8)] {
        let results = vec![ExampleResult::binary(true, 0.5); end - start];
        let part = Some(ExampleRange { start, end });
        let dropped = Entry::new(SplitName::Validation, &one(0, "fc_in", 0.1), part, ResultKind::Binary, results);
        writer.journal().unwrap().append(dropped).unwrap();
    }
    let text = optuna_journal(&run.read(), "2024-01-02T03:04:05Z");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |code: u8| lines.iter().filter(|line| line["op_code"] == code).collect::<Vec<_>>();
    let names: Vec<&Value> = of(0).iter().map(|line| &line["directions"]).collect();
    assert_eq!(names, [&serde_json::json!([2, 1]); 2]);
    let trials = of(4);
    let states: Vec<(i64, i64)> =
        trials.iter().map(|it| (it["study_id"].as_i64().unwrap(), it["state"].as_i64().unwrap())).collect();
    assert_eq!(states, [(0, 1), (0, 1), (0, 1), (0, 2), (1, 1)]);
    let best = trials[2];
    assert_eq!(best["values"][0], 0.9);
    // A category is stored by its number: fc_in, fc_out; 0.1, 0.9.
    assert_eq!(best["params"], serde_json::json!({"layer": 1, "matrix": 0, "edit": 0}));
    assert!(trials[3].get("values").is_none());
    assert_eq!(trials[3]["user_attrs"]["examples"], 8);
}

#[test]
fn lm_eval_gets_results_and_samples_of_base_and_best() {
    let run = Run::new(true);
    let files = lm_eval_files(&run.read(), "2024-01-02T03:04:05.000000Z");
    let names: Vec<String> = files.iter().map(|(name, _)| name.display().to_string()).collect();
    assert_eq!(names.len(), 4);
    assert!(names[0].ends_with("/results_2024-01-02T03-04-05.000000.json"), "{names:?}");
    assert!(names[3].ends_with("/samples_facts_2024-01-02T03-04-05.000000.jsonl"), "{names:?}");
    assert!(names.iter().all(|name| name.matches('/').count() == 1));
    let results: Value = serde_json::from_str(&files[2].1).unwrap();
    assert_eq!((&results["n-shot"]["facts"], &results["configs"]["facts"]["task"]), (&3.into(), &"facts".into()));
    assert_eq!(results["results"]["facts"]["acc,none"], 0.9);
    let samples: Vec<Value> = files[3].1.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(samples.len(), 40);
    assert_eq!((&samples[39]["acc"], &samples[0]["acc"]), (&serde_json::json!(0.0), &serde_json::json!(1.0)));
    assert!(lm_eval_files(&Run::new(false).read(), "2024-01-02T03:04:05Z").is_empty());
}

#[test]
fn runs_are_compared_whatever_their_state() {
    let runs = vec![Run::new(true).read().data, Run::new(false).read().data];
    let compared = ComparedRuns { runs };
    let text = compared.text();
    assert!(text.contains("1.fc_in:0.1") && text.contains("+60.0") && text.contains("not finished"), "{text}");
    let page = compared.page();
    assert!(page.contains("2 runs compared") && page.contains("Best layer"), "{page}");
    assert_eq!(data_of(&page)[0]["best_accuracy"], 0.9);
}

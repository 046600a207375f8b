//! The analyses of RUN folders, on results that can be counted by hand.

use laser_edit::{Candidate, MatrixKind};
use laser_example::{Example, Target};
use laser_report::{
    MatrixPart, MatrixSpectrum, Occurrences, PartAnswer, PartAnswers, PushedTokens, ReadRun, TailFindings, frequency,
    methods_compared, monotone, paraphrase, perplexity_change, rank, tail,
};
use laser_run::{
    Entry, ExampleResult, PerplexityChange, Record, ResultKind, RunDescription, RunFolder, RunWriter, SearchTrace,
    SplitName, Windows,
};
use serde_json::Value;
use std::collections::HashMap;

fn description() -> RunDescription {
    let description = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "model": {"path": "model", "files": []},
        "task": {"spec": "facts.jsonl", "digest": "11".repeat(32), "examples": 10},
        "search": {
            "strategy": "exhaustive", "matrices": ["fc_in"], "layers": [0], "rho": [0.5, 0.1],
            "edits": ["zero", "prune=0.5"], "limit": null, "seed": 0, "split_first": false, "device": "cpu",
        },
    });
    serde_json::from_value(description).unwrap()
}

/// Four validation examples; six test examples, two wordings of each of three facts.
fn examples() -> (Vec<Example>, Vec<Example>) {
    let example = |id: usize, group: String| {
        let target = Target::generate(vec![format!("answer {id}")], 5).unwrap();
        Example::new(id.to_string(), Some(group), format!("question {id}"), target).unwrap()
    };
    let validation = (0..4).map(|id| example(id, format!("v{id}"))).collect();
    (validation, (4..10).map(|id| example(id, format!("fact{}", id / 2))).collect())
}

fn edit(fields: &str) -> Candidate {
    serde_json::from_str(&format!(r#"[{{"layer":0,"matrix":"fc_in",{fields}}}]"#)).unwrap()
}

fn entry(split: SplitName, candidate: &Candidate, correct: &str) -> Entry {
    let result = |letter: char| {
        let mut result = ExampleResult::binary(letter == '1', 1.0);
        result.record = (split == SplitName::Test).then_some(Record {
            answer_rank: 0,
            generation: Some("text".into()),
            choice_logprobs: None,
            content_free_logprobs: None,
        });
        result
    };
    Entry::new(split, candidate, None, ResultKind::Binary, correct.chars().map(result).collect())
}

/// A finished run. Its best candidate is `0.fc_in:0.1`.
fn read(folder: &tempfile::TempDir) -> ReadRun {
    let writer = RunWriter::create(folder.path(), &description()).unwrap();
    let (validation, test) = examples();
    writer.write_examples(&validation.iter().collect::<Vec<_>>(), &test.iter().collect::<Vec<_>>()).unwrap();
    let mut journal = writer.journal().unwrap();
    let (base, best) = (Candidate::base(), edit(r#""rho":0.1"#));
    for (candidate, correct) in [
        (&base, "1000"),
        (&edit(r#""rho":0.5"#), "1100"),
        (&best, "1110"),
        (&edit(r#""zero":true"#), "0110"),
        (&edit(r#""prune":0.5"#), "1000"),
    ] {
        journal.append(entry(SplitName::Validation, candidate, correct)).unwrap();
    }
    // Facts by base: both, one, none. By best: both, both, one.
    journal.append(entry(SplitName::Test, &base, "111000")).unwrap();
    journal.append(entry(SplitName::Test, &best, "111101")).unwrap();
    let (race, gradient, steps) = (None, None, Vec::new());
    writer
        .write_trace(&SearchTrace { space: 4, dropped: 0, examples: 4, evaluations: 20, race, gradient, steps })
        .unwrap();
    drop(writer);
    ReadRun::open(&RunFolder::open(folder.path()).unwrap())
}

fn rows(analysis: &laser_report::Analysis, table: &str) -> Vec<Value> {
    let page = analysis.page();
    assert!(page.contains("<svg") && page.contains("<title") && page.contains("<desc"), "{page}");
    assert!(analysis.findings.iter().all(|finding| analysis.text().contains(finding)));
    analysis.json()["tables"][table].as_array().unwrap().clone()
}

fn column(rows: &[Value], key: &str) -> Vec<Value> {
    rows.iter().map(|row| row[key].clone()).collect()
}

#[test]
fn monotone_counts_what_each_step_turns() {
    let folder = tempfile::tempdir().unwrap();
    let analysis = monotone(&read(&folder), None).unwrap();
    let rows = rows(&analysis, "monotone");
    assert_eq!(column(&rows, "edit"), ["all", "0.5", "0.1", "zero"]);
    assert_eq!(column(&rows, "accuracy"), [0.25, 0.5, 0.75, 0.5]);
    assert_eq!(column(&rows, "gained"), [0, 1, 1, 0]);
    assert_eq!(column(&rows, "lost"), [0, 0, 0, 1]);
    assert_eq!(column(&rows, "base_kept"), [1.0, 1.0, 1.0, 0.0]);
    assert!(analysis.findings[1].contains("2 of 3 steps lose none"), "{:?}", analysis.findings);
    assert!(monotone(&read(&folder), Some((1, MatrixKind::FcIn.into()))).is_none());
}

#[test]
fn methods_are_compared_by_their_best() {
    let folder = tempfile::tempdir().unwrap();
    let analysis = methods_compared(&read(&folder)).unwrap();
    let rows = rows(&analysis, "prune");
    assert_eq!(column(&rows, "method"), ["prune", "truncate", "zero"]);
    assert_eq!(column(&rows, "best"), ["0.fc_in:prune=0.5", "0.fc_in:0.1", "0.fc_in:zero"]);
    assert_eq!(column(&rows, "gain"), [0.0, 0.5, 0.25]);
    assert_eq!(column(&rows, "better"), [0, 2, 1]);
}

#[test]
fn paraphrase_counts_facts_that_are_right_in_all_wordings() {
    let folder = tempfile::tempdir().unwrap();
    let analysis = paraphrase(&read(&folder)).unwrap();
    let rows = rows(&analysis, "paraphrase");
    assert_eq!(column(&rows, "number"), [3, 2]);
    assert_eq!(column(&rows, "base"), [1, 1]);
    assert_eq!(column(&rows, "best"), [2, 2]);
    assert!(analysis.findings[0].contains("answers 1 (50.0 %)") && analysis.findings[0].contains("is 2 (100.0 %)"));
    assert!(analysis.findings[1].contains("1 facts became right"));
}

#[test]
fn frequency_puts_examples_in_bins() {
    let folder = tempfile::tempdir().unwrap();
    let run = read(&folder);
    let count = |together| Occurrences { subject: 9_999, answer: 9_999, together };
    // By the group's id, by the example's own, and one example without a fact.
    let facts = HashMap::from([
        ("fact2".to_owned(), count(5_000)),
        ("6".to_owned(), count(1)),
        ("7".to_owned(), count(0)),
        ("8".to_owned(), count(2)),
        ("nobody".to_owned(), count(1)),
    ]);
    let analysis = frequency(&run, &facts, "corpus").unwrap();
    let rows = rows(&analysis, "frequency");
    assert_eq!(column(&rows, "examples"), [1, 2, 0, 0, 0, 0, 2]);
    assert_eq!(column(&rows, "gained"), [1, 0, 0, 0, 0, 0, 0]);
    assert_eq!((&rows[1]["base"], &rows[6]["base"]), (&Value::from(0.5), &Value::from(1.0)));
    assert!(analysis.findings[1].starts_with("5 of 6"), "{:?}", analysis.findings);
    assert!(frequency(&run, &HashMap::new(), "corpus").is_none());
}

#[test]
fn ranks_stand_beside_the_best_fraction() {
    let folder = tempfile::tempdir().unwrap();
    let spectrum = MatrixSpectrum {
        layer: 0,
        matrix: MatrixKind::FcIn.into(),
        maximum: 64,
        effective: 48.0,
        stable: 3.5,
        alpha: Some(2.5),
    };
    let analysis = rank(&read(&folder), &[spectrum]).unwrap();
    let rows = rows(&analysis, "rank");
    assert_eq!((&rows[0]["best"], &rows[0]["best_rank"]), (&Value::from("0.1"), &Value::from(6)));
    assert_eq!((&rows[0]["share"], &rows[0]["alpha"]), (&Value::from(0.75), &Value::from(2.5)));
}

#[test]
fn perplexities_are_compared() {
    let windows = Windows { window: 2048, stride: 512 };
    let change =
        PerplexityChange { text: "00".into(), windows, tokens: 100, base: 10.0, edited: 12.5, growth_interval: None };
    let analysis = perplexity_change("0.fc_in:0.1", "text.txt", &change);
    let rows = rows(&analysis, "perplexity");
    assert_eq!(column(&rows, "perplexity"), [10.0, 12.5]);
    assert!(analysis.findings[0].contains("+25.0 %"));
}

#[test]
fn a_tail_is_counted_by_part() {
    let folder = tempfile::tempdir().unwrap();
    let run = read(&folder);
    let answer = |token: &str, right: bool, cosine: f64, near: bool| PartAnswer {
        token: token.into(),
        said: format!("{token}, said"),
        right,
        cosine,
        near,
    };
    let parts = vec![
        PartAnswers {
            part: MatrixPart::Bottom(0.9),
            answers: vec![answer(" the", false, 0.1, false), answer(" Rome", false, 0.5, true)],
        },
        PartAnswers {
            part: MatrixPart::Whole,
            answers: vec![answer(" a", false, 0.0, false), answer(".", false, 0.0, false)],
        },
        PartAnswers {
            part: MatrixPart::Kept,
            answers: vec![answer(" Oslo", true, 1.0, true), answer(" Paris", true, 1.0, true)],
        },
    ];
    let component = |component: usize, kept: bool, ends: [&str; 2]| PushedTokens {
        component,
        value: 1.0,
        kept,
        ends: ends.map(|end| end.split(' ').map(str::to_owned).collect()),
    };
    let found = TailFindings {
        edit: edit(r#""rho":0.1"#).interventions()[0].clone(),
        turned: [5, 40],
        examples: vec![["Norway?".into(), "Oslo".into()], ["France?".into(), "Paris".into()]],
        parts,
        nearest: 0.01,
        way: "what it writes",
        components: vec![component(1, true, ["Oslo the", "Rome Paris"]), component(9, false, ["the a", "of Bern"])],
        frequent_tokens: 0.02,
    };
    let analysis = tail(&run, &found).unwrap();
    let text = analysis.findings.join("\n");
    assert!(text.contains("turns 5 of 40 test examples right; 2 of them"), "{text}");
    assert!(text.contains("word: the whole matrix 100 %, the kept part 0 %, the tail alone 50 %"), "{text}");
    assert!(text.contains("answer's): the whole matrix 0 %, the kept part 100 %, the tail alone 50 %"), "{text}");
    assert!(text.contains("are 25 % for the kept components and 75 % for those of the tail"), "{text}");
    let document = analysis.json();
    assert_eq!(document["tables"]["tail"][0]["cosine"], 0.3);
    assert_eq!(document["tables"]["tail_answers"][1]["kept"], "Paris, said");
    let nothing = PartAnswers { part: MatrixPart::Whole, answers: Vec::new() };
    assert!(tail(&run, &TailFindings { parts: vec![nothing], ..found }).is_none());
}

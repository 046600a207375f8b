//! Counts on small corpora, against what can be counted by hand and by the simplest program.

use laser_corpus::{CorpusError, Counting, Fact, FactCount, count_facts, read_facts, size_of};
use std::io::Write;
use std::path::Path;

fn fact(subject: &str, answer: &str) -> Fact {
    Fact { id: format!("{subject}/{answer}"), subject: subject.into(), answer: answer.into() }
}

fn count(corpus: &Path, facts: &[Fact], window: usize) -> Vec<[u64; 3]> {
    let counts = count_facts(corpus, facts, Counting { window }, &|_| {}).unwrap();
    counts.facts.iter().map(|FactCount { subject, answer, together }| [*subject, *answer, *together]).collect()
}

#[test]
fn whole_words_are_counted_once_a_window() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "Rome, Rome is in Italy. Romeo is not.\n\nItaly has Rome;\nthe Romes are not.\n\nItaly")
        .unwrap();
    let facts = [fact("Rome", "Italy"), fact("Italy", "Rome"), fact("Paris", "Italy"), fact("Rome", "Rome")];
    let expected = [[2, 3, 2], [3, 2, 2], [0, 3, 0], [2, 2, 2]];
    assert_eq!(count(&path, &facts, 1_000), expected);
    // A small window separates "Rome, Rome is" from "in Italy. Romeo", and not "Italy has Rome;".
    assert_eq!(count(&path, &facts, 12)[0], [2, 3, 1]);
}

#[test]
fn texts_inside_of_one_another_are_all_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "New York City is in New York.").unwrap();
    let facts = [fact("New York City", "New York"), fact("York", "City"), fact("York C", "New")];
    assert_eq!(count(&path, &facts, 1_000), [[1, 1, 1], [1, 1, 1], [0, 1, 0]]);
}

#[test]
fn every_form_gives_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let documents: Vec<String> =
        (0..3_000).map(|i| format!("S{} and A{} with \"quotes\" \u{e9}", i % 7, i % 11)).collect();
    let lines: String =
        documents.iter().map(|it| format!("{}\n", serde_json::json!({"meta": 1, "text": it}))).collect();
    let text = documents.join("\n\n");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let facts: Vec<Fact> = (0..7).map(|i| fact(&format!("S{i}"), &format!("A{i}"))).collect();
    // By the simplest program.
    let has = |text: &str, word: &str| text.split(' ').any(|it| it == word);
    let by_hand: Vec<[u64; 3]> = (facts.iter())
        .map(|it| {
            let holds = |a: bool, b: bool, d: &String| (!a || has(d, &it.subject)) && (!b || has(d, &it.answer));
            [(true, false), (false, true), (true, true)]
                .map(|(a, b)| documents.iter().filter(|d| holds(a, b, d)).count() as u64)
        })
        .collect();
    let compressed = zstd::encode_all(lines.as_bytes(), 3).unwrap();
    for (name, bytes) in
        [("t/a.txt", text.as_bytes()), ("l/a.jsonl", lines.as_bytes()), ("z/deep/a.jsonl.zst", &compressed)]
    {
        let path = write(name, bytes);
        assert_eq!(count(&path, &facts, 1_000), by_hand, "{name}");
        let read = std::sync::atomic::AtomicU64::new(0);
        let progress = |bytes| {
            read.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        };
        count_facts(&path, &facts, Counting::default(), &progress).unwrap();
        assert_eq!(read.into_inner(), size_of(&path).unwrap(), "{name}");
        assert_eq!(count(&folder.path().join(&name[..1]), &facts, 1_000), by_hand, "the folder of {name}");
    }
}

#[test]
fn many_batches_give_what_one_gives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.txt");
    let mut file = std::fs::File::create(&path).unwrap();
    let document = "Rome is the capital of Italy, and words fill the line to make it longer than it need be.\n\n";
    for _ in 0..120_000 {
        file.write_all(document.as_bytes()).unwrap();
    }
    assert_eq!(count(&path, &[fact("Rome", "Italy")], 1_000), [[120_000; 3]]);
}

#[test]
fn what_is_no_corpus_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = count_facts(&path, &[fact("a", "b")], Counting::default(), &|_| {}).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
        error
    };
    assert!(matches!(fails("a.pdf", b"x"), CorpusError::NoText { .. }));
    assert!(matches!(fails("a.jsonl", b"{\"text\": \"x\"}\n{\"t\": 1}\n"), CorpusError::Line { line: 2, .. }));
    assert!(matches!(fails("a.jsonl.zst", b"no zstd"), CorpusError::Io { .. }));
    assert!(count_facts(&folder.path().join("nowhere.txt"), &[fact("a", "b")], Counting::default(), &|_| {}).is_err());
    let empty = tempfile::tempdir().unwrap();
    assert!(count_facts(empty.path(), &[fact("a", "b")], Counting::default(), &|_| {}).is_err());
}

#[test]
fn facts_are_read_with_what_is_wrong_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("facts.jsonl");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        read_facts(&path).map_err(|error| error.to_string())
    };
    let facts = read("{\"id\": 7, \"subject\": \" Rome \", \"answer\": \"Italy\", \"x\": 1}\n\n").unwrap();
    assert_eq!(facts, [Fact { id: "7".into(), subject: "Rome".into(), answer: "Italy".into() }]);
    assert!(read("{\"id\": 7}\n").unwrap_err().contains("line 1"));
    assert!(read("{\"id\": \"7\", \"subject\": \"\", \"answer\": \"x\"}").unwrap_err().contains("empty"));
    assert!(read("").is_err());
}

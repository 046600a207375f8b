//! `laser analyze`, in each of its forms.

mod support;

use serde_json::Value;
use support::{Session, fixture, task};

/// A finished search with other edits beside the fractions.
fn searched() -> Session {
    let session = Session::new();
    session.write("task.jsonl", task(60));
    let model = fixture("llama").display().to_string();
    let options = "--layers 1-2 --matrices fc_in --rho 0.5,0.1 --edit zero --edit prune=0.5";
    session.prints(&format!("search {model} --task task.jsonl {options} --out run --quiet"));
    session
}

#[test]
fn other_edits_are_searched_beside_the_fractions() {
    let session = searched();
    assert_eq!(session.json("run/run.json")["search"]["edits"], serde_json::json!(["zero", "prune=0.5"]));
    // Base and eight candidates on validation, base and best on test.
    assert_eq!(session.read("run/journal.jsonl").lines().count(), 11);
    let document: Value = serde_json::from_str(&session.prints("analyze prune run --json")).unwrap();
    let methods: Vec<&str> =
        document["tables"]["prune"].as_array().unwrap().iter().map(|row| row["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["prune", "truncate", "zero"]);
    let model = fixture("llama").display().to_string();
    let (code, message) = session
        .fails(&format!("search {model} --task task.jsonl --strategy noise-edge --edit zero --out other --quiet"));
    assert!(code == 2 && message.contains("--edit"), "{message}");
}

#[test]
fn an_analysis_is_text_page_and_tables() {
    let session = searched();
    let text = session.prints("analyze monotone run --matrix 1.fc_in --page page.html --csv csv");
    assert!(text.contains("reduction of 1.fc_in") && text.contains("zero"), "{text}");
    assert!(session.read("page.html").contains("<svg"));
    assert_eq!(session.read("csv/monotone.csv").lines().count(), 5);
    let (_, message) = session.fails("analyze monotone run --csv csv");
    assert!(message.contains("--force"), "{message}");
    let (_, message) = session.fails("analyze monotone run --matrix 0.fc_in");
    assert!(message.contains("two reductions of the matrix"), "{message}");
    let (_, message) = session.fails("analyze paraphrase nowhere");
    assert!(message.contains("holds no search"), "{message}");
}

#[test]
fn ranks_are_those_of_the_runs_own_model() {
    let session = searched();
    let llama = fixture("llama").display().to_string();
    let document: Value = serde_json::from_str(&session.prints(&format!("analyze rank run {llama} --json"))).unwrap();
    assert_eq!(document["tables"]["rank"].as_array().unwrap().len(), 2);
    let mistral = fixture("mistral").display().to_string();
    let (_, message) = session.fails(&format!("analyze rank run {mistral}"));
    assert!(message.contains("another model"), "{message}");
}

#[test]
fn a_table_resumes_and_compares() {
    let session = Session::new();
    session.write("one.jsonl", task(30));
    session.write("two.jsonl", task(40));
    let model = fixture("llama").display().to_string();
    let table = format!(
        "analyze table --model {model} --task one.jsonl --task two.jsonl --out tables --layers 2 --matrices fc_in --rho 0.1 --quiet"
    );
    let text = session.prints(&table);
    assert_eq!(text.lines().filter(|line| line.contains("2.fc_in:0.1")).count(), 2, "{text}");
    assert!(session.read("tables/table.html").contains("2 runs compared"));
    let journal = session.read("tables/llama-one.jsonl/journal.jsonl");
    assert_eq!(session.prints(&table), text);
    assert_eq!(session.read("tables/llama-one.jsonl/journal.jsonl"), journal);
}

#[test]
fn facts_are_counted_in_a_corpus() {
    let session = searched();
    let examples = session.read("run/examples.jsonl");
    let facts: String = (examples.lines())
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|it| format!("{}\n", serde_json::json!({"id": it["id"], "subject": "Rome", "answer": "Italy"})))
        .collect();
    session.write("facts.jsonl", facts);
    session.write("corpus.txt", "Rome is in Italy.\n\nRome and Italy.\n\nRome.");
    let command = "analyze frequency run --facts facts.jsonl --corpus corpus.txt --json --quiet";
    let document: Value = serde_json::from_str(&session.prints(command)).unwrap();
    let rows = document["tables"]["frequency"].as_array().unwrap();
    let counts: Vec<i64> = rows.iter().map(|row| row["examples"].as_i64().unwrap()).collect();
    assert_eq!(counts, [0, 48, 0, 0, 0, 0, 0]);
}

#[test]
fn perplexities_before_and_after() {
    let session = Session::new();
    session.write("text.txt", "some words of a text to be predicted ".repeat(20));
    let model = fixture("llama").display().to_string();
    let command = format!("analyze perplexity {model} --text text.txt --reduce 1.fc_in:0.1 --json --quiet");
    let document: Value = serde_json::from_str(&session.prints(&command)).unwrap();
    let rows = document["tables"]["perplexity"].as_array().unwrap();
    let edited: Value = serde_json::from_str(
        &session.prints(&format!("eval {model} --text text.txt --reduce 1.fc_in:0.1 --json --quiet")),
    )
    .unwrap();
    assert_eq!(rows[1]["perplexity"], edited["text"]["perplexity"]);
    assert_ne!(rows[0]["perplexity"], rows[1]["perplexity"]);
}

#[test]
fn what_an_edit_takes_away_is_looked_at() {
    let session = searched();
    let model = fixture("llama").display().to_string();
    let command = format!("analyze tail run {model} --reduce 1.fc_in:0.1 --most 3 --quiet");
    let document: Value = serde_json::from_str(&session.prints(&format!("{command} --json --page tail.html"))).unwrap();
    let parts: Vec<&str> =
        document["tables"]["tail"].as_array().unwrap().iter().map(|row| row["part"].as_str().unwrap()).collect();
    assert_eq!(parts[..2], ["smallest 1 %", "smallest 5 %"]);
    assert_eq!(parts[parts.len() - 3..], ["smallest 90 %", "whole matrix", "kept part"]);
    let right = |part: &str| {
        let rows = document["tables"]["tail"].as_array().unwrap();
        rows.iter().find(|row| row["part"] == part).unwrap()["right"].as_f64().unwrap()
    };
    assert_eq!((right("whole matrix"), right("kept part")), (0.0, 1.0));
    assert!(document["tables"]["tail_answers"].as_array().unwrap().len() <= 3);
    assert!(!document["tables"]["tail_components"].as_array().unwrap().is_empty());
    assert!(session.read("tail.html").contains("<svg"));
    let (code, message) = session.fails(&format!("analyze tail run {model} --reduce 1.mlp:0.1"));
    assert!(code == 2 && message.contains("--reduce"), "{message}");
    let (_, message) = session.fails(&format!("analyze tail run {model} --reduce 1.fc_in:zero --quiet"));
    assert!(message.contains("no tail"), "{message}");
}

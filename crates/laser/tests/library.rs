//! The library's front, as a caller in Rust uses it, beside the program on the same files.

mod support;

use laser::{SearchPlan, SpaceChoice, StrategyChoice, TaskSource, TextSource};
use serde_json::Value;
use support::{Session, fixture};

fn rows(n: usize) -> String {
    let row = |i: usize| format!("{{\"prompt\":\"The capital {i} is\",\"answer\":\"{}\"}}\n", ["a", "e", "i"][i % 3]);
    (0..n).map(row).collect()
}

#[test]
fn a_session_gives_what_the_program_prints() {
    let scratch = Session::new();
    let task = scratch.write("task.jsonl", rows(60));
    let text = scratch.write("text.txt", "The book of the French writer, whose answer is true.");
    let model = fixture("llama");
    let program = |arguments: &str| -> Value { serde_json::from_str(&scratch.prints(arguments)).unwrap() };

    let session = laser::Session::open(model.as_path()).unwrap();
    let task = session.task(&TaskSource { seed: 3, ..task.display().to_string().into() }).unwrap();
    let edits = session.edits(&["1.fc_in:0.5", "2.mlp:band=0.2,0.6"]).unwrap();
    let edited = session.edit(&edits).unwrap();
    let numbers = task.split().unwrap().test;
    let found = serde_json::to_value(session.evaluate(&edited, &task, &numbers).unwrap()).unwrap();
    let options = "--task task.jsonl --seed 3 --split test --reduce 1.fc_in:0.5 --reduce 2.mlp:band=0.2,0.6 --json";
    let printed = program(&format!("eval {} {options} --text text.txt", model.display()));
    for key in ["task", "n", "accuracy", "log_loss", "accuracy_interval", "top_10"] {
        assert_eq!(found[key], printed[key], "{key}");
    }
    let text = session.text(&TextSource { path: text, limit: usize::MAX }).unwrap();
    let perplexity = session.perplexity(&edited, &text).unwrap();
    assert_eq!(serde_json::to_value(perplexity).unwrap(), printed["text"]);
    assert!(session.edits(&["99.fc_in:0.5"]).unwrap_err().to_string().contains("layer 99"));

    let plan = SearchPlan {
        strategy: StrategyChoice::Race,
        layers: vec!["1-2".parse().unwrap()],
        matrices: vec!["fc_in".parse().unwrap()],
        ..SearchPlan::default()
    };
    let found = session.search(&task, &plan, scratch.path("ours")).unwrap();
    let options = "--task task.jsonl --seed 3 --strategy race --layers 1-2 --matrices fc_in --out theirs --quiet";
    assert_eq!(found.text(), scratch.prints(&format!("search {} {options}", model.display())));
    for file in ["verdict.json", "best.json", "strategy.json", "journal.jsonl"] {
        assert_eq!(scratch.read(&format!("ours/{file}")), scratch.read(&format!("theirs/{file}")), "{file}");
    }
    let judged = laser::Session::judge(scratch.path("ours")).unwrap();
    assert_eq!(judged.verdict, found.verdict);
    assert_eq!(judged.text(), scratch.prints("verdict theirs"));

    // The same plan resumes; another one is refused.
    assert_eq!(session.search(&task, &plan, scratch.path("ours")).unwrap().verdict, found.verdict);
    let other = SearchPlan { space: SpaceChoice::NoiseEdge, ..plan };
    assert!(session.search(&task, &other, scratch.path("ours")).is_err());

    let records = session.apply(&edits, scratch.path("edited"), false).unwrap().interventions;
    assert_eq!(records.len(), 1 + laser::edit::MatrixKind::MLP.len());
    let again = laser::Session::open(scratch.path("edited")).unwrap();
    assert_eq!(again.config().layers, session.config().layers);
    assert!(session.apply(&edits, scratch.path("edited"), false).is_err(), "nothing is replaced unasked");
}

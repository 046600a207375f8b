//! The program as a user runs it: eval, search, apply, demo.

mod support;

use serde_json::Value;
use support::{Session, fixture, task};

const SPACE: &str = "--layers 1-2 --matrices fc_in,out_proj --rho 0.5,0.1 --quiet";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn eval_gives_one_json_document() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let model = fixture("llama");
    let base = json(&session.prints(&format!("eval {} --task task.jsonl --json", model.display())));
    assert_eq!(base["n"], 20);
    assert!(base["log_loss"].as_f64().unwrap() > 0.0 && base["interventions"].as_array().unwrap().is_empty());
    let text = format!("eval {} --task task.jsonl --json --reduce -1.mlp:0.05 --examples rows.jsonl", model.display());
    let edited = json(&session.prints(&text));
    assert_eq!(edited["interventions"].as_array().unwrap().len(), 3);
    assert_ne!(base["log_loss"], edited["log_loss"]);
    let rows: Vec<Value> = session.read("rows.jsonl").lines().map(json).collect();
    assert_eq!(rows.len(), 20);
    for key in ["id", "prompt", "answer", "answer_tokens", "answer_logprob", "correct", "generation"] {
        assert!(rows[3].get(key).is_some(), "no {key} in {}", rows[3]);
    }
    let mean: f64 = rows
        .iter()
        .map(|row| -row["answer_logprob"].as_f64().unwrap() / row["answer_tokens"].as_f64().unwrap())
        .sum::<f64>()
        / 20.0;
    assert!((mean - edited["log_loss"].as_f64().unwrap()).abs() < 1e-9);
}

#[test]
fn splits_are_disjoint_and_limits_are_kept() {
    let session = Session::new();
    session.write("task.jsonl", task(40));
    let model = fixture("llama").display().to_string();
    let n =
        |options: &str| json(&session.prints(&format!("eval {model} --task task.jsonl --json {options}")))["n"].clone();
    assert_eq!(n("--split validation"), 8);
    assert_eq!(n("--split test"), 32);
    assert_eq!(n("--limit 10"), 10);
    assert_eq!(n("--split validation --split-first --limit 20 --seed 7"), 4);
    assert_eq!(n("--split validation --validation 0.3"), 12);
    let (code, line) = session.fails(&format!("eval {model} --task task.jsonl --validation 1.5"));
    assert!(code == 2 && line.contains("a number between 0 and 1, such as 0.3"), "{line}");
}

#[test]
fn a_search_chooses_on_validation_and_apply_writes_what_it_found() {
    let session = Session::new();
    session.write("task.jsonl", task(60));
    let model = fixture("llama").display().to_string();
    let text = session.prints(&format!("search {model} --task task.jsonl --out run {SPACE}"));
    assert!(text.contains("1.out_proj") && text.contains('*') && text.contains("McNemar"), "{text}");

    let verdict = session.json("run/verdict.json");
    let journal: Vec<Value> = session.read("run/journal.jsonl").lines().map(json).collect();
    // Base and eight candidates on validation, base and best on test.
    assert_eq!(journal.len(), 9 + 2);
    let best = journal[1..9].iter().max_by(|a, b| {
        let right = |entry: &Value| entry["score"]["accuracy"].as_f64().unwrap();
        let loss = |entry: &Value| entry["score"]["log_loss"].as_f64().unwrap();
        right(a).total_cmp(&right(b)).then(loss(b).total_cmp(&loss(a)))
    });
    assert_eq!(best.unwrap()["interventions"], verdict["best"]);
    assert_eq!(session.json("run/best.json")["interventions"], verdict["best"]);
    assert_eq!(verdict["candidates"], 8);

    // The same search again: nothing is scored again and the same is said.
    let files = ["run/run.json", "run/journal.jsonl", "run/best.json", "run/verdict.json"];
    let before = files.map(|file| session.read(file));
    assert_eq!(session.prints(&format!("search {model} --task task.jsonl --out run {SPACE}")), text);
    assert_eq!(files.map(|file| session.read(file)), before);

    session.prints(&format!("apply {model} --recipe run/best.json --out edited"));
    let written = json(&session.prints("eval edited --task task.jsonl --split test --json"));
    assert_eq!(written["accuracy"], verdict["edited"]["test"]["accuracy"]);
    let (found, expected) = (&written["log_loss"], &verdict["edited"]["test"]["log_loss"]);
    assert!((found.as_f64().unwrap() - expected.as_f64().unwrap()).abs() < 1e-6, "{found} and {expected}");
    let record = session.json("edited/laser.json");
    assert_eq!(record["interventions"][0]["layer"], verdict["best"][0]["layer"]);
    assert!(
        record["source"]["files"].as_array().unwrap().iter().all(|file| file["sha256"].as_str().unwrap().len() == 64)
    );
}

#[test]
fn applying_a_recipe_says_what_its_verdict_is() {
    let session = Session::new();
    session.write("task.jsonl", task(60));
    let model = fixture("llama").display().to_string();
    session.prints(&format!("search {model} --task task.jsonl --out run {SPACE}"));
    let verdict = session.json("run/verdict.json");
    let (word, because) = (verdict["word"].as_str().unwrap(), verdict["because"].as_str().unwrap());
    assert_eq!(word, "noise");
    // The verdict follows from the other files: nothing that is written into verdict.json is believed.
    for claimed in [verdict.to_string(), "{\"word\":\"real\",\"because\":\"of this\"}".to_owned(), "{}".to_owned()] {
        session.write("run/verdict.json", claimed);
        let output = session.laser(&format!("apply {model} --recipe run --out edited --force")).output().unwrap();
        assert!(output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("the verdict on this edit is {word}: {because}")), "{said}");
        let card = session.read("edited/README.md");
        assert!(card.contains(&format!("The verdict is **{word}**: {because}")), "{card}");
    }
    let (_, message) = session.fails(&format!("apply {model} --recipe run/bset.json --out other"));
    assert!(message.contains("bset.json: the recipe cannot be read"), "{message}");
    std::fs::remove_file(session.path("run/best.json")).unwrap();
    let (_, message) = session.fails(&format!("apply {model} --recipe run --out other"));
    assert!(message.contains("the search is not finished"), "{message}");
}

#[test]
fn the_outcome_does_not_depend_on_memory_or_threads() {
    let session = Session::new();
    session.write("task.jsonl", task(60));
    let model = fixture("qwen2").display().to_string();
    let run = |out: &str, options: &str| {
        session.prints(&format!("search {model} --task task.jsonl --out {out} {SPACE} {options}"));
        ["best.json", "verdict.json"].map(|file| session.read(&format!("{out}/{file}")))
    };
    let expected = run("a", "");
    assert_eq!(run("b", "--memory 50kB"), expected);
    assert_eq!(run("c", "--threads 1"), expected);
    assert_eq!(run("d", "--threads 3 --memory 1B"), expected);
}

#[test]
fn row_blocks_and_the_noise_edge() {
    let session = Session::new();
    session.write("task.jsonl", task(60));
    let model = fixture("llama").display().to_string();
    let search = |out: &str, options: &str| {
        session.prints(&format!("search {model} --task task.jsonl --out {out} --layers 1 --quiet {options}"));
        let journal: Vec<Value> = session.read(&format!("{out}/journal.jsonl")).lines().map(json).collect();
        let validation = journal.into_iter().filter(|entry| entry["split"] == "validation");
        validation.map(|entry| entry["interventions"].clone()).skip(1).collect::<Vec<Value>>()
    };
    let blocks = search("blocks", "--matrices fc_in --rho 0.5,0.1 --blocks 1,4");
    let expected = [
        serde_json::json!([{"layer": 1, "matrix": "fc_in", "rho": 0.5}]),
        serde_json::json!([{"layer": 1, "matrix": "fc_in", "rho": 0.1}]),
        serde_json::json!([{"layer": 1, "matrix": "fc_in", "blocks": 4, "rho": 0.5}]),
        serde_json::json!([{"layer": 1, "matrix": "fc_in", "blocks": 4, "rho": 0.1}]),
    ];
    assert_eq!(blocks, expected);

    // A random model is all noise.
    let (_, line) = session.fails(&format!("search {model} --task task.jsonl --out none --strategy noise-edge"));
    assert!(line.contains("noise edge"), "{line}");
    assert!(!session.path("none").exists());
}

#[test]
fn the_noise_edge_takes_the_rank_that_inspect_gives() {
    let session = Session::new();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo");
    let inspected = json(&session.prints(&format!("inspect {demo} --spectrum --layers 1 --matrices mlp --json")));
    let matrices = inspected["matrices"].as_array().unwrap();
    let above: Vec<(&Value, &Value)> =
        matrices.iter().map(|matrix| (&matrix["matrix"], &matrix["spectrum"]["above_noise"])).collect();
    let above: Vec<(&Value, &Value)> = above.into_iter().filter(|(_, rank)| rank.as_u64().unwrap() > 0).collect();
    assert!(!above.is_empty());
    let search =
        format!("search {demo} --task {demo}/demo.yaml --limit 100 --layers 1 --matrices mlp --out run --quiet");
    session.prints(&format!("{search} --strategy noise-edge"));
    let journal: Vec<Value> = session.read("run/journal.jsonl").lines().map(json).collect();
    let found = journal.iter().filter(|entry| entry["split"] == "validation").skip(1);
    let found: Vec<(&Value, &Value)> =
        found.map(|entry| (&entry["interventions"][0]["matrix"], &entry["interventions"][0]["rank"])).collect();
    assert_eq!(found, above);
    let (_, line) = session.fails(&search);
    assert!(line.contains("holds another search (search.strategy differs)"), "{line}");
}

#[test]
fn the_demo_shows_a_gain() {
    let session = Session::new();
    let text = session.prints("demo --quiet");
    assert!(text.contains("1.fc_in") && text.contains('*'), "{text}");
    let verdict = session.json("laser-demo/run/verdict.json");
    let test = |model: &str| verdict[model]["test"]["accuracy"].as_f64().unwrap();
    assert!(test("edited") - test("base") > 0.4, "{} -> {}", test("base"), test("edited"));
    assert_eq!(verdict["best"][0]["layer"], 1);
    assert!(verdict["test"]["mcnemar_p"].as_f64().unwrap() < 1e-6);
    let edited = json(&session.prints("eval laser-demo/edited --task laser-demo/task/demo.yaml --split test --json"));
    assert_eq!(edited["accuracy"], verdict["edited"]["test"]["accuracy"]);
    // Once more in the same place: the finished run is read back.
    assert_eq!(session.prints("demo --quiet"), text);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let session = Session::new();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("laser"));
    let mut child = command
        .current_dir(session.path("."))
        .args(["tasks", "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_line_of_examples_tells_of_the_question_too() {
    let session = Session::new();
    let model = fixture("llama").display().to_string();
    let prompt = "The writer of the book is";
    session.write("one.jsonl", format!("{{\"prompt\":\"{prompt}\",\"answer\":\"French\"}}\n"));
    session.write("prompt.txt", prompt);
    session.prints(&format!("eval {model} --task one.jsonl --reduce 1.fc_in:0.1 --examples rows.jsonl --quiet"));
    let row: serde_json::Value = serde_json::from_str(session.read("rows.jsonl").trim()).unwrap();
    let number = |key: &str| row[key].as_f64().unwrap();
    // The perplexity of the prompt alone says the same of it.
    let text = session.prints(&format!("eval {model} --text prompt.txt --reduce 1.fc_in:0.1 --json --quiet"));
    let text: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (perplexity, tokens) = (text["text"]["perplexity"].as_f64().unwrap(), text["text"]["tokens"].as_f64().unwrap());
    assert!((number("question_logprob") + tokens * perplexity.ln()).abs() < 1e-3, "{row}");
    let both = number("question_logprob") + number("answer_logprob");
    assert!((number("question_answer_logprob") - both).abs() < 1e-9);
    let next = row["next_tokens"].as_array().unwrap();
    assert_eq!(next.len(), 10);
    let logprobs: Vec<f64> = next.iter().map(|token| token["logprob"].as_f64().unwrap()).collect();
    assert!(logprobs.is_sorted_by(|a, b| a >= b) && logprobs.iter().map(|it| it.exp()).sum::<f64>() <= 1.0);
    assert!(row["generation"].as_str().unwrap().starts_with(next[0]["text"].as_str().unwrap().trim()), "{row}");
    // A masked model has no next token.
    let bert = fixture("bert").display().to_string();
    session.prints(&format!("eval {bert} --task one.jsonl --examples masked.jsonl --quiet"));
    assert!(!session.read("masked.jsonl").contains("next_tokens"));
}

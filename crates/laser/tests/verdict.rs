//! Tasks with choices, texts and verdicts, as a user runs them.

mod support;

use serde_json::Value;
use support::{Session, fixture};

const SPACE: &str = "--layers 1-2 --matrices fc_in --rho 0.5,0.1 --quiet";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Claims in the form of the fever data.
fn claims(n: usize) -> String {
    let claim = |i: usize| format!("{{\"claim\":\"Berlin has {i} books\",\"label\":{}}}\n", i.is_multiple_of(3));
    (0..n).map(claim).collect()
}

const TEXT: &str = "The mother tongue of Berlin is German, and the capital of France is Paris, as all know who have read \
                    the book of the French writer, whose answer is true.";

#[test]
fn a_builtin_task_takes_its_data_from_a_file() {
    let session = Session::new();
    session.write("claims.jsonl", claims(30));
    let model = fixture("llama").display().to_string();
    let eval = |options: &str| {
        json(&session.prints(&format!("eval {model} --task fever --data claims.jsonl --json {options}")))
    };
    let found = eval("");
    assert_eq!((&found["task"], &found["n"]), (&Value::from("fever"), &Value::from(30)));
    assert_eq!(found["classes"]["classes"], serde_json::json!(["true", "false"]));
    assert_eq!(found["classes"]["right"], serde_json::json!([10, 20]));
    assert_eq!(found["majority"]["answer"], "false");
    assert!((found["majority"]["accuracy"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9);
    assert!(found["choice"]["acc_norm"].is_number() && found["top_10"].is_number());
    // The first fifth, as in the paper's code.
    eval("--split validation --paper-compat --examples rows.jsonl");
    let ids: Vec<Value> = session.read("rows.jsonl").lines().map(|line| json(line)["id"].clone()).collect();
    assert_eq!(ids, ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn the_perplexity_of_a_text() {
    let session = Session::new();
    session.write("text.txt", TEXT.repeat(20));
    let model = fixture("llama").display().to_string();
    let eval = |options: &str| json(&session.prints(&format!("eval {model} --text text.txt --json {options}")));
    let (all, some, edited) = (eval(""), eval("--text-tokens 20"), eval("--reduce 1.mlp:zero"));
    assert!(all.get("task").is_none());
    assert_eq!(some["text"]["tokens"], 19);
    assert!(all["text"]["perplexity"].as_f64().unwrap() > 1.0);
    assert_ne!(all["text"]["perplexity"], edited["text"]["perplexity"]);
}

#[test]
fn a_verdict_is_made_anew_from_the_folder_alone() {
    let session = Session::new();
    session.write("claims.jsonl", claims(60));
    session.write("text.txt", TEXT.repeat(20));
    let model = fixture("llama").display().to_string();
    let search = format!("search {model} --task fever --data claims.jsonl --text text.txt --out run {SPACE}");
    let text = session.prints(&search);
    let before = session.read("run/verdict.json");
    let verdict = json(&before);
    let words = ["real", "label-bias", "noise", "trade-off", "harm"];
    let word = verdict["word"].as_str().unwrap();
    assert!(words.contains(&word) && text.contains(&format!("\n{word}: ")), "{text}");
    assert_eq!(verdict["selection"]["candidates"], 4);
    assert!(verdict["classes"]["calibrated_gain"]["gain"].is_number(), "{verdict}");
    assert!(verdict["classes"]["refitted_gain"]["gain"].is_number());
    assert!(verdict["perplexity"]["base"].as_f64().unwrap() > 1.0);

    // A text that was to be measured and is not is not a finished search.
    let measured = session.read("run/costs.jsonl");
    std::fs::remove_file(session.path("run/costs.jsonl")).unwrap();
    let (_, line) = session.fails("verdict run");
    assert!(line.contains("the search is not finished"), "{line}");
    // Nor is a text believed whose passages are gone from every line.
    let emptied = measured.lines().map(|line| {
        let mut cost = json(line);
        cost["text"] = serde_json::json!([]);
        format!("{cost}\n")
    });
    session.write("run/costs.jsonl", emptied.collect::<String>());
    let (_, line) = session.fails("verdict run");
    assert!(line.contains("line 1") && line.contains("no passage of the text that run.json names"), "{line}");
    session.write("run/costs.jsonl", measured);

    // How many candidates there were to choose from is counted in the journal.
    let trace = session.json("run/strategy.json");
    for (space, dropped, said) in [
        (4, 1, "1 of 4 candidates were dropped"),
        (400, 0, "run.json asks for fewer than 400"),
        (4, 5, "5 candidates were dropped"),
    ] {
        let mut other = trace.clone();
        (other["space"], other["dropped"]) = (space.into(), dropped.into());
        session.write("run/strategy.json", other.to_string());
        let (_, line) = session.fails("verdict run");
        assert!(line.contains("strategy.json") && line.contains(said), "{line}");
    }
    session.write("run/strategy.json", trace.to_string());

    // Neither model nor data is needed for it.
    std::fs::remove_file(session.path("claims.jsonl")).unwrap();
    std::fs::remove_file(session.path("run/verdict.json")).unwrap();
    assert!(text.ends_with(&session.prints("verdict run")));
    assert_eq!(session.read("run/verdict.json"), before);
    assert_eq!(json(&session.prints("verdict run --json")), verdict);
}

/// As root, permissions bind nobody: a folder in place of the file stands for one that cannot be written.
#[test]
fn a_verdict_that_cannot_be_written_is_told_all_the_same() {
    let session = Session::new();
    session.write("claims.jsonl", claims(60));
    let model = fixture("llama").display().to_string();
    session.prints(&format!("search {model} --task fever --data claims.jsonl --out run {SPACE}"));
    let told = session.prints("verdict run");
    assert!(session.path("run/lock").exists());
    std::fs::remove_file(session.path("run/verdict.json")).unwrap();
    std::fs::create_dir(session.path("run/verdict.json")).unwrap();
    assert_eq!(session.prints("verdict run"), told);
}

#[test]
fn what_has_no_verdict_is_said() {
    let session = Session::new();
    std::fs::create_dir(session.path("empty")).unwrap();
    let (code, line) = session.fails("verdict empty");
    assert_eq!((code, line.contains("holds no search")), (1, true), "{line}");
    assert!(session.path("empty").read_dir().unwrap().next().is_none());
    // A search that was killed before its end.
    session.write("claims.jsonl", claims(60));
    let model = fixture("llama").display().to_string();
    session.prints(&format!("search {model} --task fever --data claims.jsonl --out run {SPACE}"));
    let journal = session.read("run/journal.jsonl");
    session.write("run/journal.jsonl", journal.lines().take(3).map(|line| format!("{line}\n")).collect::<String>());
    let (_, line) = session.fails("verdict run");
    assert!(line.contains("the search is not finished"), "{line}");
    let examples = session.read("run/examples.jsonl");
    session.write("run/examples.jsonl", examples.replace("\"correct\":0", "\"correct\":9"));
    let (_, line) = session.fails("verdict run");
    assert!(line.contains("contradict each other"), "{line}");
    session.write("run/examples.jsonl", "{\"split\":\"test\"}\n");
    let (_, line) = session.fails("verdict run");
    assert!(line.contains("examples.jsonl: line 1 is not an example"), "{line}");
}

#[test]
fn tasks_are_listed_and_shown() {
    let session = Session::new();
    session.write("claims.jsonl", claims(9));
    let list = session.prints("tasks");
    for name in ["facts", "counterfact", "fever", "web_of_lies"] {
        assert!(list.contains(name), "{list}");
    }
    assert_eq!(json(&session.prints("tasks --json")).as_array().unwrap().len(), 11);
    let shown = session.prints("tasks show fever --data claims.jsonl");
    for part in ["Is this claim true or false", "true, false", "13086", "9 here", "CC BY-SA", "Berlin has 0 books. Is"]
    {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    let shown = json(&session.prints("tasks show counterfact --json"));
    assert!(shown["found"].is_null() && shown["hub"].is_string());
    let (_, line) = session.fails("tasks show none");
    assert!(line.contains("no such task"), "{line}");
}

#[test]
fn task_files_are_checked_without_their_data() {
    let session = Session::new();
    std::fs::create_dir_all(session.path("tasks/deep")).unwrap();
    session.write("tasks/base", "doc_to_text: '{{question}}'\ndataset_path: owner/name\n");
    session.write("tasks/good.yaml", "include: base\ntask: good\ndoc_to_target: answer\ntest_split: test\n");
    session.write("tasks/deep/bad.yaml", "include: ../base\ntask: bad\ndoc_to_target: '{{answer'\n");
    session.write("tasks/deep/code.yaml", "task: code\ndoc_to_text: !function utils.text\n");
    assert_eq!(session.prints("tasks check tasks/good.yaml"), "tasks/good.yaml: good: can be used\n");
    let shown = json(&session.prints("tasks show tasks/good.yaml --json"));
    assert_eq!(
        (&shown["task"], &shown["answer"], &shown["hub"]),
        (&"good".into(), &"answer".into(), &"owner/name".into())
    );
    let output = session.laser("tasks check tasks").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("2 of 3 task files cannot be used"), "{line}");
    let printed = String::from_utf8(output.stdout).unwrap();
    for part in ["bad.yaml: `doc_to_target`: ", "code.yaml: `doc_to_text`: functions of Python", "good: can be used"] {
        assert!(printed.contains(part), "no {part} in {printed}");
    }
}

#[test]
fn what_a_task_file_says_does_not_steer_the_terminal() {
    let session = Session::new();
    let text = "task: \"a\\e]52;c;Yg==\\a\"\ndataset_path: o/n\ndoc_to_text: \"\\e[2J{{q}}\\nA:\"\ndoc_to_target: a\n";
    session.write("t.yaml", text);
    for (command, part) in [("check", "a\\u{1b}]52;c;Yg==\\u{7}"), ("show", "\\u{1b}[2J{{q}}\nA:")] {
        let printed = session.prints(&format!("tasks {command} t.yaml"));
        assert!(printed.contains(part), "{printed:?}");
        assert!(!printed.contains(['\u{1b}', '\u{7}']), "{printed:?}");
    }
}

#[test]
fn wrong_data_is_refused_in_one_line() {
    let session = Session::new();
    let model = fixture("llama").display().to_string();
    for (task, name, content, part) in [
        (
            "fever",
            "a.jsonl",
            "{\"claim\": \"x\"}\n",
            "a.jsonl:1: where: the template uses `label`, and the row has `claim`",
        ),
        ("fever", "b.jsonl", "{\"claim\": \"x\", \"label\": true}\n{\"label\": true}\n", "b.jsonl:2: "),
        ("fever", "c.json", "{\"claim\": 1}", "c.json: "),
        ("fever", "d.csv", "claim,label\nx\n", "d.csv:2: "),
        ("fever", "e.tsv", "claim\tclaim\n", "e.tsv:1: "),
        ("fever", "f.parquet", "PAR1 and no more", "f.parquet: "),
        ("fever", "g.jsonl", "{\"claim\": \"x\", \"label\": 2}\n", "none of the 1 rows is left"),
        (
            "truthfulqa",
            "h.jsonl",
            "{\"question\": \"q\", \"choices\": [\"a\", \"b\"], \"labels\": [1]}\n",
            "h.jsonl:1: expand: ",
        ),
        ("bios_gender", "j.jsonl", "{\"bio\": \"x\", \"gender\": 7}\n", "j.jsonl:1: "),
        ("hotpotqa", "k.jsonl", "{\"question\": \"q\", \"answer\": \"\"}\n", "k.jsonl:1: the answer is empty"),
        ("facts.jsonl", "l.jsonl", "{}", "this is the data already"),
    ] {
        session.write("facts.jsonl", "{\"prompt\": \"a\", \"answer\": \"b\"}\n");
        session.write(name, content);
        let (code, line) = session.fails(&format!("eval {model} --task {task} --data {name}"));
        assert_eq!(code, 1);
        assert!(line.contains(part), "{task} {name}: {line}");
    }
    let (code, line) = session.fails(&format!("eval {model}"));
    assert!(code == 2 && line.contains("--task"), "{line}");
    let (code, line) = session.fails(&format!("search {model} --text facts.jsonl --out run"));
    assert!(code == 2 && line.contains("add --task TASK"), "{line}");
    let (code, line) = session.fails(&format!("eval {model} --text facts.jsonl --examples rows.jsonl"));
    assert!(code == 2 && line.contains("--task"), "{line}");
    let (_, line) = session.fails(&format!("eval {model} --text none.txt"));
    assert!(line.contains("none.txt: the text cannot be read"), "{line}");
}

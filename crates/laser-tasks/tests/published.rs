//! The files of benchmarks in their authors' own form, read by the built-in tasks.

use laser_tasks::{OpenOptions, Task};

/// Prompt and answer of each example.
fn examples(task: &str, file: &str, content: &str) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    std::fs::write(&path, content).unwrap();
    let task = Task::open_with(task, &OpenOptions { data: Some(&path), ..OpenOptions::default() }).unwrap();
    task.examples.iter().map(|example| (example.prompt.clone(), example.answer().to_owned())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(prompt, answer)| ((*prompt).to_owned(), (*answer).to_owned())).collect()
}

#[test]
fn big_benchs_own_task_json() {
    let wikidata = r#"{"canary": "x", "name": "qa_wikidata", "examples": [
        {"input": "Europa was discovered by", "target": "Galileo Galilei"},
        {"input": "It borders", "target": ["France", "Spain"]},
        {"input": "Its capital is", "target": ["Paris"]}]}"#;
    assert_eq!(
        examples("qa_wikidata", "task.json", wikidata),
        pairs(&[("Europa was discovered by", "Galileo Galilei"), ("Its capital is", "Paris")])
    );
    let epistemic = r#"{"examples": [
        {"input": "Premise: A. Hypothesis: B.", "target_scores": {"entailment": 0, "non-entailment": 1}},
        {"input": "Premise: C. Hypothesis: C.", "target_scores": {"entailment": 1, "non-entailment": 0}}]}"#;
    let found = examples("epistemic_reasoning", "task.json", epistemic);
    assert_eq!(found.iter().map(|(_, answer)| answer.as_str()).collect::<Vec<_>>(), ["non-entailment", "entailment"]);
    assert!(found[0].0.starts_with("Identify the relation") && found[0].0.ends_with("Hypothesis: B.\nRelation:"));
    let causal = r#"{"examples": [{"input": "Did it?", "target_scores": {"Yes": 1, "No": 0}, "comment": ""}]}"#;
    let found = examples("causal_judgment", "task.json", causal);
    assert!(found[0].0.ends_with("Q: Did it?\nA:") && found[0].1 == "Yes", "{found:?}");
    let lies = r#"{"canary": "x", "examples": [{"input": "Does she tell the truth?", "target": "No"}]}"#;
    assert_eq!(examples("web_of_lies", "web_of_lies.json", lies), pairs(&[("Does she tell the truth?", "No")]));
}

#[test]
fn truthfulqas_own_files() {
    let expected = pairs(&[
        ("Is it? It is. Is this statement true or false? This statement is", "true"),
        ("Is it? It was. Is this statement true or false? This statement is", "true"),
        ("Is it? It never is. Is this statement true or false? This statement is", "false"),
    ]);
    let targets = r#"{"It is.": 1, "It was.": 1, "It never is.": 0}"#;
    let tasks = format!(
        r#"[{{"question": "Is it?", "mc1_targets": {{"It is.": 1, "It never is.": 0}}, "mc2_targets": {targets}}}]"#
    );
    assert_eq!(examples("truthfulqa", "mc_task.json", &tasks), expected);
    let csv = "Type,Category,Question,Best Answer,Correct Answers,Incorrect Answers,Source\n\
               Adversarial,Other,Is it?,It is,It is; It was.;,It never is,https://example.org\n";
    assert_eq!(examples("truthfulqa", "TruthfulQA.csv", csv), expected);
}

#[test]
fn numbers_as_answers_and_the_index_of_pandas() {
    let folder = tempfile::tempdir().unwrap();
    let answers = |name: &str, content: &str| -> Vec<String> {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let task = Task::open(path.to_str().unwrap()).unwrap();
        task.examples.iter().map(|example| example.answer().to_owned()).collect()
    };
    let rows = "{\"prompt\": \"2 + 2 =\", \"answer\": 4}\n{\"prompt\": \"1 / 2 =\", \"answers\": [0.5, \"a half\"]}\n\
                {\"prompt\": \"3 - 1 =\", \"choices\": [2, 3], \"answer\": 0}\n";
    assert_eq!(answers("rows.jsonl", rows), ["4", "0.5", "2"]);
    assert_eq!(answers("rows.csv", ",prompt,answer\n0,2 + 2 =,4\n1,3 + 3 =,6\n"), ["4", "6"]);
}

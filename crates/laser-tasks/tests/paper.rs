//! The paper's tasks, with its data.

use std::path::{Path, PathBuf};

use laser_tasks::{OpenOptions, Task};

/// Where the whole data sets are, which the repository does not hold.
fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let found = folder.is_dir();
    if !found {
        println!("skipped: the data sets are not beside the repository ({})", folder.display());
    }
    found.then_some(folder)
}

fn open(name: &str, data: &Path, paper_compat: bool) -> Task {
    Task::open_with(name, &OpenOptions { data: Some(data), paper_compat, ..OpenOptions::default() }).unwrap()
}

#[test]
fn the_whole_data_sets_have_the_papers_sizes() {
    let Some(data) = data() else { return };
    // Table 4 of the paper where the data is complete, else the counts of the data's own description.
    for (name, file, size) in [
        ("fever", "fever.jsonl", 13_086),
        ("truthfulqa", "truthfulqa.jsonl", 5_882),
        ("epistemic_reasoning", "bigbench_epistemic_reasoning.jsonl", 2_000),
        ("qa_wikidata", "bigbench_qa_wikidata.jsonl", 18_812),
        ("causal_judgment", "bigbench_causal_judgment.jsonl", 190),
        ("web_of_lies", "bbh_web_of_lies.jsonl", 250),
        ("hotpotqa", "hotpotqa.jsonl", 7_405),
        ("counterfact", "counterfact.jsonl", 21_919 + 3_840),
        ("bios_gender", "bias_in_bios.jsonl", 2_308),
        ("bios_profession", "bias_in_bios.jsonl", 79),
    ] {
        let task = open(name, &data.join(file), false);
        println!(
            "{name}: {} examples, content-free prompt {:?}",
            task.examples.len(),
            task.content_free(&task.examples[0]).map(|empty| empty.prompt)
        );
        println!("  {:?} -> {:?}", task.examples[0].prompt, task.examples[0].answer());
        assert_eq!(task.examples.len(), size, "{name}");
    }
}

/// The task of some rows, with the prompt and answer of each example.
fn examples(name: &str, rows: &str, paper_compat: bool) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    std::fs::write(&path, rows).unwrap();
    let task = open(name, &path, paper_compat);
    task.examples.iter().map(|example| (example.prompt.clone(), example.answer().to_owned())).collect()
}

#[test]
fn prompts_are_the_papers_to_the_letter() {
    // For each task: rows as our data has them and as the hub has them, then prompt and answer.
    for (name, rows, expected) in [
        (
            "counterfact",
            r#"{"prompt": "The mother tongue of Danielle Darrieux is", "paraphrases": ["Danielle Darrieux, a native"], "answer": "French"}
{"requested_rewrite": {"prompt": "The mother tongue of {} is", "subject": "Danielle Darrieux", "target_true": {"str": "French"}}, "paraphrase_prompts": ["Danielle Darrieux, a native"]}"#,
            &[
                ("The mother tongue of Danielle Darrieux is", "French"),
                ("Danielle Darrieux, a native", "French"),
                ("The mother tongue of Danielle Darrieux is", "French"),
                ("Danielle Darrieux, a native", "French"),
            ][..],
        ),
        (
            "hotpotqa",
            r#"{"question": "Who wrote it?", "answer": "Ada"}
{"question": "The author of it", "answer": "Ada"}
{"question": "Name the author.", "answer": "Ada"}"#,
            &[
                ("Who wrote it? The answer is", "Ada"),
                ("The author of it? The answer is", "Ada"),
                ("Name the author. The answer is", "Ada"),
            ],
        ),
        (
            "fever",
            r#"{"claim": "Rome is old", "label": true}
{"claim": "Rome is new.", "label": "REFUTES"}
{"claim": "Who knows?", "label": "NOT ENOUGH INFO"}
{"claim": "Is it?", "label": 1}
{"claim": "Rome is old", "label": true}
{"claim": "Twice", "label": true}
{"claim": "Twice", "label": false}"#,
            &[
                ("Consider the following claim: Rome is old. Is this claim true or false. The claim is", "true"),
                ("Consider the following claim: Rome is new. Is this claim true or false. The claim is", "false"),
                ("Consider the following claim: Is it? Is this claim true or false. The claim is", "true"),
            ],
        ),
        (
            "bios_gender",
            r#"{"bio": "She paints", "gender": "female"}
{"hard_text": "He writes.", "gender": 0}"#,
            &[
                (
                    "Consider the following text: She paints. Is the person in this text a male or female? The gender of this person is",
                    "female",
                ),
                (
                    "Consider the following text: He writes. Is the person in this text a male or female? The gender of this person is",
                    "male",
                ),
            ],
        ),
        (
            "bios_profession",
            r#"{"bio": "She paints", "profession": "painter"}
{"bio": "She heals", "profession": "nurse"}
{"hard_text": "He writes.", "profession": 11}
{"hard_text": "He heals.", "profession": 13}"#,
            &[
                (
                    "Consider the following text: She paints. What is the profession of the person in this text? The profession of this person is",
                    "painter",
                ),
                (
                    "Consider the following text: He writes. What is the profession of the person in this text? The profession of this person is",
                    "journalist",
                ),
            ],
        ),
        (
            "truthfulqa",
            r#"{"question": "Is it?", "choices": ["It is", "No."], "labels": [1, 0]}
{"question": "Is it?", "mc2_targets": {"choices": ["It is", "No."], "labels": [1, 0]}}"#,
            &[
                ("Is it? It is. Is this statement true or false? This statement is", "true"),
                ("Is it? No. Is this statement true or false? This statement is", "false"),
                ("Is it? It is. Is this statement true or false? This statement is", "true"),
                ("Is it? No. Is this statement true or false? This statement is", "false"),
            ],
        ),
        (
            "epistemic_reasoning",
            r#"{"input": "Premise: A. Hypothesis: B.", "targets": ["entailment"]}
{"inputs": "Whole prompt\nRelation:", "targets": ["non-entailment"]}"#,
            &[
                (
                    "Identify the relation between the following premises and hypotheses, choosing from the options 'entailment' or 'non-entailment'.\n\nPremise: A. Hypothesis: B.\nRelation:",
                    "entailment",
                ),
                ("Whole prompt\nRelation:", "non-entailment"),
            ],
        ),
        (
            "qa_wikidata",
            r#"{"input": "The capital of Italy is", "targets": ["Rome"]}
{"inputs": "The genre of it is", "targets": ["comedy", "parody"]}"#,
            &[("The capital of Italy is", "Rome")],
        ),
        (
            "causal_judgment",
            r#"{"input": "Did he?", "targets": ["Yes"]}"#,
            &[(
                "How would a typical person answer each of the following questions about causation?\n\n\nQ: Did he?\nA:",
                "Yes",
            )],
        ),
        (
            "web_of_lies",
            r#"{"input": "Question: A lies. Does A tell the truth?", "targets": ["No"]}
{"input": "Question: B lies. Does B tell the truth?", "target": "No"}"#,
            &[("Question: A lies. Does A tell the truth?", "No"), ("Question: B lies. Does B tell the truth?", "No")],
        ),
    ] {
        let found = examples(name, rows, false);
        let found: Vec<(&str, &str)> = found.iter().map(|(prompt, answer)| (&prompt[..], &answer[..])).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn the_published_slips_are_there_when_asked_for() {
    let rows = r#"{"question": "Is it?", "choices": ["It is."], "labels": [1]}"#;
    let found = examples("truthfulqa", rows, true);
    assert_eq!(found[0].0, "Is it? It is.Is this statement true or false? This statement is");
}

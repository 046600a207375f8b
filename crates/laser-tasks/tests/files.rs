//! Task files as a user writes them, good and bad.

use std::fs;
use std::path::Path;

use laser_tasks::{Example, Target, Task};
use tempfile::TempDir;

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn open(folder: &Path, name: &str) -> Result<Task, String> {
    Task::open(folder.join(name).to_str().unwrap()).map_err(|error| {
        let message = error.to_string();
        message.replace(&format!("{}/", folder.display()), "")
    })
}

fn jsonl(bytes: &[u8]) -> Result<Task, String> {
    open(folder(&[("t.jsonl", bytes)]).path(), "t.jsonl")
}

/// The task of this YAML beside these rows.
fn yaml(yaml: &str, rows: &str) -> Result<Task, String> {
    let files = [("t.yaml", yaml.as_bytes()), ("d.jsonl", rows.as_bytes())];
    open(folder(&files).path(), "t.yaml")
}

/// YAML that names its data, with `rest` after it.
fn with_data(rest: &str) -> String {
    format!("dataset_kwargs: {{data_files: d.jsonl}}\n{rest}")
}

fn generate(answers: &[&str], max_new_tokens: usize) -> Target {
    Target::Generate { answers: answers.iter().map(|&answer| answer.into()).collect(), max_new_tokens }
}

fn choose(choices: &[&str], correct: usize) -> Target {
    Target::Choose { choices: choices.iter().map(|&choice| choice.into()).collect(), correct }
}

fn example(id: &str, group: &str, prompt: &str, target: Target) -> Example {
    Example { id: id.into(), group: group.into(), prompt: prompt.into(), target }
}

#[test]
fn every_form_of_a_jsonl_row_is_read() {
    let task = jsonl(
        concat!(
            "\u{feff}{\"prompt\": \"The capital of France is\", \"answer\": \"Paris\"}\r\n",
            "\r\n",
            "{\"prompt\": \"Q: \", \"answers\": [\" one \", \"1\"], \"id\": \"x\", \"group\": 7}\n",
            "{\"prompt\": \"a\", \"choices\": [\"yes\", \"no\"], \"answer\": 1}\n",
            "{\"prompt\": \"b\", \"choices\": [\"1\", \"0\"], \"answer\": \"0\", \"id\": 12}",
        )
        .as_bytes(),
    )
    .unwrap();
    assert_eq!(task.name, "t");
    assert_eq!(
        task.examples,
        [
            example("0", "0", "The capital of France is", generate(&["Paris"], 10)),
            example("x", "7", "Q: ", generate(&["one", "1"], 10)),
            example("3", "3", "a", choose(&["yes", "no"], 1)),
            example("12", "12", "b", choose(&["1", "0"], 1)),
        ]
    );
    let answers: Vec<&str> = task.examples.iter().map(Example::answer).collect();
    assert_eq!(answers, ["Paris", "one", "no", "0"]);
    assert_eq!(task.examples[0].continuation("Paris"), " Paris");
}

#[test]
fn the_digest_tells_tasks_apart_and_not_files() {
    let one = jsonl(br#"{"prompt": "a", "answer": "b"}"#).unwrap();
    assert_eq!(one.digest, DIGEST);
    let same = Task::from_jsonl("other", b"\xef\xbb\xbf{\"answer\":\"b\",  \"prompt\":\"a\", \"id\":0}\r\n").unwrap();
    assert_eq!(one.digest, same.digest);
    for other in [
        r#"{"prompt": "a", "answer": "c"}"#,
        r#"{"prompt": "a", "answers": ["b", "c"]}"#,
        r#"{"prompt": "a", "answer": "b", "group": "g"}"#,
        r#"{"prompt": "a", "answer": "b", "id": "1"}"#,
        r#"{"prompt": "a", "choices": ["b", "c"], "answer": "b"}"#,
    ] {
        assert_ne!(one.digest, jsonl(other.as_bytes()).unwrap().digest, "{other}");
    }
}

// From an independent program in Python that follows the definition in task.rs.
const DIGEST: &str = "8228b141d4a15342524b6df28409cc7596df1c0f8dc307c197633d8697802e7c";

#[test]
fn a_wrong_jsonl_file_is_refused_in_one_line() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "t.jsonl: no examples: write at least one row, a JSON object on one line"),
        (b"\r\n \n", "t.jsonl: no examples: write at least one row, a JSON object on one line"),
        (b"\n{\"prompt\": \"a\", \"answer\": \"\xff\"}", "t.jsonl:2: invalid UTF-8: save the file as UTF-8"),
        (
            b"{\"prompt\": \"a\" \"answer\": \"b\"}",
            "t.jsonl:1: invalid JSON at column 16: expected `,` or `}`: write one JSON object on each line",
        ),
        (
            b"{\"prompt\": \"a\",",
            "t.jsonl:1: invalid JSON at column 15: EOF while parsing a value: write one JSON object on each line",
        ),
        (
            b"[1]",
            "t.jsonl:1: invalid type: sequence, expected an object: write one JSON object on each line, each key once",
        ),
        (
            br#"{"prompt": "a", "answer": "b", "answer": "c"}"#,
            "t.jsonl:1: the key `answer` is there twice: write one JSON object on each line, each key once",
        ),
        (
            br#"{"prompt": "a", "answer": "b", "meta": 1}"#,
            "t.jsonl:1: unknown key `meta`: use prompt, answer, answers, choices, id or group",
        ),
        (br#"{"answer": "b"}"#, "t.jsonl:1: no `prompt`: add it to the row"),
        (br#"{"prompt": "a"}"#, "t.jsonl:1: no `answer`: add it to the row"),
        (br#"{"prompt": "a", "choices": ["x", "y"]}"#, "t.jsonl:1: no `answer`: add it to the row"),
        (br#"{"prompt": 1, "answer": "b"}"#, "t.jsonl:1: `prompt` is a number: write text"),
        (br#"{"prompt": "a", "answer": null}"#, "t.jsonl:1: `answer` is null: write text"),
        (br#"{"prompt": "a", "answers": "b"}"#, "t.jsonl:1: `answers` is text: write a list of texts"),
        (br#"{"prompt": "a", "answers": ["b", 1]}"#, "t.jsonl:1: `an item of answers` is a number: write text"),
        (
            br#"{"prompt": "a", "answers": []}"#,
            "t.jsonl:1: the list of answers is empty: write at least one answer or leave the row out",
        ),
        (
            br#"{"prompt": "a", "answer": " \t"}"#,
            "t.jsonl:1: the answer is empty: write some text or leave the row out",
        ),
        (br#"{"prompt": "", "answer": "b"}"#, "t.jsonl:1: the prompt is empty: write some text or leave the row out"),
        (
            br#"{"prompt": "a", "answer": "b", "answers": ["c"]}"#,
            "t.jsonl:1: `answer` and `answers` together: keep one of them",
        ),
        (
            br#"{"prompt": "a", "answers": ["b"], "choices": ["b", "c"]}"#,
            "t.jsonl:1: `answers` and `choices` together: keep one of them",
        ),
        (br#"{"prompt": "a", "choices": ["x"], "answer": 0}"#, "t.jsonl:1: too few choices (1): write at least 2"),
        (
            br#"{"prompt": "a", "choices": ["x", "x "], "answer": 0}"#,
            "t.jsonl:1: the choice `x` is there twice: make the choices differ",
        ),
        (
            br#"{"prompt": "a", "choices": ["x", ""], "answer": 0}"#,
            "t.jsonl:1: the choice is empty: write some text or leave the row out",
        ),
        (
            br#"{"prompt": "a", "choices": ["x", "y"], "answer": "z"}"#,
            "t.jsonl:1: the answer `z` is not among the 2 choices: write one of them, or its index from 0",
        ),
        (
            br#"{"prompt": "a", "choices": ["x", "y"], "answer": 2}"#,
            "t.jsonl:1: the answer is choice 2 of 2 choices: write an index from 0 to 1",
        ),
        (
            br#"{"prompt": "a", "choices": ["x", "y"], "answer": -1}"#,
            "t.jsonl:1: the answer is choice -1 of 2 choices: write an index from 0 to 1",
        ),
        (
            br#"{"prompt": "a", "choices": ["x", "y"], "answer": 0.5}"#,
            "t.jsonl:1: `answer` is a number: write one of the choices or its index from 0",
        ),
        (br#"{"prompt": "a", "answer": "b", "id": 1.5}"#, "t.jsonl:1: `id` is a number: write text or a whole number"),
        (
            br#"{"prompt": "a", "answer": "b", "id": ""}"#,
            "t.jsonl:1: the id is empty: write some text or leave the row out",
        ),
        (
            b"{\"prompt\": \"a\", \"answer\": \"b\", \"id\": 1}\n{\"prompt\": \"a\", \"answer\": \"b\"}",
            "t.jsonl:2: the id `1` is already on line 1: give every row its own",
        ),
        (
            br#"{"prompt": "a", "answer": "b", "x\ny": 1}"#,
            "t.jsonl:1: unknown key `x\\ny`: use prompt, answer, answers, choices, id or group",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(jsonl(bytes).unwrap_err(), expected.replace("\\\\", "\\"));
    }
    let deep = [b"{\"prompt\": ".to_vec(), vec![b'['; 100_000]].concat();
    assert_eq!(
        jsonl(&deep).unwrap_err(),
        "t.jsonl:1: invalid JSON at column 138: recursion limit exceeded: write one JSON object on each line"
    );
}

#[test]
fn what_is_not_there_is_said() {
    let folder = folder(&[("t.yaml", with_data("doc_to_text: q\ndoc_to_target: a").as_bytes())]);
    let error = open(folder.path(), "none.jsonl").unwrap_err();
    assert_eq!(error, "none.jsonl: No such file or directory (os error 2): check the path and its permissions");
    let error = open(folder.path(), "t.yaml").unwrap_err();
    assert_eq!(error, "d.jsonl: No such file or directory (os error 2): check the path and its permissions");
    assert_eq!(
        Task::open("fact").unwrap_err().to_string(),
        "fact: no such task: give a .jsonl, .yaml or .yml file, or a built-in task (facts)"
    );
}

#[test]
fn yaml_generation() {
    let task = yaml(
        "
task: trivia
dataset_path: json
dataset_kwargs:
  data_files: {train: none.jsonl, test: d.jsonl}
test_split: test
output_type: generate_until
description: \"Answer the {{kind}}.\\n\"
doc_to_text: \"Q: {{ question | trim }}\\nA:\"
doc_to_target: answers
doc_to_group: topic
generation_kwargs: {max_gen_toks: 3, until: [], do_sample: false, temperature: 0.0}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
  - metric: log_loss
metadata: {version: 1.0}
",
        r#"{"kind": "question", "question": " Who? ", "answers": ["Ada", "A. L."], "topic": 3, "more": {}}

{"kind": "riddle", "question": "What?", "answers": "It", "topic": "t"}"#,
    )
    .unwrap();
    assert_eq!(task.name, "trivia");
    assert_eq!(
        task.examples,
        [
            example("0", "3", "Answer the question.\nQ: Who?\nA:", generate(&["Ada", "A. L."], 3)),
            example("2", "t", "Answer the riddle.\nQ: What?\nA:", generate(&["It"], 3)),
        ]
    );
}

#[test]
fn yaml_without_the_optional_keys() {
    let text = with_data("doc_to_text: \"{{q}} \\n\"\ndoc_to_target: \"{{x}} and {{y}}\"");
    let task = yaml(&text, r#"{"q": "1 + 1 =", "x": 2, "y": "two"}"#).unwrap();
    assert_eq!(task.name, "t");
    let expected = example("0", "0", "1 + 1 = \n", generate(&["2 and two"], 10));
    assert_eq!(task.examples, [expected]);
}

#[test]
fn yaml_choice() {
    let rows = r#"{"q": "a", "c": ["x", "y"], "i": 1, "s": "1", "t": "y", "d": ["1", "0"], "z": {"l": ["u", "v"]}}"#;
    let target = |choice: &str, target: &str| {
        let text = format!(
            "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: {choice}\ndoc_to_target: {target}\nmetric_list: [{{metric: acc}}]"
        );
        yaml(&with_data(&text), rows).map(|task| task.examples[0].target.clone())
    };
    assert_eq!(target("c", "i"), Ok(choose(&["x", "y"], 1)));
    assert_eq!(target("c", "t"), Ok(choose(&["x", "y"], 1)));
    assert_eq!(target("c", "0"), Ok(choose(&["x", "y"], 0)));
    assert_eq!(target("c", "\"{{s}}\""), Ok(choose(&["x", "y"], 1)));
    assert_eq!(target("c", "\"{{ 1 - i }}\""), Ok(choose(&["x", "y"], 0)));
    assert_eq!(target("\"{{z.l}}\"", "i"), Ok(choose(&["u", "v"], 1)));
    assert_eq!(target("\"{{[t, q]}}\"", "t"), Ok(choose(&["y", "a"], 0)));
    assert_eq!(target("[yes, \"{{t}}\"]", "i"), Ok(choose(&["yes", "y"], 1)));
    // A field's text is a choice, a template's digits an index: what could be both is refused.
    assert_eq!(target("d", "s"), Ok(choose(&["1", "0"], 0)));
    assert_eq!(
        target("d", "\"{{s}}\"").unwrap_err(),
        "d.jsonl:1: the answer `1` is a choice and also the index of another one: name the bare field in doc_to_target to mean the choice"
    );
    for (choice, answer, expected) in [
        ("c", "q", "the answer `a` is not among the 2 choices: write one of them, or its index from 0"),
        ("c", "2", "the answer is choice 2 of 2 choices: write an index from 0 to 1"),
        ("c", "\"{{i - 2}}\"", "the answer is choice -1 of 2 choices: write an index from 0 to 1"),
        ("c", "c", "`doc_to_target` is a list: write one of the choices or its index from 0"),
        ("q", "i", "`doc_to_choice` is text: write a list of texts, such as {{[a, b]}} or a field that is one"),
        ("z", "i", "`doc_to_choice` is an object: write a list of texts, such as {{[a, b]}} or a field that is one"),
        ("[a]", "i", "too few choices (1): write at least 2"),
    ] {
        assert_eq!(target(choice, answer).unwrap_err(), format!("d.jsonl:1: {expected}"));
    }
}

#[test]
fn yaml_log_likelihood() {
    let text = with_data("output_type: loglikelihood\ndoc_to_text: q\ndoc_to_target: \" {{a}}\"");
    let task = yaml(&text, r#"{"q": "a", "a": "b c"}"#).unwrap();
    let target = Target::LogLikelihood { answer: "b c".into() };
    assert_eq!(task.examples, [example("0", "0", "a", target)]);
    assert_eq!(task.examples[0].answer(), "b c");
}

#[test]
fn a_wrong_yaml_file_is_refused_in_one_line() {
    let rest = "doc_to_text: q\ndoc_to_target: a\n";
    let cases = [
        ("task: [".to_owned(), "t.yaml:2: did not find expected node content: correct it or take it out"),
        ("- a".to_owned(), "t.yaml:1: invalid type: sequence, expected keys and values: correct it or take it out"),
        (String::new(), "t.yaml: no `dataset_kwargs.data_files`: name the JSONL file that holds the examples"),
        (
            with_data("doc_to_text: q\nnum_fewshot: 3"),
            "t.yaml:3: unknown key `num_fewshot`, expected one of `task`, `dataset_path`, `dataset_kwargs`, `test_split`, `validation_split`, `training_split`, `output_type`, `doc_to_text`, `doc_to_target`, `doc_to_choice`, `doc_to_group`, `description`, `generation_kwargs`, `metric_list`, `metadata`: correct it or take it out",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_text: q"),
            "t.yaml: duplicate entry with key \"doc_to_text\": correct it or take it out",
        ),
        (with_data("task: 3"), "t.yaml: no `doc_to_text`: write the prompt's template or field"),
        (
            with_data("output_type: loglikelihood_rolling"),
            "t.yaml:2: output_type: unknown variant `loglikelihood_rolling`, expected one of `generate_until`, `multiple_choice`, `loglikelihood`: correct it or take it out",
        ),
        (
            with_data("doc_to_text: !function utils.text"),
            "t.yaml: `doc_to_text`: `!function` is not supported: it would run a Python program; write a Jinja template",
        ),
        (with_data("metadata: {a: [!x 1]}"), "t.yaml: `a`: `!x` is not supported: take the tag out"),
        (with_data("doc_to_target: a"), "t.yaml: no `doc_to_text`: write the prompt's template or field"),
        (with_data("doc_to_text: q"), "t.yaml: no `doc_to_target`: write the answer's template or field"),
        (
            with_data("doc_to_text: question\ndoc_to_target: a"),
            "t.yaml: `doc_to_text`: `question` is neither a field of the data nor a template: write a field's name or use {{ }}",
        ),
        (
            with_data("doc_to_text: \"{{q\"\ndoc_to_target: a"),
            "t.yaml: `doc_to_text`: syntax error: unexpected end of input, expected end of variable block: correct the template",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: \"{{ | }}\""),
            "t.yaml: `doc_to_target`: syntax error: unexpected `|`: correct the template",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: 0"),
            "t.yaml: `doc_to_target: 0` is not supported: an index goes with `output_type: multiple_choice`",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: 1.5"),
            "t.yaml: doc_to_target: expected a template, a field's name or an index from 0: correct it or take it out",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: a\noutput_type: multiple_choice"),
            "t.yaml: no `doc_to_choice`: write the list of choices",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: a\noutput_type: multiple_choice\ndoc_to_choice: [1, 2]"),
            "t.yaml: doc_to_choice: expected a list of texts (numbers and true in quotes), a template or a field's name: correct it or take it out",
        ),
        (
            with_data(&format!("{rest}doc_to_choice: c")),
            "t.yaml: `doc_to_choice: ...` is not supported: choices go with `output_type: multiple_choice`",
        ),
        (
            with_data(&format!("{rest}dataset_path: super_glue")),
            "t.yaml: `dataset_path: super_glue` is not supported: write `json` and name a JSONL file in dataset_kwargs.data_files",
        ),
        (rest.to_owned(), "t.yaml: no `dataset_kwargs.data_files`: name the JSONL file that holds the examples"),
        (
            format!("{rest}dataset_kwargs: {{data_files: [d.jsonl]}}"),
            "t.yaml: dataset_kwargs: data_files: expected a path, or a path for each split: correct it or take it out",
        ),
        (
            format!("{rest}dataset_kwargs: {{data_files: d.jsonl, x: 1}}"),
            "t.yaml:3: dataset_kwargs: unknown key `x`, expected `data_files`: correct it or take it out",
        ),
        (
            format!("{rest}dataset_kwargs: {{data_files: {{train: d.jsonl}}}}\ntest_split: test"),
            "t.yaml: `test_split: test` is not supported: use one of data_files: train",
        ),
        (
            format!("{rest}dataset_kwargs: {{data_files: {{a: d.jsonl, b: d.jsonl}}}}"),
            "t.yaml: `dataset_kwargs.data_files: a, b` is not supported: choose one with `test_split`",
        ),
        (
            with_data(&format!("{rest}generation_kwargs: {{top_p: 0.9}}")),
            "t.yaml:4: generation_kwargs: unknown key `top_p`, expected one of `max_gen_toks`, `until`, `do_sample`, `temperature`: correct it or take it out",
        ),
        (
            with_data(&format!("{rest}generation_kwargs: {{max_gen_toks: 0}}")),
            "t.yaml: `generation_kwargs.max_gen_toks: 0` is not supported: generate at least 1 token",
        ),
        (
            with_data(&format!("{rest}generation_kwargs: {{until: [\"\\n\"]}}")),
            "t.yaml: `generation_kwargs.until: \\n` is not supported: generation stops after max_gen_toks tokens or at the end of the text; write `until: []`",
        ),
        (
            with_data(&format!("{rest}generation_kwargs: {{do_sample: true}}")),
            "t.yaml: `generation_kwargs.do_sample: true` is not supported: generation is greedy; write `do_sample: false`",
        ),
        (
            with_data(&format!("{rest}generation_kwargs: {{temperature: 0.7}}")),
            "t.yaml: `generation_kwargs.temperature: 0.7` is not supported: generation is greedy; write `temperature: 0`",
        ),
        (
            with_data(&format!("{rest}generation_kwargs: {{}}\noutput_type: loglikelihood")),
            "t.yaml: `generation_kwargs: ...` is not supported: nothing is generated but with `output_type: generate_until`",
        ),
        (
            with_data(&format!("{rest}metric_list: [{{metric: f1}}]")),
            "t.yaml: `metric_list.metric: f1` is not supported: this output_type is scored by acc, exact_match, log_loss",
        ),
        (
            with_data(&format!("{rest}metric_list: [{{metric: acc, aggregation: median}}]")),
            "t.yaml: `metric_list.aggregation: median` is not supported: every metric is a mean over examples; write `mean`",
        ),
        (
            with_data(&format!("{rest}metric_list: [{{metric: log_loss, higher_is_better: true}}]")),
            "t.yaml: `metric_list.higher_is_better: true` is not supported: write `false` for log_loss",
        ),
        (
            with_data("doc_to_text: \"{{q}} {{n.m}}\"\ndoc_to_target: a"),
            "d.jsonl:1: doc_to_text: the template uses `n.m`, which the row does not have: add it or test it with `is defined`",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: \"{{missing}}\""),
            "d.jsonl:1: doc_to_target: the template uses `missing`, which the row does not have: add it or test it with `is defined`",
        ),
        (with_data("doc_to_text: only_first\ndoc_to_target: a"), "d.jsonl:2: no `only_first`: add it to the row"),
        (
            with_data("doc_to_text: \"{{q.strip()}}\"\ndoc_to_target: a"),
            "d.jsonl:1: doc_to_text: unknown method: string has no method named strip: correct the template",
        ),
        (
            with_data("doc_to_text: n\ndoc_to_target: a"),
            "d.jsonl:1: `doc_to_text` is an object: write text or a number",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: n"),
            "d.jsonl:1: `doc_to_target` is an object: write text or a number",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: \"{% if false %}{% endif %}\""),
            "d.jsonl:1: the answer is empty: write some text or leave the row out",
        ),
    ];
    let rows = r#"{"q": "q", "a": "a", "n": {"o": 1}, "only_first": "x"}
{"q": "q", "a": "a", "n": {"o": 1}}"#;
    for (text, expected) in cases {
        let error = yaml(&text, rows).unwrap_err();
        assert!(!error.contains('\n'), "{error}");
        assert_eq!(error, expected, "{text}");
    }
}

#[test]
fn deep_or_exploding_yaml_is_an_error() {
    let rows = r#"{"q": "q", "a": "a"}"#;
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let before = format!("*a{}", i - 1);
        let items = [before.as_str(); 9].join(", ");
        bomb.push_str(&format!("a{i}: &a{i} [{items}]\n"));
    }
    let parens = "(".repeat(5_000);
    for text in [
        format!("metadata: {}", "[".repeat(10_000)),
        bomb,
        with_data(&format!("doc_to_text: \"{{{{{parens}\"\ndoc_to_target: a")),
        "\0\u{1}: \u{7f}".to_owned(),
        "%YAML 3\n---\n".to_owned(),
        "a\n---\nb".to_owned(),
    ] {
        let error = yaml(&text, rows).unwrap_err();
        assert!(error.starts_with("t.yaml") && !error.contains('\n') && error.len() < 900, "{error}");
    }
}

//! Bare data files as tasks, good and bad.

mod support;

use laser_example::Example;
use support::*;

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
fn digits_that_are_no_choice_are_an_index() {
    let correct = |choices: &str, answer: &str| {
        let row = format!("{{\"prompt\": \"a\", \"choices\": {choices}, \"answer\": \"{answer}\"}}");
        jsonl(row.as_bytes()).map(|task| task.examples[0].answer().to_owned())
    };
    assert_eq!(correct(r#"["x", "y"]"#, "1").unwrap(), "y");
    assert_eq!(correct(r#"["1", "0"]"#, "1").unwrap(), "1");
    let error = correct(r#"["x", "y"]"#, "2").unwrap_err();
    assert_eq!(error, "t.jsonl:1: the answer is choice 2 of 2 choices: write an index from 0 to 1");
}

#[test]
fn the_digest_tells_tasks_apart_and_not_files() {
    let one = jsonl(br#"{"prompt": "a", "answer": "b"}"#).unwrap();
    assert_eq!(one.digest, DIGEST);
    let other: &[u8] = b"\xef\xbb\xbf{\"answer\":\"b\",  \"prompt\":\"a\", \"id\":0}\r\n";
    let same = open(folder(&[("other.jsonl", other)]).path(), "other.jsonl").unwrap();
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
        (br#"{"answer": "b"}"#, "t.jsonl:1: no `prompt`: add it to the row, which has `answer`"),
        (br#"{"prompt": "a"}"#, "t.jsonl:1: no `answer`: add it to the row, which has `prompt`"),
        (
            br#"{"prompt": "a", "choices": ["x", "y"]}"#,
            "t.jsonl:1: no `answer`: add it to the row, which has `choices`, `prompt`",
        ),
        (br#"{"prompt": 1, "answer": "b"}"#, "t.jsonl:1: `prompt` is a number: write text"),
        (br#"{"prompt": "a", "answer": null}"#, "t.jsonl:1: `answer` is null: write text"),
        (br#"{"prompt": "a", "answers": "b"}"#, "t.jsonl:1: `answers` is text: write a list of texts"),
        (br#"{"prompt": "a", "answers": ["b", true]}"#, "t.jsonl:1: `an item of answers` is true or false: write text"),
        (
            br#"{"prompt": "a", "answers": []}"#,
            "t.jsonl:1: the list of answers is empty: write at least one answer or leave the row out",
        ),
        (
            br#"{"prompt": "a", "answer": " \t"}"#,
            "t.jsonl:1: the answer is empty: write some text or leave the row out",
        ),
        (
            br#"{"prompt": "a", "answer": "b", "answers": ["c"]}"#,
            "t.jsonl:1: `answer` and `answers` together: keep one of them",
        ),
        (
            br#"{"prompt": "a", "answers": ["b"], "choices": ["b", "c"]}"#,
            "t.jsonl:1: `answers` and `choices` together: keep one of them",
        ),
        (
            br#"{"prompt": "a", "choices": [], "answer": 0}"#,
            "t.jsonl:1: the list of choices is empty: write at least one choice or leave the row out",
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

const SAME: &[u8] = include_bytes!("fixtures/data/same-snappy.parquet");

const NESTED: &[u8] = include_bytes!("fixtures/data/nested.parquet");

#[test]
fn a_bare_task_is_the_same_in_every_format() {
    let rows = [
        r#"{"prompt": "The capital of France is", "answer": "Paris", "choices": ["Paris", "Rome"]}"#,
        r#"{"prompt": "Say \"no\",\nor é:", "answer": "no", "choices": ["yes", "no"]}"#,
        r#"{"prompt": "Tab\there:", "answer": "x", "choices": ["x", "y", "z"]}"#,
    ];
    let task = jsonl(rows.join("\n").as_bytes()).unwrap();
    assert_eq!(task.examples[1], example("1", "1", "Say \"no\",\nor é:", choose(&["yes", "no"], 1)));
    let lines = |separator: &str, rows: [[&str; 3]; 4]| rows.map(|row| row.join(separator)).join("\r\n").into_bytes();
    let cells = [
        ["prompt", "answer", "choices"],
        ["The capital of France is", "Paris", "\"[\"\"Paris\"\", \"\"Rome\"\"]\""],
        ["\"Say \"\"no\"\",\nor é:\"", "no", "\"[\"\"yes\"\", \"\"no\"\"]\""],
        ["\"Tab\there:\"", "x", "\"[\"\"x\"\", \"\"y\"\", \"\"z\"\"]\""],
    ];
    for (name, bytes) in [
        ("t.ndjson", rows.join("\n").into_bytes()),
        ("t.json", format!("[{}]", rows.join(",")).into_bytes()),
        ("t.csv", lines(",", cells)),
        ("t.TSV", lines("\t", cells)),
        ("t.parquet", SAME.to_vec()),
    ] {
        assert_eq!(open(folder(&[(name, &bytes)]).path(), name).as_ref(), Ok(&task), "{name}");
    }
}

#[test]
fn empty_prompts_equal_choices_and_single_ones_are_scored() {
    let rows = br#"{"prompt": "", "answer": "b"}
{"prompt": "a", "choices": ["x", "x ", ""], "answer": "x"}
{"prompt": "a", "choices": ["x"], "answer": 0}"#;
    let task = jsonl(rows).unwrap();
    assert_eq!(task.examples[0].prompt, "");
    assert_eq!(task.examples[1].target, choose(&["x", "x", ""], 0));
    assert_eq!(task.examples[2].target, choose(&["x"], 0));
}

#[test]
fn a_wrong_row_is_found_in_every_format() {
    for (name, bytes, expected) in [
        ("t.json", &b"[{\"prompt\": \"a\", \"answer\": null}]"[..], "t.json: record 1: `answer` is null: write text"),
        (
            "t.json",
            b"[{\"prompt\": \"a\", \"answer\": \"b\", \"id\": 1}, {\"prompt\": \"a\", \"answer\": \"b\"}]",
            "t.json: record 2: the id `1` is already in record 1: give every row its own",
        ),
        (
            "t.csv",
            b"prompt,answer\n\n\"a\nb\",c\nc,",
            "t.csv:5: the answer is empty: write some text or leave the row out",
        ),
        (
            "t.csv",
            b"prompt,answer,id\na,b,x\n\nc,d,x",
            "t.csv:4: the id `x` is already on line 2: give every row its own",
        ),
        (
            "t.parquet",
            NESTED,
            "t.parquet: record 1: no `prompt`: add it to the row, which has `big`, `bytes`, `counts`, `day`, `kind`, `matrix`, `mc2_targets`, `none`, `parts`, `price` and 4 more",
        ),
    ] {
        assert_eq!(open(folder(&[(name, bytes)]).path(), name).unwrap_err(), expected);
    }
}

//! One bad row does not stop a task that is told to skip such.

mod support;

use laser_tasks::{OnBadRow, OpenOptions, Task};
use support::*;

fn opened(files: &[(&str, &[u8])], name: &str, on_bad_row: Option<OnBadRow>) -> Result<Task, String> {
    let folder = folder(files);
    let options = OpenOptions { on_bad_row, ..OpenOptions::default() };
    Task::open_with(folder.path().join(name).to_str().unwrap(), &options)
        .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

#[test]
fn bad_rows_are_counted_and_left_out() {
    let bare = b"{\"prompt\": \"p\", \"answer\": \"a\"}\nno json\n{\"prompt\": \"p\"}\n{\"prompt\": \"q\", \"answer\": \"b\"}\n";
    let json = br#"[{"prompt": "p", "answer": "a"}, 7, {"prompt": "q", "answer": "b"}]"#;
    let csv = b"prompt,answer\np,a\none,two,three\nq,b\n";
    for (name, bytes, bad) in [("t.jsonl", &bare[..], 2), ("t.json", &json[..], 1), ("t.csv", &csv[..], 1)] {
        let task = opened(&[(name, bytes)], name, Some(OnBadRow::Skip)).unwrap();
        assert_eq!(task.examples.iter().map(|example| example.answer()).collect::<Vec<_>>(), ["a", "b"], "{name}");
        let skipped = task.skipped.as_ref().unwrap();
        assert_eq!(skipped.count, bad, "{name}");
        assert!(skipped.first.contains(name), "{}", skipped.first);
        assert_eq!(task.limit(1, 0).unwrap().skipped, task.skipped);
        for on_bad_row in [None, Some(OnBadRow::Error)] {
            assert!(opened(&[(name, bytes)], name, on_bad_row).is_err(), "{name}");
        }
    }
}

#[test]
fn rows_that_a_template_cannot_take() {
    let rows = b"{\"q\": \"a\", \"n\": {\"m\": 1}}\n{\"q\": \"b\"}\n{\"q\": \"c\", \"n\": {\"m\": 3}}\n";
    let text = with_data("doc_to_text: q\ndoc_to_target: '{{n.m + 1}}'\nwhere: q != 'c'");
    let files: [(&str, &[u8]); 2] = [("t.yaml", text.as_bytes()), ("d.jsonl", rows)];
    let task = opened(&files, "t.yaml", Some(OnBadRow::Skip)).unwrap();
    assert_eq!((task.examples.len(), task.left_out, task.skipped.unwrap().count), (1, 1, 1));
    let error = opened(&files, "t.yaml", None).unwrap_err();
    assert!(error.starts_with("d.jsonl:2: doc_to_target: "), "{error}");
    // A template that no row fits is the task's mistake, not the rows'.
    let text = with_data("doc_to_text: q\ndoc_to_target: '{{missing.m + 1}}'");
    let files: [(&str, &[u8]); 2] = [("t.yaml", text.as_bytes()), ("d.jsonl", rows)];
    let error = opened(&files, "t.yaml", Some(OnBadRow::Skip)).unwrap_err();
    assert!(error.starts_with("d.jsonl:1: doc_to_target: "), "{error}");
}

#[test]
fn a_bad_solved_example_costs_no_question() {
    let text = "dataset_kwargs: {data_files: {dev: s.jsonl, test: d.jsonl}}\ntest_split: test\nfewshot_split: dev\n\
                doc_to_text: q\ndoc_to_target: '{{a.b}}'\nnum_fewshot: 1\n";
    let (good, solved) =
        (r#"{"q": "one", "a": {"b": "1"}}"#, "{\"q\": \"bad\"}\n{\"q\": \"two\", \"a\": {\"b\": \"2\"}}\n");
    let questions = format!("{good}\n{good}\n");
    for sampler in ["first_n", "default"] {
        let text = format!("{text}fewshot_config: {{sampler: {sampler}}}\n");
        let files: [(&str, &[u8]); 3] =
            [("t.yaml", text.as_bytes()), ("s.jsonl", solved.as_bytes()), ("d.jsonl", questions.as_bytes())];
        let task = opened(&files, "t.yaml", Some(OnBadRow::Skip)).unwrap();
        let prompts: Vec<&str> = task.examples.iter().map(|example| example.prompt.as_str()).collect();
        assert_eq!(prompts, ["two 2\n\none"; 2], "{sampler}");
        assert_eq!(task.skipped.unwrap().count, 1, "{sampler}");
    }
    let text = format!("{text}fewshot_config: {{sampler: first_n}}\n");
    let files: [(&str, &[u8]); 3] =
        [("t.yaml", text.as_bytes()), ("s.jsonl", solved.as_bytes()), ("d.jsonl", questions.as_bytes())];
    let error = opened(&files, "t.yaml", None).unwrap_err();
    assert!(error.starts_with("s.jsonl:1: doc_to_target: "), "{error}");
}

#[test]
fn a_bad_row_that_is_question_and_solved_example_is_counted_once() {
    let rows = b"{\"q\": \"a\", \"g\": {\"m\": 1}}\n{\"q\": \"b\"}\n{\"q\": \"c\", \"g\": {\"m\": 3}}\n";
    let text = with_data("doc_to_text: q\ndoc_to_target: '{{g.m}}'\ndoc_to_group: '{{g.m}}'\nnum_fewshot: 1");
    let files: [(&str, &[u8]); 2] = [("t.yaml", text.as_bytes()), ("d.jsonl", rows)];
    let task = opened(&files, "t.yaml", Some(OnBadRow::Skip)).unwrap();
    let prompts: Vec<&str> = task.examples.iter().map(|example| example.prompt.as_str()).collect();
    assert_eq!(prompts, ["c 3\n\na", "a 1\n\nc"]);
    assert_eq!(task.skipped.unwrap().count, 1);
}

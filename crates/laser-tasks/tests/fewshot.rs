//! Solved examples before the question. The orders are those of lm_eval 0.4.13: `ContextSampler` and `FirstNSampler` of
//! `lm_eval.api.samplers` with `set_rnd(1234)`, asked for one row after the other as `ConfigurableTask.fewshot_context` does.

mod support;

use laser_tasks::Task;
use support::*;

/// Rows `q0`, `q1` ... with answers `a0`, `a1` ...
fn rows(name: char, numbers: &[usize]) -> String {
    numbers.iter().map(|i| format!("{{\"q\": \"{name}{i}\", \"a\": \"a{i}\", \"g\": {}}}\n", i / 2)).collect()
}

/// The questions shown before each question.
fn shown(task: &Task) -> Vec<Vec<String>> {
    let shots = |prompt: &str| -> Vec<String> {
        prompt.split("; ").filter_map(|shot| shot.split_once('=').map(|(question, _)| question.to_owned())).collect()
    };
    task.examples.iter().map(|example| shots(&example.prompt[..example.question().start])).collect()
}

const TEXT: &str = "doc_to_text: q\ndoc_to_target: a\nfewshot_delimiter: '; '\ntarget_delimiter: '='\n";

fn of(keys: &str, numbers: &[usize]) -> Task {
    yaml(&with_data(&format!("{TEXT}{keys}")), &rows('q', numbers)).unwrap()
}

#[test]
fn shots_of_another_split_are_drawn_as_by_the_harness() {
    let text = format!(
        "dataset_kwargs: {{data_files: {{train: s.jsonl, test: d.jsonl}}}}\ntest_split: test\ntraining_split: train\nnum_fewshot: 3\n{TEXT}"
    );
    let all: Vec<usize> = (0..30).collect();
    let (train, test) = (rows('t', &all), rows('q', &all[..5]));
    let files: [(&str, &[u8]); 3] =
        [("t.yaml", text.as_bytes()), ("s.jsonl", train.as_bytes()), ("d.jsonl", test.as_bytes())];
    let task = open(folder(&files).path(), "t.yaml").unwrap();
    let expected =
        [["t24", "t14", "t3"], ["t0", "t2", "t29"], ["t25", "t18", "t1"], ["t21", "t22", "t2"], ["t3", "t24", "t11"]];
    assert_eq!(shown(&task), expected);
    assert_eq!(task.examples[0].prompt, "t24=a24; t14=a14; t3=a3; q0");
    assert!(task.notes.is_empty());
}

#[test]
fn shots_of_the_evaluated_split_are_drawn_as_by_the_harness() {
    let own = of("num_fewshot: 2", &[0, 1, 2, 3, 4, 5]);
    let expected = [["q3", "q4"], ["q0", "q4"], ["q5", "q0"], ["q2", "q1"], ["q0", "q5"], ["q4", "q3"]];
    assert_eq!(shown(&own), expected);
    // A question that is there three times is found among so few again and again.
    let twice = of("num_fewshot: 2", &[0, 0, 0, 1, 2, 3]);
    let expected = [["q1", "q2"], ["q2", "q3"], ["q3", "q2"], ["q0", "q0"], ["q0", "q3"], ["q2", "q1"]];
    assert_eq!(shown(&twice), expected);
    let first = of("num_fewshot: 2\nfewshot_config: {sampler: first_n}", &[0, 1, 2, 3]);
    assert_eq!(shown(&first), [["q1", "q2"], ["q0", "q2"], ["q0", "q1"], ["q0", "q1"]]);
}

#[test]
fn a_question_may_be_shown_where_the_harness_does_and_a_note_says_so() {
    let text = format!("dataset_kwargs: {{data_files: {{test: d.jsonl}}}}\ntest_split: test\nnum_fewshot: 2\n{TEXT}");
    let task = yaml(&text, &rows('q', &[0, 1, 2, 3, 4, 5])).unwrap();
    let expected = [["q3", "q0"], ["q0", "q5"], ["q4", "q0"], ["q5", "q0"], ["q0", "q2"], ["q1", "q0"]];
    assert_eq!(shown(&task), expected);
    assert!(task.notes.iter().any(|note| note.contains("among its own solved examples")), "{:?}", task.notes);
    let apart = yaml(&format!("{text}fewshot_split: test\n"), &rows('q', &[0, 1, 2, 3, 4, 5])).unwrap();
    assert!(apart.notes.is_empty());
    for (number, shots) in shown(&apart).iter().enumerate() {
        assert!(!shots.contains(&format!("q{number}")), "{shots:?}");
    }
}

/// One file is the harness's `train`, which it may slice.
#[test]
fn a_question_may_be_shown_where_one_file_is_the_harness_s_only_split() {
    let text = with_data(&format!("test_split: train\nnum_fewshot: 2\n{TEXT}"));
    let task = yaml(&text, &rows('q', &[0, 1, 2, 3, 4, 5])).unwrap();
    let expected = [["q3", "q0"], ["q0", "q5"], ["q4", "q0"], ["q5", "q0"], ["q0", "q2"], ["q1", "q0"]];
    assert_eq!(shown(&task), expected);
    // Two names for one file are of our own.
    let text = with_data(&format!("test_split: test\ntraining_split: train\nnum_fewshot: 2\n{TEXT}"));
    let task = yaml(&text, &rows('q', &[0, 1, 2, 3, 4, 5])).unwrap();
    for (number, shots) in shown(&task).iter().enumerate() {
        assert!(!shots.contains(&format!("q{number}")), "{shots:?}");
    }
}

#[test]
fn the_groups_of_many_rows_are_read_once() {
    let rows: String = (0..6_000).map(|i| format!("{{\"q\": \"q{i}\", \"a\": \"a{i}\", \"g\": {i}}}\n")).collect();
    let text = with_data(&format!("{TEXT}doc_to_group: '{{{{g // 2}}}}'\nnum_fewshot: 2\n"));
    let started = std::time::Instant::now();
    let task = yaml(&text, &rows).unwrap();
    assert_eq!(task.examples.len(), 6_000);
    // Each with each took a minute.
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}

#[test]
fn paraphrases_are_not_shown() {
    for sampler in ["default", "first_n"] {
        let keys = format!("num_fewshot: 3\ndoc_to_group: g\nfewshot_config: {{sampler: {sampler}}}");
        let task = of(&keys, &[0, 1, 2, 3, 4, 5, 6, 7]);
        for (number, shots) in shown(&task).iter().enumerate() {
            let paraphrases = [format!("q{}", number / 2 * 2), format!("q{}", number / 2 * 2 + 1)];
            assert_eq!(shots.len(), 3);
            assert!(shots.iter().all(|shot| !paraphrases.contains(shot)), "{number}: {shots:?}");
        }
    }
}

#[test]
fn too_few_solved_examples_are_an_error() {
    for sampler in ["default", "first_n"] {
        let keys = format!("num_fewshot: 2\nfewshot_config: {{sampler: {sampler}}}");
        let error = yaml(&with_data(&format!("{TEXT}{keys}")), &rows('q', &[0, 1])).unwrap_err();
        assert!(error.contains("there are not so many solved examples beside a question"), "{error}");
    }
}

const NUMBERS: &str = r#"{"q": "1+1", "l": "x"}
{"q": "1+2", "l": "y"}
{"q": "2+2", "l": "x"}"#;

#[test]
fn solved_examples_of_another_split() {
    let text = "dataset_kwargs: {data_files: {dev: s.jsonl, test: d.jsonl}}\ntest_split: test\nfewshot_split: dev
output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [x, y]\ndoc_to_target: l\nnum_fewshot: 1";

    let shots = br#"{"q": "0+0", "l": "y"}"#;
    let files: [(&str, &[u8]); 3] = [("t.yaml", text.as_bytes()), ("d.jsonl", NUMBERS.as_bytes()), ("s.jsonl", shots)];
    let task = open(folder(&files).path(), "t.yaml").unwrap();
    assert_eq!(task.examples[0].prompt, "0+0 y\n\n1+1");
    assert_eq!(task.content_free(&task.examples[0]), None);
}

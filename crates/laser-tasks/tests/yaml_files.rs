//! What YAML task files may and may not say, the files beside them, and which rows they take.

mod support;

use std::fs;

use laser_example::Example;
use laser_tasks::Task;
use support::*;

#[test]
fn what_is_not_there_is_said() {
    let folder = folder(&[("t.yaml", with_data("doc_to_text: q\ndoc_to_target: a").as_bytes())]);
    let error = open(folder.path(), "none.jsonl").unwrap_err();
    assert_eq!(error, "none.jsonl: No such file or directory (os error 2): check the path and its permissions");
    let error = open(folder.path(), "t.yaml").unwrap_err();
    assert_eq!(error, "d.jsonl: No such file or directory (os error 2): check the path and its permissions");
    assert_eq!(
        Task::open("fact").unwrap_err().to_string(),
        "fact: no such task: did you mean facts? give a .yaml, .jsonl, .json, .csv, .tsv or .parquet file, or a built-in task (facts, counterfact, hotpotqa, fever, bios_gender, bios_profession, truthfulqa, epistemic_reasoning, qa_wikidata, causal_judgment, web_of_lies)"
    );
}

#[test]
fn a_wrong_yaml_file_is_refused_in_one_line() {
    let rest = "doc_to_text: q\ndoc_to_target: a\n";
    let cases = [
        ("task: [".to_owned(), "t.yaml:2: did not find expected node content: correct it or take it out"),
        ("- a".to_owned(), "t.yaml: expected keys and values: correct it or take it out"),
        (
            String::new(),
            "t.yaml: no `dataset_kwargs.data_files`: name the file that holds the examples (JSONL, JSON, CSV, TSV or Parquet)",
        ),
        (with_data("task: 3"), "t.yaml: no `doc_to_text`: write the prompt's template or field"),
        (
            with_data("output_type: winograd_schema"),
            "t.yaml:2: output_type: unknown variant `winograd_schema`, expected one of `generate_until`, `multiple_choice`, `loglikelihood`, `loglikelihood_rolling`: correct it or take it out",
        ),
        (
            with_data("doc_to_text: !function utils.text"),
            "t.yaml: `doc_to_text`: functions of Python in task files need the Python package: see docs/tasks.md, or write a Jinja template",
        ),
        (with_data("metadata: {a: [!x 1]}"), "t.yaml: `a`: `!x` is not supported: take the tag out"),
        (with_data("doc_to_target: a"), "t.yaml: no `doc_to_text`: write the prompt's template or field"),
        (with_data("doc_to_text: q"), "t.yaml: no `doc_to_target`: write the answer's template or field"),
        (
            with_data("doc_to_text: \"{{q\"\ndoc_to_target: a"),
            "t.yaml: `doc_to_text`: unexpected end of template, expected 'end of print statement': correct the template",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: \"{{ | }}\""),
            "t.yaml: `doc_to_target`: unexpected '|': correct the template",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: a\noutput_type: multiple_choice"),
            "t.yaml: no `doc_to_choice`: write the list of choices",
        ),
        (
            with_data(&format!("{rest}dataset_path: super_glue")),
            "t.yaml: `dataset_path: super_glue` is not supported: with dataset_kwargs.data_files it is json, csv or parquet",
        ),
        (
            rest.to_owned(),
            "t.yaml: no `dataset_kwargs.data_files`: name the file that holds the examples (JSONL, JSON, CSV, TSV or Parquet)",
        ),
        (
            format!("{rest}dataset_kwargs: {{data_files: [d.jsonl]}}"),
            "t.yaml:3: dataset_kwargs: data_files: expected a path, or a path for each split: correct it or take it out",
        ),
        (
            format!("{rest}dataset_kwargs: {{data_files: d.jsonl, x: 1}}"),
            "t.yaml:3: dataset_kwargs: unknown key `x`: the keys are `data_files`, `trust_remote_code`, `streaming`, `verification_mode`, `download_mode`, `cache_dir`, `keep_in_memory`, `num_proc`, `token`: correct it or take it out",
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
            with_data(&format!("{rest}generation_kwargs: {{stop: x}}")),
            "t.yaml: `generation_kwargs.stop: x` is not supported: docs/tasks.md lists the keys that are read; take it out",
        ),
        (
            with_data(&format!("{rest}generation_kwargs: {{max_gen_toks: 0}}")),
            "t.yaml: `generation_kwargs.max_gen_toks: 0` is not supported: generate at least 1 token",
        ),
        (
            with_data(&format!("{rest}generation_kwargs: {{until: [\"\"]}}")),
            "t.yaml: `generation_kwargs.until: - ''` is not supported: an empty text would end every generation at once; take it out",
        ),
        (
            with_data(&format!("{rest}generation_kwargs: {{do_sample: true}}")),
            "t.yaml: `generation_kwargs.do_sample: true` is not supported: generation is greedy; write `do_sample: false`",
        ),
        (
            with_data(&format!("{rest}generation_kwargs: {{temperature: 0.7}}")),
            "t.yaml: `generation_kwargs.temperature: 0.7` is not supported: generation is greedy; write `temperature: 0` or `do_sample: false`",
        ),
        (
            with_data(&format!("{rest}metric_list: [{{metric: bleu}}]")),
            "t.yaml: `metric_list.metric: bleu` is not supported: this output_type is scored by exact_match, contains",
        ),
        (
            format!("{rest}dataset_path: owner/none"),
            "t.yaml: the data set `owner/none`: data sets of the hub are not fetched here: give the data as a file: or give it as a file with --data",
        ),
        (
            with_data(&format!("{rest}include: none.yaml")),
            "none.yaml: No such file or directory (os error 2): check the path and its permissions",
        ),
        (
            with_data(&format!("{rest}include: t.yaml")),
            "t.yaml: `include: t.yaml` is not supported: too many files include one another; put their keys into one",
        ),
        (
            with_data(&format!("{rest}include: {{}}")),
            "t.yaml: include: expected a path or a list of paths: correct it or take it out",
        ),
        (
            with_data(&format!("{rest}num_fewshot: 2")),
            "t.yaml: `num_fewshot: 2` is not supported: there are not so many solved examples beside a question and its paraphrases",
        ),
        (
            with_data(&format!("{rest}num_fewshot: {}", u64::MAX)),
            "t.yaml: `num_fewshot: 18446744073709551615` is not supported: there are not so many solved examples beside a question and its paraphrases",
        ),
        (
            with_data(&format!("{rest}fewshot_config: {{sampler: balanced}}")),
            "t.yaml:4: fewshot_config.sampler: unknown variant `balanced`, expected `default` or `first_n`: correct it or take it out",
        ),
        (
            with_data(&format!("{rest}metric_list: [{{metric: exact_match, ignore_accents: true}}]")),
            "t.yaml: `metric_list.ignore_accents: ...` is not supported: the keys are metric, aggregation, higher_is_better, hf_evaluate, ignore_case, ignore_punctuation, ignore_numbers, regexes_to_ignore, average",
        ),
        (
            with_data(&format!("{rest}where: \"{{{{ q == 'x' }}}}\"")),
            "t.yaml: none of the 2 rows is left: check what `where` and `expand` want of the data",
        ),
        (
            with_data(&format!("{rest}expand: {{x: q}}")),
            "d.jsonl:1: `expand` is text: write a list, such as {{[a, b]}} or a field that is one",
        ),
        (
            with_data(&format!("{rest}expand: {{x: \"{{{{ [1, 2] }}}}\", y: \"{{{{ [1] }}}}\"}}")),
            "d.jsonl:1: expand: `x` has 2 items and `y` has 1: make the lists equally long",
        ),
        (
            with_data(&format!("{rest}test_split: d[1:]")),
            "t.yaml: `test_split: d[1:]` is not supported: write the name of a split, several with +, the first rows of one as in train[:100]",
        ),
        (
            with_data("doc_to_text: \"{{q}} {{n.m}}\"\ndoc_to_target: a"),
            "d.jsonl:1: doc_to_text: 'dict object' has no attribute 'm': correct the template",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: \"{{missing}}\""),
            "d.jsonl:1: doc_to_target: the template uses `missing`, and the row has `a`, `n`, `only_first`, `q`: add it or test it with `is defined`",
        ),
        (
            with_data("doc_to_text: only_first\ndoc_to_target: a"),
            "d.jsonl:2: no `only_first`: add it to the row, which has `a`, `n`, `q`",
        ),
        (
            with_data("doc_to_text: \"{{q.shout()}}\"\ndoc_to_target: a"),
            "d.jsonl:1: doc_to_text: 'str object' has no attribute 'shout': correct the template",
        ),
        (
            with_data("doc_to_text: n\ndoc_to_target: a"),
            "d.jsonl:1: `doc_to_text` is an object: write text or a number",
        ),
        (
            with_data("doc_to_text: q\ndoc_to_target: n\noutput_type: multiple_choice\ndoc_to_choice: \"{{[]}}\""),
            "d.jsonl:1: the list of choices is empty: write at least one choice or leave the row out",
        ),
        (
            with_data(
                "metric_list: [{metric: contains}]\ndoc_to_text: q\ndoc_to_target: \"{% if false %}{% endif %}\"",
            ),
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

#[cfg(unix)]
#[test]
fn a_pipe_or_a_device_is_no_file() {
    let folder = folder(&[("t.yaml", with_data("doc_to_text: q\ndoc_to_target: a").as_bytes())]);
    for target in ["/dev/zero", "/dev/null"] {
        let data = folder.path().join("d.jsonl");
        std::os::unix::fs::symlink(target, &data).unwrap();
        let error = open(folder.path(), "t.yaml").unwrap_err();
        assert!(error.contains("d.jsonl: it is a pipe, a socket or a device"), "{error}");
        fs::remove_file(data).unwrap();
    }
    assert!(std::process::Command::new("mkfifo").arg(folder.path().join("d.jsonl")).status().unwrap().success());
    let error = open(folder.path(), "t.yaml").unwrap_err();
    assert!(error.contains("it is a pipe"), "{error}");
    fs::create_dir(folder.path().join("dir.yaml")).unwrap();
    assert!(open(folder.path(), "dir.yaml").is_err());
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

#[test]
fn keys_of_an_included_file_hold_where_there_are_none() {
    let files: [(&str, &[u8]); 4] = [
        ("t.yaml", b"include: [base.yaml, more/lower.yaml]\ntask: own\ndoc_to_target: a"),
        ("base.yaml", b"task: base\ndataset_kwargs: {data_files: d.jsonl}\ndoc_to_text: a\ntarget_delimiter: ''"),
        ("d.jsonl", b"{\"q\": \"Q\", \"a\": \"A\"}"),
        ("q.yaml", b"doc_to_text: q"),
    ];
    let folder = folder(&files);
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::write(folder.path().join("more/lower.yaml"), "include: ../q.yaml\ndescription: 'D '").unwrap();
    let task = open(folder.path(), "t.yaml").unwrap();
    assert_eq!(task.name, "own");
    assert_eq!(task.examples[0].prompt, "D Q");
    assert_eq!(task.examples[0].continuation("A"), "A");
}

#[test]
fn splits_are_added_and_cut() {
    let text =
        "dataset_kwargs: {data_files: {a: d.jsonl, b: s.jsonl}}\ntest_split: a[:3]+b\ndoc_to_text: q\ndoc_to_target: a";
    let more = br#"{"q": "0+0", "a": "0"}"#;
    let files: [(&str, &[u8]); 3] = [("t.yaml", text.as_bytes()), ("d.jsonl", NUMBERS.as_bytes()), ("s.jsonl", more)];
    let task = open(folder(&files).path(), "t.yaml").unwrap();
    let answers: Vec<&str> = task.examples.iter().map(Example::answer).collect();
    assert_eq!(answers, ["2", "3", "4", "0"]);
}

#[test]
fn rows_are_left_out_taken_apart_and_made_distinct() {
    let rows = r#"{"q": "one", "t": ["a", "b"], "ok": true}
{"q": "two", "t": ["c"], "ok": true}
{"q": "no", "t": ["d"], "ok": false}
{"q": "one", "t": ["a", "B"], "ok": true}"#;

    let task = |rest: &str| {
        let text =
            format!("doc_to_text: \"{{{{q}}}} {{{{x}}}}\"\ndoc_to_target: x\nwhere: ok\nexpand: {{x: t}}\n{rest}");
        let task = yaml(&with_data(&text), rows).unwrap();
        let line = |example: &Example| format!("{} {} {}", example.id, example.group, example.prompt);
        task.examples.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(task(""), ["0-0 0 one a", "0-1 0 one b", "1-0 1 two c", "3-0 3 one a", "3-1 3 one B"]);
    assert_eq!(task("distinct: \"{{q}} {{x | lower}}\""), ["0-0 0 one a", "1-0 1 two c"]);
}

#[test]
fn a_row_is_not_taken_apart_into_more_than_fits() {
    let list: Vec<String> = (0..40_000).map(|i| format!("\"word{i}\"")).collect();
    let row = format!("{{\"q\": \"q\", \"a\": [{}]}}", list.join(", "));
    let text = with_data("doc_to_text: q\ndoc_to_target: w\nexpand: {w: a}");
    let error = yaml(&text, &row).unwrap_err();
    assert!(error.starts_with("d.jsonl:1: expand: 40000 rows of ") && error.contains("too many"), "{error}");
}

/// Each answer with each choice took a minute.
#[test]
fn many_answers_are_found_among_many_choices_at_once() {
    let list: Vec<String> = (0..100_000).map(|i| format!("\"w{i}\"")).collect();
    let list = format!("[{}]", list.join(", "));
    let text = with_data("output_type: multiple_choice\ndoc_to_text: q\ndoc_to_target: a\ndoc_to_choice: c");
    let started = std::time::Instant::now();
    let task = yaml(&text, &format!("{{\"q\": \"q\", \"a\": {list}, \"c\": {list}}}")).unwrap();
    let laser_example::Target::Choose(choice) = &task.examples[0].target else { panic!("no choice") };
    assert_eq!((choice.right().count(), choice.right().last()), (100_000, Some(99_999)));
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}

#[test]
fn the_model_settles_what_depends_on_its_tokenizer() {
    let text = "doc_to_text: q\ndoc_to_target: a\nmax_answer_tokens: 3\ngeneration_kwargs: {max_gen_toks: 1, max_gen_toks_sentencepiece: 7}";
    let task = yaml(
        &with_data(text),
        r#"{"q": "a", "a": "abc"}
{"q": "b", "a": "abcd"}"#,
    )
    .unwrap();
    let tokens = |example: &Example| example.answer().len();
    for (sentencepiece, expected) in [(false, 1), (true, 7)] {
        let settled = task.for_tokenizer(sentencepiece, tokens).unwrap();
        let found: Vec<(&str, usize)> = settled.examples.iter().map(|e| (e.answer(), e.new_tokens())).collect();
        assert_eq!(found, [("abc", expected)]);
        assert_eq!(settled, settled.for_tokenizer(!sentencepiece, |_| 99).unwrap());
    }
    let error = task.for_tokenizer(false, |_| 4).unwrap_err().to_string();
    assert_eq!(error, "t: no example is left: every answer has more than 3 of the model's tokens");
}

//! YAML task files as a user writes them, good and bad.

mod support;

use std::fs;

use laser_example::{Choice, Dialogue, ExactMatch, Example, Generation, Matching, Speaker, Target};
use laser_tasks::{OpenOptions, Task};
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
        "fact: no such task: give a .yaml, .jsonl, .json, .csv, .tsv or .parquet file, or a built-in task (facts, counterfact, hotpotqa, fever, bios_gender, bios_profession, truthfulqa, epistemic_reasoning, qa_wikidata, causal_judgment, web_of_lies)"
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
            behind("Answer the question.\n", example("0", "3", "Q: Who?\nA:", exactly(&["Ada", "A. L."], 3))),
            behind("Answer the riddle.\n", example("2", "t", "Q: What?\nA:", exactly(&["It"], 3))),
        ]
    );
}

/// The same behind a description.
fn behind(description: &str, example: Example) -> Example {
    let mut system = Dialogue::default();
    system.say(Speaker::System, description, "");
    example.behind(&system)
}

/// Right where the generation is an answer.
fn exactly(answers: &[&str], max_new_tokens: usize) -> Target {
    let Target::Generate(plain) = generate(answers, max_new_tokens) else { panic!("no generation") };
    Target::Generate(Generation { matching: Matching::Exact(ExactMatch::default()), ..plain })
}

#[test]
fn yaml_without_the_optional_keys() {
    let text = with_data("doc_to_text: \"{{q}} \\n\"\ndoc_to_target: \"{{x}} and {{y}}\"");
    let task = yaml(&text, r#"{"q": "1 + 1 =", "x": 2, "y": "two"}"#).unwrap();
    assert_eq!(task.name, "t");
    // lm-evaluation-harness generates up to 256 tokens, to the first empty line.
    let Target::Generate(plain) = exactly(&["2 and two"], 256) else { panic!("no generation") };
    let target = Target::Generate(Generation { until: vec!["\n\n".into()], ..plain });
    assert_eq!(task.examples, [example("0", "0", "1 + 1 = \n", target)]);
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
    assert_eq!(target("[yes, \"{{t}}\"]", "i"), Ok(choose(&["yes", "{{t}}"], 1)));
    // A field's text is a choice, a template's digits an index.
    assert_eq!(target("d", "s"), Ok(choose(&["1", "0"], 0)));
    assert_eq!(target("d", "\"{{s}}\""), Ok(choose(&["1", "0"], 1)));
    assert_eq!(target("[a]", "0"), Ok(choose(&["a"], 0)));
    assert_eq!(target("{x: a, y: 2}", "1"), Ok(choose(&["a", "2"], 1)));
    assert_eq!(target("\"['p', 'q']\"", "i"), Ok(choose(&["p", "q"], 1)));
    assert_eq!(target("c", "true"), Ok(choose(&["x", "y"], 1)), "a boolean label");
    let with = |change: &dyn Fn(&mut Choice)| {
        let mut choice = Choice::new(vec!["x".into(), "y".into()], &[0]).unwrap();
        change(&mut choice);
        Ok(Target::Choose(choice))
    };
    // No right one: lm-evaluation-harness scores it as wrong.
    for answer in ["q", "2", "\"{{i - 2}}\""] {
        assert_eq!(target("c", answer), with(&|choice| choice.none_right = true), "{answer}");
    }
    assert_eq!(target("c", "c"), with(&|choice| choice.also_correct = vec![1]));
    assert_eq!(target("c", "[1, 0]"), with(&|choice| (choice.correct, choice.also_correct) = (1, vec![0])));
    for (choice, answer, expected) in [
        ("q", "i", "`doc_to_choice` is text: write a list of texts, such as {{[a, b]}} or a field that is one"),
        ("z", "i", "`doc_to_choice` is an object: write a list of texts, such as {{[a, b]}} or a field that is one"),
        ("none", "i", "`doc_to_choice` is not a list: `none`: write one, such as {{[a, b]}}, or a field that is one"),
        ("\"{{[]}}\"", "i", "the list of choices is empty: write at least one choice or leave the row out"),
    ] {
        assert_eq!(target(choice, answer).unwrap_err(), format!("d.jsonl:1: {expected}"));
    }
}

#[test]
fn choices_may_be_the_questions() {
    let text = "output_type: multiple_choice\ndoc_to_text: i\ndoc_to_choice: c\ndoc_to_target: e\n";
    let row = r#"{"i": 1, "c": ["He sat", "She sat"], "e": "down."}"#;
    let task = yaml(&with_data(text), row).unwrap();
    let Target::Choose(choice) = &task.examples[0].target else { panic!("no choice") };
    assert_eq!((task.examples[0].prompt.as_str(), choice.correct, choice.ending.as_deref()), ("", 1, Some("down.")));
    let error = yaml(&with_data(&format!("{text}gen_prefix: x")), row).unwrap_err();
    assert!(error.contains("`doc_to_text` is a number"), "{error}");
}

#[test]
fn a_prefix_stands_between_question_and_answer() {
    let keys = "doc_to_text: q\ndoc_to_target: a\ngen_prefix: \"So {{p}}\"\nnum_fewshot: 1\nfewshot_config: {sampler: first_n}\n";
    let rows = r#"{"q": "one ", "a": "1", "p": "it is"}
{"q": "two", "a": "2", "p": "it is"}"#;
    let task = yaml(&with_data(keys), rows).unwrap();
    assert_eq!(task.examples[0].prompt, "two So it is 2\n\none So it is");
    assert_eq!(task.examples[1].prompt, "one So it is 1\n\ntwo So it is");
}

#[test]
fn each_turn_of_a_chat_is_known() {
    let keys = "description: \"Think.\\n\"\ndoc_to_text: q\ndoc_to_target: a\ngen_prefix: So\nnum_fewshot: 1\nfewshot_config: {sampler: first_n}\n";
    let rows = "{\"q\": \"one\", \"a\": \"1\"}\n{\"q\": \"two \", \"a\": \"2\"}";
    let said = |keys: &str, number: usize| -> Vec<(Speaker, String, String)> {
        let task = yaml(&with_data(keys), rows).unwrap();
        let message = |it: laser_example::Message| (it.speaker, it.content.to_owned(), it.delimiter.to_owned());
        task.examples[number].messages().into_iter().map(message).collect()
    };
    let turn = |speaker, content: &str, delimiter: &str| (speaker, content.to_owned(), delimiter.to_owned());
    let expected = [
        turn(Speaker::System, "Think.\n", ""),
        turn(Speaker::User, "two ", ""),
        turn(Speaker::Assistant, "So 2", "\n\n"),
        turn(Speaker::User, "one", " "),
        turn(Speaker::Assistant, "So", ""),
    ];
    assert_eq!(said(keys, 0), expected);
    let plain = keys.replace("gen_prefix: So\n", "").replace("description: \"Think.\\n\"\n", "");
    let expected =
        [turn(Speaker::User, "one", " "), turn(Speaker::Assistant, "1", "\n\n"), turn(Speaker::User, "two ", "")];
    assert_eq!(said(&plain, 1), expected);
    let alone = plain.replace("num_fewshot: 1\nfewshot_config: {sampler: first_n}\n", "");
    assert_eq!(said(&alone, 1), [turn(Speaker::User, "two ", "")]);
    assert!(yaml(&with_data(&alone), rows).unwrap().examples[1].turns.is_empty());
}

#[test]
fn solved_examples_may_be_written_in_the_file_and_in_their_own_way() {
    let keys = "doc_to_text: \"Q: {{q}}\"\ndoc_to_target: a\nnum_fewshot: 2\nfewshot_delimiter: ;\n\
                fewshot_config:\n  sampler: first_n\n  samples: [{q: s, a: t}, {q: u, a: v}]\n  doc_to_text: \"{{q}}?\"\n  target_delimiter: \"=\"\n";
    let task = yaml(&with_data(keys), r#"{"q": "one", "a": "1"}"#).unwrap();
    assert_eq!(task.examples[0].prompt, "s?=t;u?=v;Q: one");
}

#[test]
fn a_text_scored_by_itself_has_no_prompt() {
    let text = with_data("output_type: loglikelihood_rolling\ndoc_to_text: \"\"\ndoc_to_target: \"{{q}}\"");
    let task = yaml(&text, r#"{"q": " a b"}"#).unwrap();
    assert_eq!(
        task.examples,
        [Example { delimiter: " ".into(), ..example("0", "0", "", Target::Rolling { text: " a b".into() }) }]
    );
}

#[test]
fn filters_stand_before_the_comparison_and_the_first_pipeline_decides() {
    let keys = r#"
doc_to_text: q
doc_to_target: a
filter_list:
  - name: strict
    filter: [{function: regex, regex_pattern: '#### (\d+)'}, {function: take_first}]
  - name: flexible
    filter: [{function: regex, regex_pattern: '\d+', group_select: -1}, {function: take_first}]
metric_list: [{metric: exact_match, regexes_to_ignore: [","]}, {metric: contains}]
"#;
    let row = r#"{"q": "q", "a": "1,200"}"#;
    let generation = |metric| {
        let folder = folder(&[("t.yaml", with_data(keys).as_bytes()), ("d.jsonl", row.as_bytes())]);
        let path = folder.path().join("t.yaml").display().to_string();
        let task = Task::open_with(&path, &OpenOptions { metric, ..OpenOptions::default() });
        task.map(|mut task| match task.examples.remove(0).target {
            Target::Generate(generation) => (generation, task.metrics),
            _ => panic!("no generation"),
        })
    };
    let (strict, metrics) = generation(None).unwrap();
    assert_eq!((metrics.metrics.len(), metrics.pipelines.len()), (2, 2));
    assert!(strict.is_correct("#### 1200").unwrap() && !strict.is_correct("so 1200").unwrap());
    let (flexible, _) = generation(Some("exact_match,flexible")).unwrap();
    assert!(flexible.is_correct("5 and 1200.").unwrap() && !flexible.is_correct("1200 and 5").unwrap());
    assert_eq!(generation(Some("contains")).unwrap().0.matching, Matching::Contains);
    let error = generation(Some("exact_match,other")).unwrap_err().to_string();
    assert!(error.ends_with("choose of exact_match, contains, and of the filters strict, flexible"), "{error}");
}

#[test]
fn a_filter_that_cannot_be_applied_is_named() {
    for (filter, expected) in [
        ("{function: custom, filter_fn: x}", "it is code of Python, which is not run; take it out"),
        ("{function: shuffle}", "the filters are regex, regex_pos"),
        ("{function: lowercase, k: 2}", "it has no `k`; take that out"),
        ("{function: take_first}, {function: lowercase}", "`take_first` goes behind it"),
        ("{function: take_first_k, k: 2}", "there are not so many generations; raise `repeats`"),
        ("{function: regex, regex_pattern: \"(\"}", "write it in another way"),
        ("{function: regex, regex_pattern: \"\\\\N{DASH}\"}", "\\N is not supported here"),
    ] {
        let keys = format!("doc_to_text: q\ndoc_to_target: a\nfilter_list: [{{name: n, filter: [{filter}]}}]");
        let error = yaml(&with_data(&keys), NUMBERS).unwrap_err();
        assert!(error.contains(expected) && error.contains("filter_list") && !error.contains('\n'), "{error}");
    }
    let keys = "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_target: 0\ndoc_to_choice: [A]\nfilter_list: [{name: n, filter: [{function: FILTER}]}]";
    assert!(yaml(&with_data(&keys.replace("FILTER", "take_first")), NUMBERS).is_ok());
    assert!(yaml(&with_data(&keys.replace("FILTER", "lowercase")), NUMBERS).unwrap_err().contains("generated texts"));
}

#[test]
fn keys_that_metrics_and_filters_do_not_have_are_named() {
    let choose = "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_target: 0\ndoc_to_choice: [A]\n";
    for (keys, expected) in [
        (
            "metric_list: [{metric: acc, agregation: mean}]",
            "`metric_list.agregation: ...` is not supported: the keys are metric, aggregation",
        ),
        ("metric_list: [{metric: f1, averge: macro}]", "`metric_list.averge: ...`"),
        (
            "filter_list: [{name: n, filters: [{function: take_first}]}]",
            "`filter_list: ...` is not supported: write a list of pipelines",
        ),
        ("filter_list: [{name: n, filter: [{function: take_first}], nmae: m}]", "`filter_list: ...`"),
    ] {
        let error = yaml(&with_data(&format!("{choose}{keys}")), NUMBERS).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let known = "metric_list: [{metric: acc, ignore_case: true, average: macro, higher_is_better: true}]";
    assert!(yaml(&with_data(&format!("{choose}{known}")), NUMBERS).is_ok());
}

#[test]
fn what_changes_nothing_is_a_note() {
    let keys = "doc_to_text: qustion\ndoc_to_target: a\nrepeats: 3\ngeneration_kwargs: {do_sample: true, temperature: 0, top_p: 0.9, num_beams: 1}\nmetric_list: [{metric: bleu}, {metric: exact_match}]\n";
    let task = yaml(&with_data(keys), r#"{"question": "q", "a": "a"}"#).unwrap();
    for (note, part) in task.notes.iter().zip(["greedy", "repeats: 3", "`bleu`", "did you mean the field `question`"]) {
        assert!(note.contains(part), "{note}");
    }
    assert_eq!(task.notes.len(), 4);
    let none = yaml(
        &with_data("output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [A, B]\ndoc_to_target: 2"),
        r#"{"q": "q"}"#,
    );
    assert!(none.unwrap().notes[0].starts_with("1 of 1 answers are none of their choices"));
}

#[test]
fn yaml_log_likelihood() {
    let glued = with_data("output_type: loglikelihood\ndoc_to_text: q\ndoc_to_target: a");
    let notes = yaml(&glued, r#"{"q": "a", "a": "b c"}"#).unwrap().notes;
    assert!(notes[0].starts_with("nothing stands between prompt and answer"), "{notes:?}");
    let text = with_data("output_type: loglikelihood\ndoc_to_text: q\ndoc_to_target: \" {{a}}\"");
    let task = yaml(&text, r#"{"q": "a", "a": "b c"}"#).unwrap();
    assert!(task.notes.is_empty());
    let target = Target::LogLikelihood { answer: " b c".into() };
    assert_eq!(task.examples, [Example { delimiter: String::new(), ..example("0", "0", "a", target) }]);
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
            "t.yaml:3: dataset_kwargs: unknown key `x`, expected one of `data_files`, `trust_remote_code`, `streaming`, `verification_mode`, `download_mode`, `cache_dir`, `keep_in_memory`, `num_proc`, `token`: correct it or take it out",
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

const NUMBERS: &str = r#"{"q": "1+1", "a": "2", "l": "x"}
{"q": "1+2", "a": "3", "l": "y"}
{"q": "2+2", "a": "4", "l": "x"}
{"q": "2+3", "a": "5", "l": "y"}"#;

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

#[test]
fn yaml_reaches_into_nested_columns() {
    let text = "
dataset_kwargs: {data_files: d.parquet}
output_type: multiple_choice
doc_to_text: question
doc_to_choice: \"{{mc2_targets.choices}}\"
doc_to_target: \"{{mc2_targets.labels[0] * 0 + 1}}\"
";
    let of = |data: &[u8]| open(folder(&[("t.yaml", text.as_bytes()), ("d.parquet", data)]).path(), "t.yaml");
    assert_eq!(
        of(include_bytes!("fixtures/data/mc2.parquet")).unwrap().examples,
        [
            example("0", "0", "What is up?", choose(&["the sky", "the floor"], 1)),
            example("1", "1", "What is down?", choose(&["a cloud", "a bird", "the sea"], 1)),
        ]
    );
    assert_eq!(
        of(NESTED).unwrap_err(),
        "d.parquet: record 2: `doc_to_choice` is not a list: `['a', None, 'c']`: write one, such as {{[a, b]}}, or a field that is one"
    );
}

const NESTED: &[u8] = include_bytes!("fixtures/data/nested.parquet");

#[test]
fn a_generation_ends_where_the_next_solved_example_would_begin() {
    let until = |keys: &str| {
        let task = yaml(&with_data(&format!("doc_to_text: q\ndoc_to_target: a\n{keys}")), NUMBERS).unwrap();
        match &task.examples[0].target {
            Target::Generate(generation) => generation.until.clone(),
            _ => panic!("no generation"),
        }
    };
    assert_eq!(until(""), ["\n\n"]);
    assert!(until("generation_kwargs: {until: []}").is_empty());
    assert_eq!(until("num_fewshot: 1"), ["\n\n"]);
    assert_eq!(until("num_fewshot: 1\nfewshot_delimiter: ;"), [";"]);
    assert_eq!(until("metric_list: [{metric: exact_match}]"), ["\n\n"]);
    assert_eq!(until("num_fewshot: 1\ngeneration_kwargs: {until: [x, y]}"), ["x", "y"]);
}

#[test]
fn whitespace_of_texts_is_kept_and_the_delimiter_stands_before_it() {
    let row = r#"{"q": "a", "b": "b ", "c": [" x", "y "], "t": " x"}"#;
    let continuation = |keys: &str| {
        let example = yaml(&with_data(keys), row).unwrap().examples.remove(0);
        (example.prompt.clone(), example.continuation(example.answer()))
    };
    let both = |prompt: &str, text: &str| (prompt.to_owned(), text.to_owned());
    let choice = "output_type: multiple_choice\ndoc_to_text: b\ndoc_to_choice: c\ndoc_to_target: t\n";
    assert_eq!(continuation(choice), both("b ", "  x"));
    assert_eq!(continuation(&format!("{choice}target_delimiter: ''")), both("b ", " x"));
    let likelihood = "output_type: loglikelihood\ndoc_to_target: t\ndoc_to_text: b\n";
    assert_eq!(continuation(likelihood), both("b ", " x"));
}

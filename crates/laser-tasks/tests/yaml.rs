//! YAML task files as a user writes them: prompts, choices and answers.

mod support;

use laser_example::{Choice, Dialogue, ExactMatch, Example, Generation, Matching, Speaker, Target};
use support::*;

const NUMBERS: &str = r#"{"q": "1+1", "a": "2", "l": "x"}
{"q": "1+2", "a": "3", "l": "y"}
{"q": "2+2", "a": "4", "l": "x"}
{"q": "2+3", "a": "5", "l": "y"}"#;

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

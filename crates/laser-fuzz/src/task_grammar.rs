//! Task files and rows of data by their own rules.

use serde_json::{Value, json};

use crate::{
    choices::Choices,
    json_change,
    sections::{joined, parts},
    template_grammar,
};

const TEXT_KEYS: &[&str] = &[
    "doc_to_text",
    "doc_to_target",
    "doc_to_choice",
    "doc_to_group",
    "description",
    "gen_prefix",
    "where",
    "distinct",
    "target_delimiter",
    "fewshot_delimiter",
    "task",
    "test_split",
    "fewshot_split",
    "training_split",
    "dataset_path",
];
const OUTPUT_TYPES: &[&str] = &["multiple_choice", "generate_until", "loglikelihood", "loglikelihood_rolling", "none"];
const METRICS: &[&str] =
    &["acc", "acc_norm", "exact_match", "f1", "bleu", "rouge", "perplexity", "word_perplexity", "mcc"];
const FILTERS: &[&str] = &[
    "regex",
    "take_first",
    "remove_whitespace",
    "lowercase",
    "uppercase",
    "map",
    "multi_choice_regex",
    "take_first_k",
    "majority_vote",
];

/// A task file with its data: written anew, or an old one with some parts changed.
pub(crate) fn task(input: &[u8], choices: &mut Choices) -> Vec<u8> {
    let mut files = parts(input);
    if files.is_empty() || choices.once_in(2) {
        files = vec![("task.yaml".to_owned(), yaml(choices).into_bytes()), ("data.jsonl".to_owned(), rows(choices))];
        if choices.once_in(6) {
            files.push(("other.yaml".to_owned(), yaml(choices).into_bytes()));
        }
        return joined(&files);
    }
    for (name, content) in &mut files {
        if name.ends_with(".yaml") && choices.once_in(2) {
            let text = String::from_utf8_lossy(content);
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let at = choices.below(lines.len() + 1);
            match choices.below(3) {
                0 if at < lines.len() => drop(lines.remove(at)),
                1 if at < lines.len() => lines[at] = key(choices),
                _ => lines.insert(at, key(choices)),
            }
            *content = lines.join("\n").into_bytes();
        } else if choices.once_in(2) {
            *content = json_change::changed_text(content, choices);
        }
    }
    joined(&files)
}

/// Rows as JSON lines, one JSON text, CSV or TSV.
pub(crate) fn data(input: &[u8], choices: &mut Choices) -> Vec<u8> {
    match choices.below(6) {
        0 => json_change::changed_text(input, choices),
        1 => {
            let lines = rows(choices);
            let list: Vec<Value> =
                lines.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
            json!({*choices.pick(&["data", "rows", "examples", "x"]): list}).to_string().into_bytes()
        }
        2 | 3 => {
            let mark = *choices.pick(&[",", "\t"]);
            let columns = ["prompt", "answer", "choices", "group"];
            let mut lines = vec![columns.join(mark)];
            for _ in 0..choices.below(6) {
                let value = |choices: &mut Choices| match choices.below(4) {
                    0 => format!("\"{}\"", choices.text().replace('"', "\"\"")),
                    1 => "\"[\"\"a\"\", \"\"b\"\"]\"".to_owned(),
                    2 => choices.text(),
                    _ => choices.integer().to_string(),
                };
                let count = if choices.once_in(6) { choices.below(6) } else { columns.len() };
                lines.push((0..count).map(|_| value(choices)).collect::<Vec<_>>().join(mark));
            }
            lines.join("\n").into_bytes()
        }
        _ => rows(choices),
    }
}

fn rows(choices: &mut Choices) -> Vec<u8> {
    let mut lines = Vec::new();
    for index in 0..choices.below(7) {
        let mut row = json!({
            "prompt": "2 + 2 =", "question": "What?", "answer": "a", "choices": ["a", "b", "c"], "label": index % 3,
            "id": index, "group": index / 2, "answers": ["a", "aa"],
        });
        match choices.below(4) {
            0 => drop(row.as_object_mut().and_then(|row| row.remove("choices"))),
            1 => drop(row.as_object_mut().and_then(|row| row.remove("answer"))),
            2 => json_change::change(&mut row, choices),
            _ => {}
        }
        lines.push(row.to_string());
    }
    lines.join("\n").into_bytes()
}

fn yaml(choices: &mut Choices) -> String {
    let output = *choices.pick(OUTPUT_TYPES);
    let choice = if output == "multiple_choice" { "doc_to_choice: choices\n" } else { "" };
    let mut text = format!(
        "task: t\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: data.jsonl\ntest_split: test\n\
         output_type: {output}\ndoc_to_text: '{{{{question}}}}'\ndoc_to_target: {}\n{choice}",
        choices.pick(&["answer", "label", "'{{answer}}'", "'{{choices[label]}}'"]),
    );
    for _ in 0..choices.below(4) {
        text += &key(choices);
        text.push('\n');
    }
    text
}

/// A line or several: a key with its value.
fn key(choices: &mut Choices) -> String {
    match choices.below(14) {
        0..=4 => format!("{}: {}", choices.pick(TEXT_KEYS), scalar(choices)),
        5 => format!("num_fewshot: {}", choices.integer()),
        6 => format!(
            "fewshot_config: {{sampler: {}, {}: {}}}",
            choices.pick(&["first_n", "default"]),
            choices.pick(TEXT_KEYS),
            scalar(choices)
        ),
        7 => format!(
            "metric_list:\n  - metric: {}\n    aggregation: {}\n    higher_is_better: true\n    {}: {}",
            choices.pick(METRICS),
            choices.pick(&["mean", "median", "perplexity", "bits_per_byte"]),
            choices.pick(&["ignore_case", "ignore_punctuation", "regexes_to_ignore", "x"]),
            scalar(choices)
        ),
        8 => format!(
            "filter_list:\n  - name: f\n    filter:\n      - function: {}\n        regex_pattern: {}\n        group_select: {}\n      - function: {}",
            choices.pick(FILTERS),
            scalar(choices),
            choices.integer(),
            choices.pick(FILTERS)
        ),
        9 => format!(
            "generation_kwargs:\n  until: [{}]\n  max_gen_toks: {}\n  temperature: {}",
            scalar(choices),
            choices.integer(),
            choices.below(2)
        ),
        10 => format!("include: {}", choices.pick(&["other.yaml", "task.yaml", "missing.yaml", "../x.yaml", "."])),
        11 => format!("expand:\n  one: {}\n  two: {}", scalar(choices), scalar(choices)),
        12 => format!("group: g\n{}: [t, {}]", choices.pick(&["task", "tag"]), scalar(choices)),
        _ => {
            let (times, (open, close)) = (
                choices.times().min(4000),
                *choices.pick(&[("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", ""), ("&a [*a, ", "]"), ("!x ", "")]),
            );
            format!("metadata: {}1{}", open.repeat(times), close.repeat(times))
        }
    }
}

fn scalar(choices: &mut Choices) -> String {
    let quoted = |text: String| Value::from(text).to_string();
    match choices.below(7) {
        0 => quoted(choices.text()),
        1 | 2 => quoted(template_grammar::block(choices)),
        3 => quoted(format!("{{{{ {} }}}}", template_grammar::expression(choices))),
        4 => choices.integer().to_string(),
        5 => (*choices.pick(&[
            "question",
            "answer",
            "choices",
            "label",
            "null",
            "[a, b]",
            "{a: b}",
            "!function utils.f",
            "*a",
            "data.jsonl",
        ]))
        .to_owned(),
        _ => quoted(String::from_utf8_lossy(&crate::pattern_grammar::pattern(&[], choices)).into_owned()),
    }
}

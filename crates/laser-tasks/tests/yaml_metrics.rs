//! Metrics and filters of YAML task files.

mod support;

use laser_example::{Matching, Target};
use laser_tasks::{OpenOptions, Task};
use support::*;

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

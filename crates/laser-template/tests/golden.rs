//! What Jinja2 of lm-evaluation-harness and of transformers rendered (`interop/templates.py` wrote the files), to the
//! byte.

use laser_template::{Dialect, Environment};
use serde_json::Value;

fn cases(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

/// Renders all cases; what differs is told, case by case.
fn check(dialect: Dialect, text: &str) {
    let environment = Environment::new(dialect);
    let mut wrong = Vec::new();
    let cases = cases(text);
    for case in &cases {
        let (template, row) = (case["template"].as_str().unwrap(), case["row"].as_object().unwrap());
        let ours = environment.template(template).and_then(|template| template.render(row));
        match (case.get("text").and_then(Value::as_str), &ours) {
            (Some(right), Ok(text)) if right == text => {}
            (None, Err(error)) => assert!(!error.to_string().contains('\n'), "{error}"),
            (right, _) => wrong.push(format!("{template}\n  right {right:?} {}\n  ours  {ours:?}", case["error"])),
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn task_files_render_as_in_the_harness() {
    check(Dialect::Task, include_str!("golden/task.json"));
}

#[test]
fn chat_templates_render_as_in_transformers() {
    check(Dialect::Chat, include_str!("golden/chat.json"));
}

#[test]
fn the_templates_that_the_harness_ships_render_as_there() {
    check(Dialect::Task, include_str!("golden/lm_eval.json"));
}

#[test]
fn literals_read_as_python_reads_them() {
    for case in cases(include_str!("golden/literals.json")) {
        let text = case["text"].as_str().unwrap();
        let ours = laser_template::literal(text).and_then(|value| value.to_str());
        match case.get("value").and_then(Value::as_str) {
            Some(right) => assert_eq!(ours.as_deref(), Ok(right), "{text}"),
            None => assert!(ours.is_err(), "{text}: {ours:?}"),
        }
    }
}

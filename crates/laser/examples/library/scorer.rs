//! A scorer of one's own: a `Judge` says what the model's answers are worth. Here a wrong letter is worth half a point if it
//! is a vowel where a vowel was right, or a consonant where one was.

use laser::engine::{Answer, Judge, Request};
use laser::run::{ResultKind, ScorerError};
use laser::tasks::Task;
use laser::{DemoFiles, Judging, ReadTask, SearchPlan, Session, TaskSource};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The right letter of each example, by its id.
struct Letters(HashMap<String, String>);

impl Judge for Letters {
    fn judge(&self, id: &str, answers: &[Answer]) -> Result<f64, ScorerError> {
        let is_vowel = |letter: &str| "aeiouy".contains(letter);
        match (self.0.get(id), answers) {
            (Some(right), [Answer::Text(text)]) if text.trim() == right => Ok(1.0),
            (Some(right), [Answer::Text(text)]) => Ok(if is_vowel(text.trim()) == is_vowel(right) { 0.5 } else { 0.0 }),
            _ => Err(format!("{id}: one generated text was asked for").into()),
        }
    }
}

pub fn run(demo: &DemoFiles, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let source = TaskSource { limit: Some(200), ..demo.task.display().to_string().into() };
    let task = Task::open(&source.spec)?;
    let ask = |prompt: &String| Request::Generate { context: prompt.clone(), until: Vec::new(), max_new_tokens: 1 };
    let requests = task.examples.iter().map(|it| (it.id.clone(), vec![ask(&it.prompt)])).collect();
    let right = task.examples.iter().map(|it| (it.id.clone(), it.answer().to_owned())).collect();
    let judging = Judging {
        kind: ResultKind::Bounded { low: 0.0, high: 1.0 },
        judge: Arc::new(Letters(right)),
        requests: Arc::new(requests),
        rule: "half a point for the kind of letter".to_owned(),
    };

    let session = Session::open(demo.model.as_path())?;
    let task = session.settle(&ReadTask { task, judging: Some(judging) }, &source)?;
    let plan = SearchPlan { matrices: vec!["fc_in".parse()?], ..SearchPlan::default() };
    let found = session.search(&task, &plan, folder.join("scorer"))?;
    println!("{}", found.text());
    Ok(())
}

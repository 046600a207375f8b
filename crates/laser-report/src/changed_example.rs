//! Examples whose result an edit changes.

use laser_example::Example;
use laser_run::Entry;
use serde::Serialize;

/// One test example before and after the edit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedExample {
    /// Whether the edited model's result is the better one.
    pub gained: bool,
    /// The example.
    pub id: String,
    /// Its prompt.
    pub prompt: String,
    /// The right answer.
    pub answer: String,
    /// What the unedited model generates or chooses, where that is known.
    pub before: Option<String>,
    /// What the edited model generates or chooses.
    pub after: Option<String>,
    /// Log-loss of the edited model less that of the base, nats per token.
    pub log_loss_change: f64,
}

impl ChangedExample {
    /// All of them, in the order of the examples. Both entries are over all `examples`.
    pub fn all(examples: &[Example], base: &Entry, edited: &Entry) -> Vec<Self> {
        let said = |entry: &Entry, i: usize| entry.records.as_ref()?.get(i)?.answer_given(&examples[i]);
        let results = base.values().into_iter().zip(edited.values()).enumerate();
        let turned = results.filter(|(_, (before, after))| before != after);
        let change = |(i, (before, after)): (usize, (f64, f64))| Self {
            gained: after > before,
            id: examples[i].id.clone(),
            prompt: examples[i].prompt.clone(),
            answer: examples[i].answer().to_owned(),
            before: said(base, i),
            after: said(edited, i),
            log_loss_change: edited.log_loss[i] - base.log_loss[i],
        };
        turned.map(change).collect()
    }
}

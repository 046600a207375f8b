//! Answers that the edit turned.

use crate::journal::Entry;
use laser_run::Record;
use laser_tasks::{Example, Target};
use serde::{Deserialize, Serialize};

/// So many of each kind are shown.
const SHOWN: usize = 5;

/// Some of the test examples whose outcome changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Changes {
    /// Wrong before, right after: of all of them, some at equal distances.
    pub gained: Vec<Changed>,
    /// Right before, wrong after.
    pub lost: Vec<Changed>,
}

/// One example before and after the edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// The example.
    pub id: String,
    /// Its prompt.
    pub prompt: String,
    /// The right answer.
    pub answer: String,
    /// What the base generates or chooses, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What the edited model generates or chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Changes {
    pub(super) fn of(test: &[&Example], base: (&Entry, &[Record]), edited: (&Entry, &[Record])) -> Self {
        let turned: Vec<(usize, bool)> = (base.0.hits().zip(edited.0.hits()).enumerate())
            .filter(|(_, (before, after))| before != after)
            .map(|(i, (_, after))| (i, after))
            .collect();
        let some = |gained: bool| {
            let all: Vec<usize> = turned.iter().filter(|(_, after)| *after == gained).map(|&(i, _)| i).collect();
            let shown = all.len().min(SHOWN);
            (0..shown)
                .map(|k| all[k * all.len() / shown])
                .map(|i| Changed {
                    id: test[i].id.clone(),
                    prompt: test[i].prompt.clone(),
                    answer: test[i].answer().to_owned(),
                    before: said(test[i], &base.1[i]),
                    after: said(test[i], &edited.1[i]),
                })
                .collect()
        };
        Self { gained: some(true), lost: some(false) }
    }
}

/// What a model says to an example.
fn said(example: &Example, record: &Record) -> Option<String> {
    match &example.target {
        Target::Generate(_) => record.generation.clone(),
        Target::Choose(choice) => {
            let logprobs = record.choice_logprobs.as_ref()?;
            choice.choices.get(choice.predicted(logprobs)).cloned()
        }
        Target::LogLikelihood { .. } => None,
    }
}

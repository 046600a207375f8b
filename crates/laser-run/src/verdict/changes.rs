//! Answers that the edit turned.

use crate::entry::Entry;
use laser_example::Example;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// So many of each kind are shown.
const SHOWN: usize = 5;

/// Some of the test examples whose outcome changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// Wrong before, right after (or with a greater result): of all of them, some at equal distances.
    pub gained: Vec<Changed>,
    /// Right before, wrong after (or with a smaller result).
    pub lost: Vec<Changed>,
}

/// One example before and after the edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    pub(super) fn of(test: &[&Example], base: &Entry, edited: &Entry) -> Self {
        let turned: Vec<(usize, bool)> = (base.values().into_iter().zip(edited.values()).enumerate())
            .filter(|(_, (before, after))| before != after)
            .map(|(i, (before, after))| (i, after > before))
            .collect();
        let said =
            |entry: &Entry, i: usize| entry.records.as_ref().and_then(|records| records.get(i)?.answer_given(test[i]));
        let some = |gained: bool| {
            let all: Vec<usize> = turned.iter().filter(|(_, after)| *after == gained).map(|&(i, _)| i).collect();
            let shown = all.len().min(SHOWN);
            (0..shown)
                .map(|k| all[k * all.len() / shown])
                .map(|i| Changed {
                    id: test[i].id.clone(),
                    prompt: test[i].prompt.clone(),
                    answer: test[i].answer().to_owned(),
                    before: said(base, i),
                    after: said(edited, i),
                })
                .collect()
        };
        Self { gained: some(true), lost: some(false) }
    }
}

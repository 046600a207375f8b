//! What is scored: a set of interventions.

use std::cmp::Ordering;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{EditError, Intervention, Result};

/// A set of interventions on different matrices, in canonical order; the empty set is the unedited model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Intervention>", into = "Vec<Intervention>")]
pub struct Candidate(Vec<Intervention>);

impl TryFrom<Vec<Intervention>> for Candidate {
    type Error = EditError;

    fn try_from(interventions: Vec<Intervention>) -> Result<Self> {
        Self::new(interventions)
    }
}

impl From<Candidate> for Vec<Intervention> {
    fn from(candidate: Candidate) -> Self {
        candidate.0
    }
}

impl Candidate {
    /// The unedited model.
    pub fn base() -> Self {
        Self::default()
    }

    /// A candidate of `interventions`.
    ///
    /// # Errors
    /// If two of them edit the same matrix.
    pub fn new(interventions: impl IntoIterator<Item = Intervention>) -> Result<Self> {
        Ok(Self(Intervention::combine(interventions)?))
    }

    /// The interventions, ordered by layer and matrix.
    pub fn interventions(&self) -> &[Intervention] {
        &self.0
    }

    /// The edited layers, ascending; one with several edits comes as often.
    pub fn layers(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|intervention| intervention.layer)
    }

    /// Which of two that are worth the same comes first, whatever order they were found in: the one
    /// of fewer edits, then of lower layers and matrices, then of the larger number, as written.
    pub fn precedence(&self, other: &Self) -> Ordering {
        let places = |it: &Self| it.0.iter().map(|edit| (edit.layer, edit.matrix)).collect::<Vec<_>>();
        let texts = |it: &Self| it.0.iter().map(|edit| edit.edit.to_string()).collect::<Vec<_>>();
        let by_place = self.0.len().cmp(&other.0.len()).then_with(|| places(self).cmp(&places(other)));
        by_place.then_with(|| texts(other).cmp(&texts(self)))
    }

    /// The lowest edited layer: everything below it is as in the unedited model. `layers` for the base.
    pub fn first_edited_layer(&self, layers: usize) -> usize {
        self.layers().min().unwrap_or(layers)
    }
}

/// The interventions' text forms, or `base`.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("base");
        }
        for (i, intervention) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { " " };
            write!(f, "{separator}{intervention}")?;
        }
        Ok(())
    }
}

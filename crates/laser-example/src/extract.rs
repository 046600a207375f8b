//! What a regular expression finds in a generated text.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ExampleError;
use laser_python::PythonRegex;
use laser_python::text::strip;

/// What a pattern finds in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Extract {
    /// The pattern. If it has groups, what the first of them that is not empty has found.
    #[schemars(with = "String")]
    pub pattern: PythonRegex,
    /// Which of the matches, from 0, or from -1 backwards.
    pub select: i64,
    /// What there is if nothing is found.
    pub fallback: String,
}

impl Extract {
    /// What is found, without whitespace around it: within, none where all of several groups are empty.
    pub(crate) fn found(&self, text: &str) -> Result<Option<Option<String>>, ExampleError> {
        let all = self.pattern.find_all(text)?;
        let place = match usize::try_from(self.select) {
            Ok(place) => Some(place),
            Err(_) => all.len().checked_sub(self.select.unsigned_abs() as usize),
        };
        let Some(groups) = place.and_then(|place| all.get(place)) else { return Ok(None) };
        let first = match groups.as_slice() {
            [only] => Some(only),
            several => several.iter().find(|group| !group.is_empty()),
        };
        Ok(Some(first.map(|group| strip(group).to_owned())))
    }
}

//! What is kept in files to which lines are only ever added.

use crate::expected_lines::ExpectedLines;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a file of lines holds.
pub trait Log: Default {
    /// A line.
    type Line: Serialize + DeserializeOwned;
    /// What a line is called.
    const NAME: &'static str;

    /// Adds a line; it stands for an earlier one of the same.
    fn push(&mut self, line: Self::Line);

    /// What is wrong with a line that was read back, if anything is: its parts contradict each other.
    fn flaw(line: &Self::Line) -> Option<&'static str>;

    /// What is wrong with the next line, sound in itself, as one of this search and after the lines before it.
    fn misfit(&self, line: &Self::Line, expected: &ExpectedLines) -> Option<String>;
}

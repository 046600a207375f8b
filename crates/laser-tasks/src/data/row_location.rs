//! Where a row stands.

/// Where a row stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLocation {
    /// A line of a text file, from 1.
    Line(usize),
    /// A record of a file where lines say nothing, from 1.
    Record(usize),
}

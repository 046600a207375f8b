//! What can be wrong with a level.

/// What is wrong with a level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Another number of rows.
    #[error("it has {0} rows, not 10")]
    Rows(usize),
    /// Another number of columns.
    #[error("row {0} has {1} characters, not 10")]
    Columns(usize, usize),
    /// An unknown character.
    #[error("row {0} has `{1}`, which is none of `# .$@*+` and the space")]
    Character(usize, char),
    /// Not one player.
    #[error("it has {0} players, not one")]
    Players(usize),
    /// The edge of the board is open.
    #[error("the edge of the board is not all wall")]
    Open,
    /// As many boxes as targets are needed, and at least one.
    #[error("it has {0} boxes and {1} targets: there must be as many, and at least one")]
    Boxes(usize, usize),
    /// More boxes than the planner's tables are made for.
    #[error("it has {0} boxes, more than {1}")]
    TooManyBoxes(usize, usize),
    /// Two things on one cell.
    #[error("two things are on one cell")]
    Overlap,
}

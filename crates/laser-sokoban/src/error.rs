//! What can be wrong with levels and episodes.

use crate::flaw::Flaw;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be wrong with levels and episodes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A level of a file has a flaw.
    #[error("level {level} (line {line}): {flaw}")]
    Level {
        /// Its number in the file, from 0.
        level: usize,
        /// The line of its first row, from 1.
        line: usize,
        /// What is wrong.
        flaw: Flaw,
    },
    /// A text without a level.
    #[error("it holds no level: levels are 10 rows of 10 characters, one of `# .$@*+` or a space each")]
    NoLevel,
    /// A letter that is no move.
    #[error("`{letter}` is not a move: moves are u, d, l and r")]
    MoveLetter {
        /// The letter.
        letter: char,
    },
    /// An episode that cannot be read.
    #[error("not an episode: {why}")]
    Episode {
        /// Why not.
        why: String,
    },
}

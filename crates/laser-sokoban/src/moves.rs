//! The four moves, which push whatever box they meet.

use crate::cells::SIDE;
use crate::error::{Error, Result};

/// A move of the player. The numbers are those of gym-sokoban's four pushes, less one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One column to the left.
    Left,
    /// One column to the right.
    Right,
}

impl Move {
    /// All moves, by number.
    pub const ALL: [Self; 4] = [Self::Up, Self::Down, Self::Left, Self::Right];

    /// The cell that lies in this direction from an inner cell, which is none of the outermost
    /// ring.
    pub const fn from_cell(self, cell: u8) -> u8 {
        match self {
            Self::Up => cell - SIDE as u8,
            Self::Down => cell + SIDE as u8,
            Self::Left => cell - 1,
            Self::Right => cell + 1,
        }
    }

    /// The opposite direction.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// Its letter in the usual notation of solutions.
    pub const fn letter(self) -> char {
        match self {
            Self::Up => 'u',
            Self::Down => 'd',
            Self::Left => 'l',
            Self::Right => 'r',
        }
    }
}

/// Moves in the usual notation: `u d l r`.
pub fn moves_text(moves: impl IntoIterator<Item = Move>) -> String {
    moves.into_iter().map(Move::letter).collect()
}

/// Reads moves in the usual notation; pushes may be capital letters.
///
/// # Errors
/// There is another letter.
pub fn read_moves(text: &str) -> Result<Vec<Move>> {
    let read = |letter: char| {
        let same = |it: &Move| it.letter() == letter.to_ascii_lowercase();
        Move::ALL.into_iter().find(same).ok_or(Error::MoveLetter { letter })
    };
    text.trim().chars().map(read).collect()
}

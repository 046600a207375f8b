//! The eight symmetries of the square: a level turned or mirrored is a level, and its solution a
//! solution.

use crate::board::{Level, State};
use crate::cells::{Cells, SIDE};
use crate::moves::Move;

/// One of the eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symmetry(u8);

impl Symmetry {
    /// How many there are.
    pub const COUNT: u64 = 8;

    /// The symmetry with this number, modulo eight; 0 changes nothing.
    pub fn new(number: u64) -> Self {
        Self((number % Self::COUNT) as u8)
    }

    fn is_transposed(self) -> bool {
        self.0 & 1 == 1
    }

    fn flips_rows(self) -> bool {
        self.0 & 2 == 2
    }

    fn flips_columns(self) -> bool {
        self.0 & 4 == 4
    }

    /// Where a cell comes to lie.
    pub fn cell(self, cell: u8) -> u8 {
        let (mut row, mut column) = (cell as usize / SIDE, cell as usize % SIDE);
        if self.is_transposed() {
            (row, column) = (column, row);
        }
        if self.flips_rows() {
            row = SIDE - 1 - row;
        }
        if self.flips_columns() {
            column = SIDE - 1 - column;
        }
        (row * SIDE + column) as u8
    }

    /// The cells where those of a set come to lie.
    pub fn cells(self, cells: Cells) -> Cells {
        cells.iter().map(|cell| self.cell(cell)).collect()
    }

    /// What a move becomes.
    pub fn of_move(self, towards: Move) -> Move {
        let transposed = match towards {
            _ if !self.is_transposed() => towards,
            Move::Up => Move::Left,
            Move::Left => Move::Up,
            Move::Down => Move::Right,
            Move::Right => Move::Down,
        };
        match transposed {
            Move::Up | Move::Down if self.flips_rows() => transposed.opposite(),
            Move::Left | Move::Right if self.flips_columns() => transposed.opposite(),
            _ => transposed,
        }
    }

    /// What a state becomes.
    pub fn state(self, state: &State) -> State {
        State { boxes: self.cells(state.boxes), player: self.cell(state.player) }
    }

    /// What a level becomes.
    pub fn level(self, level: &Level) -> Level {
        let start = self.state(&level.start());
        // The ring stays the ring and what was apart stays apart.
        Level::new(self.cells(level.walls()), self.cells(level.targets()), start).unwrap_or(*level)
    }
}

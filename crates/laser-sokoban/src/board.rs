//! A level and where its boxes and the player are.

use crate::cells::Cells;
use crate::flaw::Flaw;

/// A level has at most so many boxes.
pub(crate) const MAX_BOXES: usize = 8;

/// Where boxes and player are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    /// The boxes.
    pub boxes: Cells,
    /// The player's cell.
    pub player: u8,
}

/// A level: its walls and targets, and how it starts. The outermost ring is wall, there are as many
/// boxes as targets, and nothing stands in a wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Level {
    walls: Cells,
    targets: Cells,
    start: State,
}

impl Level {
    /// A level, if it is one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(walls: Cells, targets: Cells, start: State) -> Result<Self, Flaw> {
        if walls.and(Cells::RING) != Cells::RING {
            return Err(Flaw::Open);
        }
        if start.boxes.is_empty() || start.boxes.count() != targets.count() {
            return Err(Flaw::Boxes(start.boxes.count(), targets.count()));
        }
        if start.boxes.count() > MAX_BOXES {
            return Err(Flaw::TooManyBoxes(start.boxes.count(), MAX_BOXES));
        }
        let things = start.boxes.or(targets).with(start.player);
        if !things.and(walls).is_empty() || start.boxes.has(start.player) {
            return Err(Flaw::Overlap);
        }
        Ok(Self { walls, targets, start })
    }

    /// The same level from another state of it.
    ///
    /// # Errors
    /// The state is none of this level.
    pub fn from_state(&self, start: State) -> Result<Self, Flaw> {
        Self::new(self.walls, self.targets, start)
    }

    /// The walls.
    pub fn walls(&self) -> Cells {
        self.walls
    }

    /// Where boxes belong.
    pub fn targets(&self) -> Cells {
        self.targets
    }

    /// How it starts.
    pub fn start(&self) -> State {
        self.start
    }

    /// Whether every box is on a target.
    pub fn is_solved(&self, state: &State) -> bool {
        state.boxes == self.targets
    }
}

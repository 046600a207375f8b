//! How many pushes a lone box is away from each target, and which cells no box may enter.

use crate::board::Level;
use crate::cells::{CELLS, Cells};
use crate::moves::Move;
use std::collections::VecDeque;

/// No way.
pub(crate) const UNREACHABLE: u16 = u16::MAX;

/// Pushes from each cell to each target, if no other box were there and the player could go
/// anywhere a push needs him: never more than it takes in truth.
#[derive(Debug, Clone)]
pub(crate) struct PushDistances {
    /// Of each target, in ascending order of targets.
    to_target: Vec<[u16; CELLS]>,
    /// Cells from which no target can be reached.
    dead: Cells,
}

impl PushDistances {
    pub fn of(level: &Level) -> Self {
        let walls = level.walls();
        let from_target = |target: u8| {
            let mut distance = [UNREACHABLE; CELLS];
            distance[target as usize] = 0;
            let mut queue = VecDeque::from([target]);
            while let Some(cell) = queue.pop_front() {
                // Backwards: a pull moves the box to where the player stood, and the player one
                // further.
                for towards in Move::ALL {
                    let before = towards.from_cell(cell);
                    if walls.has(before) || distance[before as usize] != UNREACHABLE {
                        continue;
                    }
                    if !walls.has(towards.from_cell(before)) {
                        distance[before as usize] = distance[cell as usize] + 1;
                        queue.push_back(before);
                    }
                }
            }
            distance
        };
        let to_target: Vec<_> = level.targets().iter().map(from_target).collect();
        let is_dead = |cell: &u8| to_target.iter().all(|it| it[*cell as usize] == UNREACHABLE);
        let dead = walls.complement().iter().filter(is_dead).collect();
        Self { to_target, dead }
    }

    /// Cells from which no target can be reached.
    pub fn dead(&self) -> Cells {
        self.dead
    }

    /// Pushes from a cell to the target with this number, in ascending order of targets.
    pub fn pushes(&self, cell: u8, target: usize) -> u16 {
        self.to_target[target][cell as usize]
    }
}

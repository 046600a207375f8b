//! Where the player can walk without a push, and how.

use crate::cells::Cells;
use crate::moves::Move;

/// The cells within reach, layer by layer: layer d holds those that are d steps away.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    layers: Vec<Cells>,
    all: Cells,
}

impl Reach {
    /// From `player`, over the cells that are not `blocked`.
    pub fn of(player: u8, blocked: Cells) -> Self {
        let free = blocked.complement();
        let mut layers = vec![Cells::one(player)];
        let mut all = layers[0];
        loop {
            let next = layers[layers.len() - 1].neighbours().and(free).minus(all);
            if next.is_empty() {
                return Self { layers, all };
            }
            all = all.or(next);
            layers.push(next);
        }
    }

    /// All cells within reach.
    pub fn all(&self) -> Cells {
        self.all
    }

    /// Steps to a cell within reach.
    pub fn steps(&self, cell: u8) -> Option<usize> {
        self.layers.iter().position(|layer| layer.has(cell))
    }

    /// The moves to a cell within reach: of several shortest ways always the same.
    pub fn way(&self, cell: u8) -> Option<Vec<Move>> {
        let steps = self.steps(cell)?;
        let (mut at, mut moves) = (cell, Vec::with_capacity(steps));
        for layer in self.layers[..steps].iter().rev() {
            let from = |towards: &Move| layer.has(towards.opposite().from_cell(at));
            let towards = Move::ALL.into_iter().find(from)?;
            at = towards.opposite().from_cell(at);
            moves.push(towards);
        }
        moves.reverse();
        Some(moves)
    }
}

//! What the model sees of the board: four planes of the 8 x 8 inner cells.
//!
//! The outermost ring is wall in every level, so it is left out. A plane says where floor is, not
//! where walls are: the zeros that a convolution sees beyond the edge then mean wall.

use laser_sokoban::{Level, SIDE, State, Symmetry};

/// Cells that are seen: rows and columns 1 to 8, row by row.
pub(crate) const INNER: usize = SIDE - 2;
/// Their number.
pub(crate) const SEEN: usize = INNER * INNER;
/// Floor, targets, boxes, player.
pub(crate) const PLANES: usize = 4;
/// The player's plane.
pub(crate) const PLAYER: usize = 3;
/// What is known of each seen cell, and once more of the player's.
pub(crate) const FEATURES: usize = SEEN + 1;

/// Appends the planes of a state of a level as `symmetry` turns it, `[SEEN, PLANES]`.
pub(crate) fn push_planes(level: &Level, state: &State, symmetry: Symmetry, planes: &mut Vec<f32>) {
    let walls = symmetry.cells(level.walls());
    let targets = symmetry.cells(level.targets());
    let State { boxes, player } = symmetry.state(state);
    for row in 1..=INNER {
        for column in 1..=INNER {
            let cell = (row * SIDE + column) as u8;
            let seen = [!walls.has(cell), targets.has(cell), boxes.has(cell), player == cell];
            planes.extend(seen.map(|it| f32::from(u8::from(it))));
        }
    }
}

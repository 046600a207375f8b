//! A level that is being played, by gym-sokoban's rules.

use crate::board::{Level, State};
use crate::cells::Cells;
use crate::moves::Move;

/// An episode ends after this many steps.
pub const MAX_STEPS: usize = 120;

/// The paper caps the return of an episode at this.
pub const RETURN_CAP: f64 = 10.0;

const STEP: f64 = -0.1;
const BOX_ON_TARGET: f64 = 1.0;
const BOX_OFF_TARGET: f64 = -1.0;
const FINISHED: f64 = 10.0;

/// What a step gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The reward.
    pub reward: f64,
    /// Whether the episode has ended, solved or out of steps.
    pub done: bool,
}

/// A level that is being played.
///
/// As in gym-sokoban, boxes that stand on targets at the start are counted with the first step.
#[derive(Debug, Clone, PartialEq)]
pub struct Game {
    level: Level,
    state: State,
    steps: usize,
    on_target: usize,
    total: f64,
}

impl Game {
    /// A level at its start.
    pub fn new(level: Level) -> Self {
        Self { level, state: level.start(), steps: 0, on_target: 0, total: 0.0 }
    }

    /// Moves the player, who pushes the box in the way if nothing is behind it. A move that cannot
    /// be made is a step that changes nothing.
    pub fn step(&mut self, towards: Move) -> Step {
        if let Some(state) = moved(self.level.walls(), &self.state, towards) {
            self.state = state;
        }
        self.steps += 1;
        let mut reward = STEP;
        let on_target = self.state.boxes.and(self.level.targets()).count();
        if on_target > self.on_target {
            reward += BOX_ON_TARGET;
        } else if on_target < self.on_target {
            reward += BOX_OFF_TARGET;
        }
        self.on_target = on_target;
        if self.is_solved() {
            reward += FINISHED;
        }
        self.total += reward;
        Step { reward, done: self.is_done() }
    }

    /// The level.
    pub fn level(&self) -> &Level {
        &self.level
    }

    /// Where boxes and player are.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Steps so far.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Whether every box is on a target.
    pub fn is_solved(&self) -> bool {
        self.level.is_solved(&self.state)
    }

    /// Whether the episode has ended.
    pub fn is_done(&self) -> bool {
        self.is_solved() || self.steps >= MAX_STEPS
    }

    /// The sum of the rewards so far.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The return of the episode, capped as in the paper.
    pub fn capped_return(&self) -> f64 {
        self.total.min(RETURN_CAP)
    }
}

/// The state after a move; none if it cannot be made.
pub(crate) fn moved(walls: Cells, state: &State, towards: Move) -> Option<State> {
    let player = towards.from_cell(state.player);
    if walls.has(player) {
        return None;
    }
    if !state.boxes.has(player) {
        return Some(State { player, ..*state });
    }
    let pushed = towards.from_cell(player);
    let blocked = walls.has(pushed) || state.boxes.has(pushed);
    (!blocked).then(|| State { boxes: state.boxes.without(player).with(pushed), player })
}

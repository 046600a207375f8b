//! Levels of our own: a random room, four targets, and boxes that were pulled away from them.
//!
//! After Racanière et al. 2017 (arXiv 1707.06203, appendix on Sokoban): rooms are carved by a
//! random walk, and a level is a solved room played backwards, so that it can be solved. Of all
//! states that pulls lead to, the one is taken whose boxes are farthest from where they began and
//! changed turns most often.

use crate::board::{Level, State};
use crate::cells::{Cells, SIDE};
use crate::moves::Move;
use crate::walking::Reach;
use laser_example::SplitMix64;
use rayon::prelude::*;

/// How levels are made.
#[derive(Debug, Clone, Copy)]
pub struct Generator {
    /// Boxes, and targets.
    pub boxes: usize,
    /// Steps of the walk that carves the room.
    pub walk: usize,
    /// How many times the solved room is played backwards.
    pub tries: usize,
    /// Pulls of each of those times.
    pub pulls: usize,
}

impl Default for Generator {
    fn default() -> Self {
        Self { boxes: 4, walk: 34, tries: 12, pulls: 60 }
    }
}

/// What the walk carves around its place: cells of the 3 x 3 square there, by row and column.
const CARVED: [&[(i32, i32)]; 5] = [
    &[(0, -1), (0, 0), (0, 1)],
    &[(-1, 0), (0, 0), (1, 0)],
    &[(0, 0), (1, 0), (1, 1)],
    &[(0, 0), (0, -1), (-1, 0)],
    &[(0, 0), (0, 1), (1, 0), (1, 1)],
];
/// The walk turns with this chance at each step, in percent.
const TURNS: u64 = 35;
/// The box that was pulled last is pulled on with this chance, in percent.
const SAME_BOX: u64 = 80;

impl Generator {
    /// The level of a seed.
    pub fn level(&self, seed: u64) -> Level {
        let mut random = SplitMix64::new(seed);
        loop {
            let walls = self.walls(&mut random);
            if let Some(level) = self.played_backwards(walls, &mut random) {
                return level;
            }
        }
    }

    fn walls(&self, random: &mut SplitMix64) -> Cells {
        let inner = 1..SIDE as i32 - 1;
        let mut floor = Cells::EMPTY;
        let coordinate = |random: &mut SplitMix64| 1 + random.below(SIDE as u64 - 2) as i32;
        let (mut row, mut column) = (coordinate(random), coordinate(random));
        let mut towards = (0, 1);
        for _ in 0..self.walk {
            if random.below(100) < TURNS {
                towards = [(0, 1), (0, -1), (1, 0), (-1, 0)][random.below(4) as usize];
            }
            row = (row + towards.0).clamp(inner.start, inner.end - 1);
            column = (column + towards.1).clamp(inner.start, inner.end - 1);
            for (down, right) in CARVED[random.below(CARVED.len() as u64) as usize] {
                let (row, column) = (row + down, column + right);
                if inner.contains(&row) && inner.contains(&column) {
                    floor = floor.with((row as usize * SIDE + column as usize) as u8);
                }
            }
        }
        floor.complement()
    }

    /// The best level that playing backwards gives in a room; none if every box always stays on a
    /// target.
    fn played_backwards(&self, walls: Cells, random: &mut SplitMix64) -> Option<Level> {
        let mut floor: Vec<u8> = walls.complement().iter().collect();
        if floor.len() < 2 * self.boxes + 2 {
            return None;
        }
        random.shuffle(&mut floor);
        let targets: Cells = floor[..self.boxes].iter().copied().collect();
        let solved = State { boxes: targets, player: floor[self.boxes] };
        let mut best = (0, solved);
        for _ in 0..self.tries {
            let mut play = Backwards::new(walls, &floor[..self.boxes], solved.player);
            for _ in 0..self.pulls {
                if !play.pull(random) {
                    break;
                }
                if play.score(targets) > best.0 {
                    best = (play.score(targets), play.state());
                }
            }
        }
        let (score, State { boxes, player }) = best;
        if score == 0 {
            return None;
        }
        let near: Vec<u8> = Reach::of(player, walls.or(boxes)).all().iter().collect();
        let player = near[random.below(near.len() as u64) as usize];
        Level::new(walls, targets, State { boxes, player }).ok()
    }
}

/// A room that is played backwards.
struct Backwards {
    walls: Cells,
    /// Where each box began, and where it is.
    boxes: Vec<(u8, u8)>,
    player: u8,
    pulled: Option<usize>,
    /// How often another box than the one before was pulled.
    turns: u32,
}

impl Backwards {
    fn new(walls: Cells, boxes: &[u8], player: u8) -> Self {
        Self { walls, boxes: boxes.iter().map(|&cell| (cell, cell)).collect(), player, pulled: None, turns: 0 }
    }

    fn state(&self) -> State {
        State { boxes: self.boxes.iter().map(|&(_, cell)| cell).collect(), player: self.player }
    }

    /// Pulls some box by a cell; false if none can be pulled.
    fn pull(&mut self, random: &mut SplitMix64) -> bool {
        let obstacles = self.walls.or(self.state().boxes);
        let reach = Reach::of(self.player, obstacles).all();
        let mut pulls: Vec<(usize, Move)> = Vec::new();
        for (number, &(_, cell)) in self.boxes.iter().enumerate() {
            for towards in Move::ALL {
                let stand = towards.from_cell(cell);
                if reach.has(stand) && !obstacles.has(towards.from_cell(stand)) {
                    pulls.push((number, towards));
                }
            }
        }
        let same: Vec<(usize, Move)> = pulls.iter().copied().filter(|(it, _)| Some(*it) == self.pulled).collect();
        let from = if !same.is_empty() && random.below(100) < SAME_BOX { same } else { pulls };
        let Some(&(number, towards)) = from.get(random.below(from.len() as u64) as usize) else { return false };
        let stand = towards.from_cell(self.boxes[number].1);
        self.boxes[number].1 = stand;
        self.player = towards.from_cell(stand);
        self.turns += u32::from(self.pulled != Some(number));
        self.pulled = Some(number);
        true
    }

    /// How much of a puzzle the state is; 0 while a box is on a target.
    fn score(&self, targets: Cells) -> u32 {
        if !self.state().boxes.and(targets).is_empty() {
            return 0;
        }
        let away = |&(a, b): &(u8, u8)| {
            let side = SIDE as u8;
            u32::from((a / side).abs_diff(b / side)) + u32::from((a % side).abs_diff(b % side))
        };
        self.turns * self.boxes.iter().map(away).sum::<u32>()
    }
}

/// Levels `0..count` of a seed, by all threads.
pub fn generate_levels(generator: &Generator, seed: u64, count: usize) -> Vec<Level> {
    let mut seeds = SplitMix64::new(seed);
    let seeds: Vec<u64> = (0..count).map(|_| seeds.next_u64()).collect();
    seeds.into_par_iter().map(|seed| generator.level(seed)).collect()
}

//! What is learnt from: windows of a planner's episodes.

use crate::board_planes::{INNER, PLANES, SEEN, push_planes};
use crate::error::{Error, Result};
use laser_example::SplitMix64;
use laser_sokoban::{CELLS, Episode, Game, Move, RETURN_CAP, SIDE, State, Symmetry};
use std::ops::Range;

/// Episodes, ready to draw windows from.
#[derive(Debug)]
pub struct Teacher {
    lessons: Vec<Lesson>,
    /// How many windows there are in an episode and those before it.
    ends: Vec<u64>,
    context: usize,
}

#[derive(Debug)]
struct Lesson {
    episode: Episode,
    /// Before each step.
    states: Vec<State>,
    /// What is still to come before each step.
    to_go: Vec<f32>,
}

/// Windows of equal length, one after the other; everything is step by step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Windows {
    /// How many.
    pub count: usize,
    /// `[count * context, SEEN, PLANES]`.
    pub planes: Vec<f32>,
    /// The returns to go, as the model is told them.
    pub returns: Vec<f32>,
    /// The moves that were made.
    pub played: Vec<u32>,
    /// The moves to be learnt.
    pub planned: Vec<u32>,
    /// What the rest of the episode does on each seen cell, `[count * context, SEEN, 2]`: in which
    /// direction the player leaves it first, and in which direction a box is first pushed off it;
    /// [`NEVER`] if not at all.
    pub plan: Vec<u32>,
}

/// No direction.
pub(crate) const NEVER: u32 = Move::ALL.len() as u32;

/// A return as the model is told it: capped as in the paper, in tens.
pub(crate) fn told_return(to_go: f64) -> f32 {
    (to_go.min(RETURN_CAP) / RETURN_CAP) as f32
}

impl Teacher {
    /// A teacher of windows of `context` steps.
    ///
    /// # Errors
    /// No episode is that long.
    pub fn new(episodes: Vec<Episode>, context: usize) -> Result<Self> {
        let lessons: Vec<Lesson> =
            episodes.into_iter().filter(|it| it.steps.len() >= context).map(Lesson::of).collect();
        let mut end = 0;
        let mut count = |lesson: &Lesson| {
            end += (lesson.states.len() + 1 - context) as u64;
            end
        };
        let ends: Vec<u64> = lessons.iter().map(&mut count).collect();
        if ends.is_empty() {
            return Err(Error::NoEpisodes(context));
        }
        Ok(Self { lessons, ends, context })
    }

    /// How many windows there are, not counting symmetries.
    pub fn windows(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// A number that tells these episodes from others.
    pub(crate) fn digest(&self) -> u64 {
        let mut digest = SplitMix64::new(self.context as u64).next_u64();
        for lesson in &self.lessons {
            let line = laser_sokoban::episode_line(&lesson.episode);
            digest =
                line.bytes().fold(digest, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        }
        digest
    }

    /// The first window of each episode, with its level and its moves.
    #[cfg(test)]
    pub(crate) fn first_windows(&self) -> Vec<(laser_sokoban::Level, Vec<Move>, Windows)> {
        let first = |lesson: &Lesson| {
            let mut windows = Windows::with_room(self.context);
            windows.count = 1;
            lesson.push_window(0..self.context, Symmetry::new(0), &mut windows);
            // What a policy is told: to reach the cap.
            let game_before = |step: usize| {
                let mut game = Game::new(lesson.episode.level);
                for it in &lesson.episode.steps[..step] {
                    game.step(it.played);
                }
                told_return(RETURN_CAP - game.total())
            };
            windows.returns = (0..self.context).map(game_before).collect();
            (lesson.episode.level, lesson.episode.steps.iter().map(|it| it.played).collect(), windows)
        };
        self.lessons.iter().map(first).collect()
    }

    /// Random windows, each turned or mirrored at random.
    pub(crate) fn draw(&self, count: usize, random: &mut SplitMix64) -> Windows {
        let mut windows = Windows { count, ..Windows::with_room(count * self.context) };
        for _ in 0..count {
            let number = random.below(self.windows());
            let symmetry = Symmetry::new(random.below(Symmetry::COUNT));
            let which = self.ends.partition_point(|&end| end <= number);
            let before = which.checked_sub(1).map_or(0, |before| self.ends[before]);
            let first = (number - before) as usize;
            self.lessons[which].push_window(first..first + self.context, symmetry, &mut windows);
        }
        windows
    }
}

impl Windows {
    fn with_room(steps: usize) -> Self {
        Self {
            count: 0,
            planes: Vec::with_capacity(steps * SEEN * PLANES),
            returns: Vec::with_capacity(steps),
            played: Vec::with_capacity(steps),
            planned: Vec::with_capacity(steps),
            plan: Vec::with_capacity(steps * SEEN * 2),
        }
    }
}

impl Lesson {
    fn of(episode: Episode) -> Self {
        let mut game = Game::new(episode.level);
        let (mut states, mut before) = (Vec::new(), Vec::new());
        for step in &episode.steps {
            states.push(*game.state());
            before.push(game.total());
            game.step(step.played);
        }
        let to_go = before.into_iter().map(|so_far| told_return(game.total() - so_far)).collect();
        Self { episode, states, to_go }
    }

    /// Appends the steps of a window.
    fn push_window(&self, steps: Range<usize>, symmetry: Symmetry, windows: &mut Windows) {
        for step in steps {
            push_planes(&self.episode.level, &self.states[step], symmetry, &mut windows.planes);
            windows.returns.push(self.to_go[step]);
            let moves = self.episode.steps[step];
            windows.played.push(symmetry.of_move(moves.played) as u32);
            windows.planned.push(symmetry.of_move(moves.planned) as u32);
            self.push_plan(step, symmetry, &mut windows.plan);
        }
    }

    /// Appends what the rest of the episode does on each seen cell.
    fn push_plan(&self, from: usize, symmetry: Symmetry, plan: &mut Vec<u32>) {
        let mut first = [[NEVER; 2]; CELLS];
        for (state, step) in self.states.iter().zip(&self.episode.steps).skip(from) {
            let towards = symmetry.of_move(step.played) as u32;
            let ahead = step.played.from_cell(state.player);
            let mut note = |cell: u8, kind: usize| {
                let place = &mut first[symmetry.cell(cell) as usize][kind];
                *place = if *place == NEVER { towards } else { *place };
            };
            note(state.player, 0);
            if state.boxes.has(ahead) {
                note(ahead, 1);
            }
        }
        for row in 1..=INNER {
            plan.extend(first[row * SIDE + 1..][..INNER].iter().flatten());
        }
    }
}

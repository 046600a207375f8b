//! The planner as a teacher: episodes that solve levels.
//!
//! A learner that has only seen perfect play does not know what to do after its first mistake. So
//! here and there another move is made than the planned one, and the level is planned anew from
//! where it leads (noise injection: Laskey et al. 2017, arXiv 1703.09327). What is to be learnt is
//! always the plan.

use crate::board::Level;
use crate::episode::{Episode, EpisodeStep};
use crate::game::{MAX_STEPS, moved};
use crate::moves::Move;
use crate::planner::{Plan, Planner};
use laser_example::SplitMix64;
use rayon::prelude::*;

/// How episodes are made.
#[derive(Debug, Clone, Copy)]
pub struct ExpertOptions {
    /// Plans whole levels.
    pub planner: Planner,
    /// Steps at which another move than the planned one is made, of a hundred.
    pub deviations: u64,
}

impl Default for ExpertOptions {
    fn default() -> Self {
        Self { planner: Planner { weight: 2, nodes: 50_000 }, deviations: 8 }
    }
}

/// Makes episodes.
#[derive(Debug, Clone, Copy)]
pub struct Expert {
    options: ExpertOptions,
    seed: u64,
}

impl Expert {
    /// An expert whose deviations depend on `seed` and the level's number.
    pub fn new(options: ExpertOptions, seed: u64) -> Self {
        Self { options, seed }
    }

    /// An episode of each level that the planner solves within an episode's steps, in order, by all
    /// threads; `done` hears of each level.
    pub fn episodes(&self, levels: &[Level], done: impl Fn() + Sync) -> Vec<Episode> {
        let episode = |(number, level): (usize, &Level)| {
            let episode = self.episode(level, number);
            done();
            episode
        };
        levels.par_iter().enumerate().filter_map(episode).collect()
    }

    /// The episode of the level with this number; none if the planner does not solve it in time.
    pub fn episode(&self, level: &Level, number: usize) -> Option<Episode> {
        let mut random = SplitMix64::new(SplitMix64::new(self.seed ^ (number as u64) << 20).next_u64());
        let mut plan = self.plan(level)?.into_iter();
        let mut state = level.start();
        let mut steps = Vec::new();
        while let Some(planned) = plan.next() {
            let mut played = planned;
            if random.below(100) < self.options.deviations {
                let other = Move::ALL[random.below(4) as usize];
                if let Some((after, length)) = moved(level.walls(), &state, other)
                    .filter(|_| other != planned)
                    .and_then(|after| level.from_state(after).ok())
                    .and_then(|after| Some((self.plan(&after)?, steps.len() + 1)))
                    && length + after.len() <= MAX_STEPS
                {
                    (played, plan) = (other, after.into_iter());
                }
            }
            steps.push(EpisodeStep { played, planned });
            state = moved(level.walls(), &state, played)?;
        }
        (level.is_solved(&state) && steps.len() <= MAX_STEPS).then_some(Episode { level: *level, steps })
    }

    fn plan(&self, level: &Level) -> Option<Vec<Move>> {
        match self.options.planner.plan(level) {
            Plan::Solved(solution) => Some(solution.moves),
            Plan::Unsolvable | Plan::OutOfNodes => None,
        }
    }
}

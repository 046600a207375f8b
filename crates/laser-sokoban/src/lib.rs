//! Sokoban as the paper's Decision Transformer plays it (section 5.3): levels of 10 x 10 cells, the
//! rules and rewards of gym-sokoban, a planner, and the planner's episodes to learn from.
//!
//! A [`Level`] is what [`read_levels`] reads or [`Generator`] makes. A [`Game`] is a level that is
//! being played. [`Planner`] finds short solutions, and [`Expert`] makes [`Episode`]s of them. No
//! tensors.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod animation;
mod board;
mod cells;
mod episode;
mod error;
mod expert;
mod flaw;
mod game;
mod generator;
mod level_text;
mod matching;
mod moves;
mod planner;
mod push_distances;
mod symmetry;
mod walking;

pub use animation::animation;
pub use board::{Level, State};
pub use cells::{CELLS, Cells, SIDE};
pub use episode::{Episode, EpisodeStep, episode_line, read_episode};
pub use error::{Error, Result};
pub use expert::{Expert, ExpertOptions};
pub use flaw::Flaw;
pub use game::{Game, MAX_STEPS, RETURN_CAP, Step};
pub use generator::{Generator, generate_levels};
pub use level_text::{picture, read_levels, write_levels};
pub use moves::{Move, moves_text, read_moves};
pub use planner::{Plan, Planner, Solution};
pub use symmetry::Symmetry;

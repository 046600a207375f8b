//! A Decision Transformer (Chen et al. 2021, arXiv 2106.01345) that plays Sokoban, as in the
//! paper's section 5.3.
//!
//! Its blocks are GPT-2's, over tokens of returns to go, states and actions. Weights have the names
//! and shapes of transformers' `DecisionTransformerModel`; before its `embed_state` stands a small
//! convolutional encoder of the board. [`Training`] fits one to a planner's episodes.

mod adamw;
mod board_planes;
mod decision_shape;
mod episode_scorer;
mod episodes_verdict;
mod error;
mod gradient_ops;
mod move_choice;
mod named_tensors;
mod policy;
mod rollout;
mod state_encoder;
mod trainable;
mod training;
mod training_windows;
mod window_rows;
mod window_tree;

#[cfg(test)]
mod tests;

pub use decision_shape::DecisionShape;
pub use episode_scorer::{EpisodeScorer, EpisodeWorth, play_edited};
pub use episodes_verdict::{EpisodesVerdict, episodes, mcnemar_power, test_entries};
pub use error::{Error, Result};
pub use move_choice::MoveChoice;
pub use named_tensors::{NamedTensors, Values};
pub use policy::Policy;
pub use rollout::Played;
pub use training::{Training, TrainingOptions, TrainingStep};
pub use training_windows::Teacher;

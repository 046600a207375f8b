//! What has been played so far, as a tree: candidates that played the same share a node.

use crate::training_windows::told_return;
use laser_sokoban::{Game, Level, Move, RETURN_CAP, State};
use std::collections::HashMap;

/// A node: the state after some moves of a level.
pub(crate) type PlayNode = u32;

struct Play {
    level: u32,
    /// The return to go, as the model is told it.
    told: f32,
    /// The place of the state's embedding.
    embedding: u32,
    before: Option<(PlayNode, Move)>,
    /// By move.
    after: [Option<PlayNode>; 4],
}

/// All that has been played of some levels. Every episode is told to reach the paper's cap.
pub(crate) struct PlayTree {
    plays: Vec<Play>,
    /// The number of each state that has been met.
    embeddings: HashMap<(u32, State), u32>,
    /// States that have no embedding yet.
    fresh: Vec<(u32, State)>,
}

/// A step of a window.
pub(crate) struct SeenStep {
    pub told: f32,
    pub embedding: u32,
    /// The action, if it is not the last step.
    pub action: Option<Move>,
}

impl PlayTree {
    pub fn new(levels: &[Level]) -> Self {
        let mut tree = Self { plays: Vec::new(), embeddings: HashMap::new(), fresh: Vec::new() };
        for (number, level) in levels.iter().enumerate() {
            tree.add(number as u32, level.start(), told_return(RETURN_CAP), None);
        }
        tree
    }

    fn add(&mut self, level: u32, state: State, told: f32, before: Option<(PlayNode, Move)>) -> PlayNode {
        let count = self.embeddings.len() as u32;
        let fresh = &mut self.fresh;
        let embedding = *self.embeddings.entry((level, state)).or_insert_with(|| {
            fresh.push((level, state));
            count
        });
        self.plays.push(Play { level, told, embedding, before, after: [None; 4] });
        self.plays.len() as u32 - 1
    }

    /// The node behind `move` from a node, where `game` has come to.
    pub fn step(&mut self, from: PlayNode, towards: Move, game: &Game) -> PlayNode {
        if let Some(node) = self.plays[from as usize].after[towards as usize] {
            return node;
        }
        let told = told_return(RETURN_CAP - game.total());
        let node = self.add(self.plays[from as usize].level, *game.state(), told, Some((from, towards)));
        self.plays[from as usize].after[towards as usize] = Some(node);
        node
    }

    /// The number of the state's embedding at a node: equal states of a level have the same.
    pub fn embedding(&self, node: PlayNode) -> u32 {
        self.plays[node as usize].embedding
    }

    /// The states, by level, that have been met since the last call, in the order of their
    /// embeddings.
    pub fn take_fresh(&mut self) -> Vec<(u32, State)> {
        std::mem::take(&mut self.fresh)
    }

    /// The last `context` steps up to a node.
    pub fn window(&self, node: PlayNode, context: usize) -> Vec<SeenStep> {
        let mut steps = Vec::with_capacity(context);
        let (mut at, mut action) = (Some(node), None);
        while let Some(node) = at.filter(|_| steps.len() < context) {
            let Play { told, embedding, before, .. } = &self.plays[node as usize];
            steps.push(SeenStep { told: *told, embedding: *embedding, action });
            (at, action) = match before {
                Some((node, towards)) => (Some(*node), Some(*towards)),
                None => (None, None),
            };
        }
        steps.reverse();
        steps
    }
}

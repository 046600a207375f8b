//! Edited models play levels, all together.
//!
//! All candidates take a step at a time on all levels. What the layers below the first edited one
//! make of a window is the same for all candidates that have played the same so far, and is
//! computed once; the layers above go over all candidates' rows together wherever a layer is the
//! same in them. Each row is computed from its own operands alone, so that an episode does not
//! depend on what else is played.

use crate::decision_shape::{ACTIONS, TOKENS};
use crate::error::Result;
use crate::move_choice::{MovesMade, Ranking, ranking};
use crate::policy::Policy;
use crate::window_rows::run_layers;
use crate::window_tree::{PlayNode, PlayTree, SeenStep};
use laser_kernels::Backend;
use laser_model::{KeyValueCache, Model};
use laser_sokoban::{Game, Level, Move};
use std::collections::HashMap;

/// An episode that was played.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// The moves.
    pub moves: Vec<Move>,
    /// Whether the level was solved.
    pub solved: bool,
    /// The return, capped as in the paper.
    pub capped_return: f64,
}

/// What a decision depends on, in numbers.
type WindowKey = Vec<(u32, u32, u8)>;

/// What is asked of a policy for a candidate on a level.
struct Instance {
    candidate: usize,
    game: Game,
    node: PlayNode,
    moves: Vec<Move>,
    /// What was said of the windows that were seen: the same window gets the same answer.
    said: HashMap<WindowKey, Ranking>,
    /// The moves that were made on each board, by its embedding.
    made: HashMap<u32, MovesMade>,
}

impl<B: Backend> Policy<B> {
    /// Has edited copies of the model ([`Policy::model`]) play all `levels`, by
    /// [`Policy::move_choice`]: for each of `edited` an episode of each level. `done` hears of each
    /// step how many episodes have ended with it.
    ///
    /// # Errors
    /// The device fails, or `done` wants to end.
    pub fn play(
        &self,
        edited: &[&Model<B>],
        levels: &[Level],
        mut done: impl FnMut(usize) -> Result<()>,
    ) -> Result<Vec<Vec<Played>>> {
        let mut tree = PlayTree::new(levels);
        let mut embeddings: Vec<f32> = Vec::new();
        let mut instances: Vec<Instance> = (0..edited.len())
            .flat_map(|candidate| {
                levels.iter().enumerate().map(move |(level, it)| Instance::new(candidate, level, *it))
            })
            .collect();
        let mut caches = Vec::new();
        loop {
            let states: Vec<_> =
                tree.take_fresh().iter().map(|&(level, state)| (levels[level as usize], state)).collect();
            embeddings.extend(self.embed_states(&states)?);
            let mut asked: Vec<(usize, WindowKey)> = Vec::new();
            let mut said: Vec<(usize, Ranking)> = Vec::new();
            for (number, instance) in instances.iter().enumerate().filter(|(_, it)| !it.game.is_done()) {
                let key = key_of(&tree, instance.node, self.shape().context);
                match instance.said.get(&key) {
                    Some(&ranking) => said.push((number, ranking)),
                    None => asked.push((number, key)),
                }
            }
            if asked.is_empty() && said.is_empty() {
                break;
            }
            let nodes: Vec<(usize, PlayNode)> =
                asked.iter().map(|&(number, _)| (instances[number].candidate, instances[number].node)).collect();
            let rankings = self.rank(edited, &nodes, &tree, &embeddings, &mut caches)?;
            for ((number, key), ranking) in asked.into_iter().zip(rankings) {
                instances[number].said.insert(key, ranking);
                said.push((number, ranking));
            }
            let mut ended = 0;
            for (number, ranking) in said {
                let instance = &mut instances[number];
                let made = instance.made.entry(tree.embedding(instance.node)).or_default();
                let towards = self.move_choice().of(ranking, made);
                ended += usize::from(instance.game.step(towards).done);
                instance.moves.push(towards);
                instance.node = tree.step(instance.node, towards, &instance.game);
            }
            done(ended)?;
        }
        let mut played: Vec<Vec<Played>> = edited.iter().map(|_| Vec::with_capacity(levels.len())).collect();
        for Instance { candidate, game, moves, .. } in instances {
            played[candidate].push(Played { solved: game.is_solved(), capped_return: game.capped_return(), moves });
        }
        Ok(played)
    }

    /// What each candidate finds likely at each node; they are ordered by candidate.
    fn rank(
        &self,
        edited: &[&Model<B>],
        asked: &[(usize, PlayNode)],
        tree: &PlayTree,
        embeddings: &[f32],
        caches: &mut Vec<KeyValueCache<B>>,
    ) -> Result<Vec<Ranking>> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let backend = self.model().backend();
        let layers = self.model().config().layers;
        let first = edited.iter().map(|it| it.first_edited_layer()).min().unwrap_or(layers).min(layers - 1);
        let longest = TOKENS * self.shape().context;
        let together = (backend.rows_together() / longest).max(1);
        if caches.is_empty() {
            *caches = self.model().caches(0..layers, together * longest)?;
        }

        // Below the first edited layer: each window once.
        let mut nodes: Vec<PlayNode> = asked.iter().map(|&(_, node)| node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let (mut below, mut rows_of, mut count) = (Vec::new(), HashMap::new(), 0);
        for tile in nodes.chunks(together) {
            let (x, lengths) = self.tokens(tile, tree, embeddings)?;
            for (&node, length) in tile.iter().zip(&lengths) {
                rows_of.insert(node, count..count + *length as u32);
                count += *length as u32;
            }
            let models = vec![self.model(); tile.len()];
            below.push(run_layers(&models, &lengths, 0..first, x, caches)?);
        }
        let below = backend.concat(below)?;

        let mut rankings = Vec::with_capacity(asked.len());
        for tile in asked.chunks(together) {
            let rows: Vec<u32> = tile.iter().flat_map(|(_, node)| rows_of[node].clone()).collect();
            let lengths: Vec<usize> = tile.iter().map(|(_, node)| rows_of[node].len()).collect();
            let x = backend.select(&below, &backend.indices(&rows)?)?;
            let models: Vec<&Model<B>> = tile.iter().map(|&(candidate, _)| edited[candidate]).collect();
            let x = run_layers(&models, &lengths, first..layers, x, caches)?;
            let logits = backend.to_host(&self.model().logits_of(&x)?)?;
            rankings.extend(logits.chunks_exact(ACTIONS).map(ranking));
        }
        Ok(rankings)
    }
}

/// What a decision depends on: what is told, the state and the action of each step.
fn key_of(tree: &PlayTree, node: PlayNode, context: usize) -> WindowKey {
    let step = |it: SeenStep| (it.told.to_bits(), it.embedding, it.action.map_or(ACTIONS as u8, |action| action as u8));
    tree.window(node, context).into_iter().map(step).collect()
}

impl Instance {
    fn new(candidate: usize, level: usize, of: Level) -> Self {
        let (said, made) = (HashMap::new(), HashMap::new());
        Self { candidate, game: Game::new(of), node: level as PlayNode, moves: Vec::new(), said, made }
    }
}

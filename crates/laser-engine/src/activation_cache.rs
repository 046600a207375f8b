//! The unedited model's activations, kept where candidates start from them.

use crate::error::Result;
use crate::tiles::tiles;
use laser_kernels::{Backend, KvIndices};
use laser_model::{Batch, Forest, KeyValueCache, Model, NodeId};

/// For the nodes of a forest: the residual stream before some layer, and the keys and values of the
/// layers below it. A node is advanced when it is asked for, and no further. Row numbers are node
/// ids.
#[derive(Debug)]
pub struct ActivationCache<B: Backend> {
    backend: B,
    /// The layer that a node's kept residual stream enters; `None` of a node that has not been
    /// asked for.
    levels: Vec<Option<usize>>,
    /// For how many nodes there is room at first.
    room: usize,
    residual: B::Table,
    /// Of the layers from 0 on.
    caches: Vec<KeyValueCache<B>>,
}

impl<B: Backend> ActivationCache<B> {
    /// Nothing is known yet; `nodes` is a guess at how many there will be.
    pub fn new(model: &Model<B>, nodes: usize) -> Result<Self> {
        let residual = model.backend().table(nodes, model.config().hidden_size)?;
        Ok(Self { backend: model.backend().clone(), levels: Vec::new(), room: nodes, residual, caches: Vec::new() })
    }

    /// Advances `nodes`, ascending and different, to layer `to`. What they see must be among them,
    /// or have been there before.
    pub fn advance_to(&mut self, model: &Model<B>, forest: &Forest, nodes: &[NodeId], to: usize) -> Result<()> {
        self.levels.resize(forest.len(), None);
        if self.caches.len() < to {
            self.caches.extend(model.caches(self.caches.len()..to, self.room.max(forest.len()))?);
        }
        let level = |levels: &[Option<usize>], node: NodeId| levels[node as usize];
        // A residual stream cannot go down: it starts anew. The keys and values that are kept stay
        // as they are.
        let fresh: Vec<NodeId> =
            nodes.iter().copied().filter(|&node| level(&self.levels, node).is_none_or(|level| level > to)).collect();
        for tile in tiles(&fresh, self.backend.rows_together(), |node| forest.continues(node)) {
            let tokens: Vec<u32> = tile.iter().map(|&node| forest.token(node)).collect();
            let positions: Vec<u32> = tile.iter().map(|&node| forest.position(node)).collect();
            self.set(tile, &model.embed(&tokens, &positions)?, 0)?;
        }
        loop {
            let below = nodes.iter().filter_map(|&node| level(&self.levels, node)).filter(|&level| level < to);
            let Some(from) = below.clone().min() else { return Ok(()) };
            let next = below.filter(|&level| level > from).min().unwrap_or(to);
            let lowest: Vec<NodeId> =
                nodes.iter().copied().filter(|&node| level(&self.levels, node) == Some(from)).collect();
            for tile in tiles(&lowest, self.backend.rows_together(), |node| forest.continues(node)) {
                let batch = batch(model, forest, tile)?;
                let x = model.run(from..next, self.residual(tile)?, &batch, &mut self.caches[from..next])?;
                self.set(tile, &x, next)?;
            }
        }
    }

    /// The residual stream of `nodes`, `[nodes, hidden]`, at the layer that they have been advanced
    /// to.
    pub fn residual(&self, nodes: &[NodeId]) -> Result<B::Rows> {
        Ok(self.backend.gather(&self.residual, &self.backend.indices(nodes)?)?)
    }

    fn set(&mut self, nodes: &[NodeId], x: &B::Rows, level: usize) -> Result<()> {
        self.backend.write(&mut self.residual, &self.backend.indices(nodes)?, x)?;
        nodes.iter().for_each(|&node| self.levels[node as usize] = Some(level));
        Ok(())
    }
}

/// The batch of `nodes`, whose rows in the caches are their ids.
fn batch<B: Backend>(model: &Model<B>, forest: &Forest, nodes: &[NodeId]) -> Result<Batch<B>> {
    let positions: Vec<u32> = nodes.iter().map(|&node| forest.position(node)).collect();
    let mut indices = KvIndices::default();
    for &node in nodes {
        indices.push(forest.visible(node));
    }
    Ok(model.batch(&positions, nodes.to_vec(), indices)?)
}

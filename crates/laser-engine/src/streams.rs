//! The unedited model's residual streams, kept where candidates need them.

use crate::error::Result;
use crate::tile_sizes::TILE_ROWS;
use laser_model::{Batch, Context, Forest, KeyValueCache, Model, NodeId, Rows, Tensor};

/// For the nodes of a forest: the residual stream before some layer, and the keys and values of the layers below it. Each node
/// is taken up when it is asked for, and no further. Row numbers are node ids.
#[derive(Debug)]
pub struct Streams {
    /// The layer that a node's kept residual stream enters; none of a node that has not been asked for.
    levels: Vec<Option<usize>>,
    /// For how many nodes there is room at first.
    room: usize,
    residual: Rows,
    /// Of the layers from 0 on.
    caches: Vec<KeyValueCache>,
}

impl Streams {
    /// Nothing is known yet; `nodes` is a guess at how many there will be.
    pub fn new(model: &Model, nodes: usize) -> Result<Self> {
        let residual =
            Rows::new(nodes, model.config().hidden_size, model.device()).map_err(laser_model::Error::from)?;
        Ok(Self { levels: Vec::new(), room: nodes, residual, caches: Vec::new() })
    }

    /// Takes `nodes`, ascending and different, to layer `to`. What they see must be among them, or have been there before.
    pub fn bring(&mut self, model: &Model, forest: &Forest, nodes: &[NodeId], to: usize) -> Result<()> {
        self.levels.resize(forest.len(), None);
        if self.caches.len() < to {
            self.caches.extend(model.caches(self.caches.len()..to, self.room.max(forest.len()))?);
        }
        let level = |levels: &[Option<usize>], node: NodeId| levels[node as usize];
        // A residual stream cannot go down: it starts anew. The keys and values that are kept stay as they are.
        let fresh: Vec<NodeId> =
            nodes.iter().copied().filter(|&node| level(&self.levels, node).is_none_or(|level| level > to)).collect();
        for tile in cut(&fresh, |node| forest.continues(node)) {
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
            for tile in cut(&lowest, |node| forest.continues(node)) {
                let batch = batch(model, forest, tile)?;
                let x = model.run(from..next, self.residual(tile)?, &batch, &mut self.caches[from..next])?;
                self.set(tile, &x, next)?;
            }
        }
    }

    /// The residual stream of `nodes`, `[nodes, hidden]`, where they have been brought to.
    pub fn residual(&self, nodes: &[NodeId]) -> Result<Tensor> {
        Ok(self.residual.gather(nodes).map_err(laser_model::Error::from)?)
    }

    fn set(&mut self, nodes: &[NodeId], x: &Tensor, level: usize) -> Result<()> {
        self.residual.write(nodes, x).map_err(laser_model::Error::from)?;
        nodes.iter().for_each(|&node| self.levels[node as usize] = Some(level));
        Ok(())
    }
}

/// `rows` in tiles of like size, at most about [`TILE_ROWS`], none of which starts with a row that `continues` the one before.
pub fn cut<T: Copy>(rows: &[T], continues: impl Fn(T) -> bool) -> Vec<&[T]> {
    let (mut tiles, mut rest) = (Vec::new(), rows);
    let size = rows.len().div_ceil(rows.len().div_ceil(TILE_ROWS).max(1));
    while !rest.is_empty() {
        let mut end = size.min(rest.len());
        while end < rest.len() && continues(rest[end]) {
            end += 1;
        }
        let (tile, behind) = rest.split_at(end);
        tiles.push(tile);
        rest = behind;
    }
    tiles
}

/// The batch of `nodes`, whose rows in the caches are their ids.
fn batch(model: &Model, forest: &Forest, nodes: &[NodeId]) -> Result<Batch> {
    let positions: Vec<u32> = nodes.iter().map(|&node| forest.position(node)).collect();
    let mut context = Context::default();
    for &node in nodes {
        context.push(forest.visible(node));
    }
    Ok(Batch::new(model, &positions, nodes.to_vec(), context)?)
}

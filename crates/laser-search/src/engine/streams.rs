//! The unedited model's residual streams, kept at one layer boundary.

use super::TILE_ROWS;
use crate::Result;
use laser_model::{Batch, Context, Forest, KeyValueCache, Model, NodeId, Rows, Tensor};

/// For the nodes of a forest: the residual stream before layer `boundary`, and the keys and values of all layers below
/// it. Row numbers are node ids.
#[derive(Debug)]
pub struct Streams {
    boundary: usize,
    residual: Rows,
    caches: Vec<KeyValueCache>,
}

impl Streams {
    /// Streams before layer 0, of no node yet.
    pub fn new(model: &Model, nodes: usize) -> Result<Self> {
        let residual =
            Rows::new(nodes, model.config().hidden_size, model.device()).map_err(laser_model::Error::from)?;
        Ok(Self { boundary: 0, residual, caches: Vec::new() })
    }

    /// The layer that the kept residual stream enters.
    pub fn boundary(&self) -> usize {
        self.boundary
    }

    /// Takes in the nodes that the forest has gained.
    pub fn cover(&mut self, model: &Model, forest: &Forest) -> Result<()> {
        for nodes in tiles(forest, self.residual.len()) {
            let tokens: Vec<u32> = nodes.iter().map(|&node| forest.token(node)).collect();
            let positions: Vec<u32> = nodes.iter().map(|&node| forest.position(node)).collect();
            let x = self.run(model, forest, 0, self.boundary, &nodes, model.embed(&tokens, &positions)?)?;
            self.residual.append(&x).map_err(laser_model::Error::from)?;
        }
        Ok(())
    }

    /// Moves the boundary up to layer `to`.
    pub fn advance(&mut self, model: &Model, forest: &Forest, to: usize) -> Result<()> {
        if to == self.boundary {
            return Ok(());
        }
        self.caches.extend(model.caches(self.boundary..to, self.residual.len())?);
        let mut residual = Streams::new(model, self.residual.len())?.residual;
        for nodes in tiles(forest, 0) {
            let x = self.residual.range(nodes[0] as usize, nodes.len()).map_err(laser_model::Error::from)?;
            let x = self.run(model, forest, self.boundary, to, &nodes, x)?;
            residual.append(&x).map_err(laser_model::Error::from)?;
        }
        self.residual = residual;
        self.boundary = to;
        Ok(())
    }

    /// The residual stream of `nodes`, `[nodes, hidden]`.
    pub fn residual(&self, nodes: &[NodeId]) -> Result<Tensor> {
        Ok(self.residual.gather(nodes).map_err(laser_model::Error::from)?)
    }

    fn run(
        &mut self,
        model: &Model,
        forest: &Forest,
        from: usize,
        to: usize,
        nodes: &[NodeId],
        x: Tensor,
    ) -> Result<Tensor> {
        if from == to {
            return Ok(x);
        }
        let batch = batch(model, forest, nodes, |node| node)?;
        Ok(model.run(from..to, x, &batch, &mut self.caches[from..to])?)
    }
}

/// The nodes from `from` on, in tiles.
fn tiles(forest: &Forest, from: usize) -> Vec<Vec<NodeId>> {
    let nodes: Vec<NodeId> = (from as NodeId..forest.len() as NodeId).collect();
    cut(forest, &nodes).into_iter().map(<[NodeId]>::to_vec).collect()
}

/// `nodes` in tiles of about [`TILE_ROWS`], whole sequences uncut.
pub fn cut<'n>(forest: &Forest, nodes: &'n [NodeId]) -> Vec<&'n [NodeId]> {
    let (mut tiles, mut rest) = (Vec::new(), nodes);
    while !rest.is_empty() {
        let mut end = TILE_ROWS.min(rest.len());
        while end < rest.len() && forest.continues(rest[end]) {
            end += 1;
        }
        let (tile, behind) = rest.split_at(end);
        tiles.push(tile);
        rest = behind;
    }
    tiles
}

/// The batch of `nodes`, with what each of them sees; `row` gives a node's row in the caches.
pub fn batch(model: &Model, forest: &Forest, nodes: &[NodeId], row: impl Fn(NodeId) -> u32) -> Result<Batch> {
    let positions: Vec<u32> = nodes.iter().map(|&node| forest.position(node)).collect();
    let mut context = Context::default();
    for &node in nodes {
        context.push(forest.visible(node).into_iter().map(&row));
    }
    Ok(Batch::new(model, &positions, context)?)
}

//! One candidate over one chunk: from its lowest edited layer on.

use super::streams::{self, Streams};
use crate::Result;
use laser_model::{Forest, KeyValueCache, Model, NodeId, Reading, Rows};
use std::collections::HashMap;

/// The edited model's own state: keys and values of the layers from the streams' boundary on, and what the nodes that
/// it has visited predict.
#[derive(Debug)]
pub struct Pass<'a> {
    model: &'a Model,
    caches: Vec<KeyValueCache>,
    /// The visited nodes' rows, in the caches and in `finals`.
    rows: HashMap<NodeId, u32>,
    /// The residual stream behind the last layer.
    finals: Rows,
    argmax: HashMap<NodeId, u32>,
}

impl<'a> Pass<'a> {
    /// A pass of `model`, whose layers below `boundary` are unedited; `nodes` is a guess at how many it will visit.
    pub fn new(model: &'a Model, boundary: usize, nodes: usize) -> Result<Self> {
        let config = model.config();
        Ok(Self {
            caches: model.caches(boundary..config.layers, nodes)?,
            rows: HashMap::with_capacity(nodes),
            finals: Rows::new(nodes, config.hidden_size, model.device()).map_err(laser_model::Error::from)?,
            argmax: HashMap::new(),
            model,
        })
    }

    /// Takes `nodes` through the edited layers, unless it was done before. What a node sees must have been visited,
    /// or come before it in `nodes`; whole sequences come whole.
    pub fn visit(&mut self, streams: &Streams, forest: &Forest, nodes: &[NodeId]) -> Result<()> {
        let new: Vec<NodeId> = nodes.iter().copied().filter(|node| !self.rows.contains_key(node)).collect();
        let layers = streams.boundary()..self.model.config().layers;
        for tile in streams::cut(forest, &new) {
            for &node in tile {
                self.rows.insert(node, self.rows.len() as u32);
            }
            let mut x = streams.residual(tile)?;
            if !layers.is_empty() {
                let batch = streams::batch(self.model, forest, tile, |node| self.rows[&node])?;
                x = self.model.run(layers.clone(), x, &batch, &mut self.caches)?;
            }
            self.finals.append(&x).map_err(laser_model::Error::from)?;
        }
        Ok(())
    }

    /// What visited nodes predict; `wanted[i]` are the tokens whose log-probability is wanted of `nodes[i]`.
    pub fn read(&mut self, nodes: &[NodeId], wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        let rows: Vec<u32> = nodes.iter().map(|node| self.rows[node]).collect();
        let x = self.finals.gather(&rows).map_err(laser_model::Error::from)?;
        let readings = self.model.predict(&x, wanted)?;
        self.argmax.extend(nodes.iter().zip(&readings).map(|(&node, reading)| (node, reading.argmax)));
        Ok(readings)
    }

    /// The most likely token after `node`, if it has been read.
    pub fn argmax(&self, node: NodeId) -> Option<u32> {
        self.argmax.get(&node).copied()
    }
}

//! Some candidates over one chunk, together: from their lowest edited layer on.

use super::streams::{self, Streams};
use crate::Result;
use laser_model::{Batch, Context, Forest, KeyValueCache, Model, NodeId, Reading, Rows, Tensor};
use std::collections::HashMap;

/// A node under one of the candidates of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Visit {
    /// The candidate, by number.
    pub candidate: usize,
    /// The node.
    pub node: NodeId,
}

/// The edited models' own state: keys and values of the layers from the boundary on, and what the nodes that they have
/// visited predict. Where a layer is the same in all models, their rows go through it together.
#[derive(Debug)]
pub struct Pass<'a> {
    unedited: &'a Model,
    edited: &'a [Model],
    boundary: usize,
    caches: Vec<KeyValueCache>,
    /// For each candidate the rows of the nodes that it has visited, in the caches and in `finals`.
    rows: Vec<Vec<Option<u32>>>,
    /// The residual stream behind the last layer.
    finals: Rows,
    argmax: HashMap<Visit, u32>,
}

impl<'a> Pass<'a> {
    /// A pass of copies of `unedited` whose layers below `boundary` are unedited; `visits` is a guess at their number.
    pub fn new(unedited: &'a Model, edited: &'a [Model], boundary: usize, visits: usize) -> Result<Self> {
        let config = unedited.config();
        Ok(Self {
            caches: unedited.caches(boundary..config.layers, visits)?,
            rows: vec![Vec::new(); edited.len()],
            finals: Rows::new(visits, config.hidden_size, unedited.device()).map_err(laser_model::Error::from)?,
            argmax: HashMap::new(),
            unedited,
            edited,
            boundary,
        })
    }

    /// Takes nodes through the edited layers, unless it was done before. What a node sees must have been visited by the same
    /// candidate, or come before it in `visits`, which are ordered by candidate; whole sequences come whole.
    pub fn visit(&mut self, streams: &mut Streams, forest: &Forest, visits: &[Visit]) -> Result<()> {
        let new: Vec<Visit> = visits.iter().copied().filter(|&visit| self.row(visit).is_none()).collect();
        let mut nodes: Vec<NodeId> = new.iter().map(|visit| visit.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        streams.bring(self.unedited, forest, &nodes, self.boundary)?;
        for tile in streams::cut(&new, |visit| forest.continues(visit.node)) {
            let nodes: Vec<NodeId> = tile.iter().map(|visit| visit.node).collect();
            let x = self.run(forest, tile, streams.residual(&nodes)?)?;
            self.finals.append(&x).map_err(laser_model::Error::from)?;
        }
        Ok(())
    }

    fn run(&mut self, forest: &Forest, tile: &[Visit], x: Tensor) -> Result<Tensor> {
        for (row, visit) in (self.finals.len() as u32..).zip(tile) {
            let rows = &mut self.rows[visit.candidate];
            rows.resize(forest.len().max(rows.len()), None);
            rows[visit.node as usize] = Some(row);
        }
        if self.caches.is_empty() {
            return Ok(x);
        }
        let batch = self.batch(forest, tile)?;
        let mut x = x;
        for layer in self.boundary..self.boundary + self.caches.len() {
            let same = |a: &Visit, b: &Visit| self.edited[a.candidate].shares_layer(&self.edited[b.candidate], layer);
            let runs: Vec<&[Visit]> = tile.chunk_by(same).collect();
            let cache = &mut self.caches[layer - self.boundary..][..1];
            if let [run] = runs[..] {
                x = self.edited[run[0].candidate].run(layer..layer + 1, x, &batch, cache)?;
                continue;
            }
            let mut parts = Vec::with_capacity(runs.len());
            let mut start = 0;
            for run in runs {
                let rows = x.narrow(0, start, run.len()).map_err(laser_model::Error::from)?;
                let batch = batch.slice(start..start + run.len())?;
                parts.push(self.edited[run[0].candidate].run(layer..layer + 1, rows, &batch, cache)?);
                start += run.len();
            }
            x = Tensor::cat(&parts, 0).map_err(laser_model::Error::from)?;
        }
        Ok(x)
    }

    fn batch(&self, forest: &Forest, tile: &[Visit]) -> Result<Batch> {
        let positions: Vec<u32> = tile.iter().map(|visit| forest.position(visit.node)).collect();
        let mut context = Context::default();
        for &Visit { candidate, node } in tile {
            let seen = forest.visible(node).into_iter().map(|node| self.row(Visit { candidate, node }));
            context.push(seen.collect::<Option<Vec<u32>>>().unwrap_or_default());
        }
        let rows = (self.finals.len() as u32..).take(tile.len()).collect();
        Ok(Batch::new(self.unedited, &positions, rows, context)?)
    }

    fn row(&self, visit: Visit) -> Option<u32> {
        self.rows[visit.candidate].get(visit.node as usize).copied().flatten()
    }

    /// What visited nodes predict; `wanted[i]` are the tokens whose log-probability is wanted of `visits[i]`.
    pub fn read(&mut self, visits: &[Visit], wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        let rows: Vec<u32> = visits.iter().filter_map(|&visit| self.row(visit)).collect();
        let x = self.finals.gather(&rows).map_err(laser_model::Error::from)?;
        let readings = self.unedited.predict(&x, wanted)?;
        self.argmax.extend(visits.iter().zip(&readings).map(|(&visit, reading)| (visit, reading.argmax)));
        Ok(readings)
    }

    /// The most likely token after a node, if it has been read.
    pub fn argmax(&self, visit: Visit) -> Option<u32> {
        self.argmax.get(&visit).copied()
    }
}

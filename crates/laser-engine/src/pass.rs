//! Some candidates over one chunk, together: from their lowest edited layer on.

use crate::error::Result;
use crate::streams::{self, Streams};
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
    /// How many rows there are.
    taken: u32,
    /// The residual stream behind the last layer of the rows that are read.
    finals: Rows,
    /// Which rows are.
    is_final: Vec<bool>,
    argmax: HashMap<Visit, u32>,
}

impl<'a> Pass<'a> {
    /// A pass of copies of `unedited` whose layers below `boundary` are unedited; `visits` is a guess at their number. `caches` are
    /// used again where there are some: fresh memory costs as much as what is written to it.
    pub fn new(
        unedited: &'a Model,
        edited: &'a [Model],
        boundary: usize,
        visits: usize,
        mut caches: Vec<KeyValueCache>,
    ) -> Result<Self> {
        let config = unedited.config();
        caches.truncate(config.layers - boundary);
        caches.iter_mut().for_each(KeyValueCache::clear);
        caches.extend(unedited.caches(boundary + caches.len()..config.layers, visits)?);
        Ok(Self {
            caches,
            rows: vec![Vec::new(); edited.len()],
            taken: 0,
            finals: Rows::new(visits, config.hidden_size, unedited.device()).map_err(laser_model::Error::from)?,
            is_final: Vec::new(),
            argmax: HashMap::new(),
            unedited,
            edited,
            boundary,
        })
    }

    /// The caches, for another pass.
    pub fn into_caches(self) -> Vec<KeyValueCache> {
        self.caches
    }

    /// Takes nodes through the edited layers, unless it was done before. What a node sees must have been visited by the same
    /// candidate, or come before it in `visits`, which are ordered by candidate; whole sequences come whole. Of the nodes that
    /// are not to be `read`, the last layer computes keys and values only.
    pub fn visit(
        &mut self,
        streams: &mut Streams,
        forest: &Forest,
        visits: &[Visit],
        read: impl Fn(NodeId) -> bool,
    ) -> Result<()> {
        let is_new = |&visit: &Visit| match self.row(visit) {
            Some(row) => read(visit.node) && !self.is_final[row as usize],
            None => true,
        };
        let new: Vec<Visit> = visits.iter().copied().filter(is_new).collect();
        let mut nodes: Vec<NodeId> = new.iter().map(|visit| visit.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        streams.bring(self.unedited, forest, &nodes, self.boundary)?;
        for tile in streams::cut(&new, |visit| forest.continues(visit.node)) {
            let nodes: Vec<NodeId> = tile.iter().map(|visit| visit.node).collect();
            let reads: Vec<bool> = nodes.iter().map(|&node| read(node)).collect();
            self.run(forest, tile, streams.residual(&nodes)?, &reads)?;
        }
        Ok(())
    }

    fn run(&mut self, forest: &Forest, tile: &[Visit], x: Tensor, reads: &[bool]) -> Result<()> {
        let first = self.taken;
        for (row, visit) in (first..).zip(tile) {
            let rows = &mut self.rows[visit.candidate];
            rows.resize(forest.len().max(rows.len()), None);
            rows[visit.node as usize] = Some(row);
        }
        self.taken += tile.len() as u32;
        self.is_final.extend(reads);

        let read: Vec<u32> = (0u32..).zip(reads).filter(|(_, read)| **read).map(|(row, _)| row).collect();
        let (mut x, end) = (x, self.boundary + self.caches.len());
        if self.caches.is_empty() {
            let read = Tensor::from_slice(&read, read.len(), x.device()).map_err(laser_model::Error::from)?;
            x = x.index_select(&read, 0).map_err(laser_model::Error::from)?;
        } else {
            let batch = self.batch(forest, tile, first)?;
            for layer in self.boundary..end {
                let only = (layer + 1 == end && read.len() < tile.len()).then_some(&read[..]);
                x = self.layer(layer, tile, x, &batch, only)?;
            }
        }
        let rows: Vec<u32> = read.iter().map(|row| first + row).collect();
        Ok(self.finals.write(&rows, &x).map_err(laser_model::Error::from)?)
    }

    /// A tile's rows through one layer: all that come out, or `only` some. Candidates among which the layer differs go one by one.
    fn layer(
        &mut self,
        layer: usize,
        tile: &[Visit],
        x: Tensor,
        batch: &Batch,
        only: Option<&[u32]>,
    ) -> Result<Tensor> {
        let same = |a: &Visit, b: &Visit| self.edited[a.candidate].shares_layer(&self.edited[b.candidate], layer);
        let runs: Vec<&[Visit]> = tile.chunk_by(same).collect();
        let cache = &mut self.caches[layer - self.boundary..][..1];
        let mut parts = Vec::with_capacity(runs.len());
        let mut start = 0;
        for run in &runs {
            let range = start..start + run.len();
            start = range.end;
            let sliced = if runs.len() > 1 { Some(batch.slice(range.clone())?) } else { None };
            let batch = sliced.as_ref().unwrap_or(batch);
            let rows = x.narrow(0, range.start, run.len()).map_err(laser_model::Error::from)?;
            let model = &self.edited[run[0].candidate];
            let Some(only) = only else {
                parts.push(model.run(layer..layer + 1, rows, batch, cache)?);
                continue;
            };
            let wanted: Vec<u32> = only
                .iter()
                .filter(|&&row| range.contains(&(row as usize)))
                .map(|row| row - range.start as u32)
                .collect();
            // Where none is wanted, keys and values are: some row has to come out.
            let batch = batch.only(if wanted.is_empty() { &[0] } else { &wanted }, x.device())?;
            let y = model.run(layer..layer + 1, rows, &batch, cache)?;
            parts.push(y.narrow(0, 0, wanted.len()).map_err(laser_model::Error::from)?);
        }
        Ok(Tensor::cat(&parts, 0).map_err(laser_model::Error::from)?)
    }

    /// The batch of a tile whose rows start at `first`.
    fn batch(&self, forest: &Forest, tile: &[Visit], first: u32) -> Result<Batch> {
        let positions: Vec<u32> = tile.iter().map(|visit| forest.position(visit.node)).collect();
        let mut context = Context::default();
        for &Visit { candidate, node } in tile {
            let seen = forest.visible(node).into_iter().map(|node| self.row(Visit { candidate, node }));
            context.push(seen.collect::<Option<Vec<u32>>>().unwrap_or_default());
        }
        let rows = (first..).take(tile.len()).collect();
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

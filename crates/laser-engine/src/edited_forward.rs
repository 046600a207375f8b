//! Some candidates over one chunk, together: from their first edited layer on.

use crate::activation_cache::ActivationCache;
use crate::error::Result;
use crate::tiles::tiles;
use laser_kernels::{Backend, KvIndices, Reading};
use laser_model::{Batch, Forest, KeyValueCache, Model, NodeId};
use std::collections::HashMap;

/// A node under one of the candidates of a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeInstance {
    /// The candidate, by number.
    pub candidate: usize,
    /// The node.
    pub node: NodeId,
}

/// The edited models' own state: keys and values of the layers from the first edited one on, and
/// what the nodes predict that went through them. The rows of all models go through a layer together,
/// except for the products with matrices in which they differ.
#[derive(Debug)]
pub struct EditedForward<'a, B: Backend> {
    unedited: &'a Model<B>,
    edited: &'a [Model<B>],
    /// The layer that rows come from the activation cache at.
    from_layer: usize,
    caches: Vec<KeyValueCache<B>>,
    /// For each candidate the rows of its node instances, in the caches and in `final_hidden`.
    rows: Vec<Vec<Option<u32>>>,
    /// How many rows there are.
    taken: u32,
    /// The residual stream behind the last layer of the rows that are read.
    final_hidden: B::Table,
    /// Which rows are.
    is_final: Vec<bool>,
    argmax: HashMap<NodeInstance, u32>,
}

impl<'a, B: Backend> EditedForward<'a, B> {
    /// A pass of edited copies of `unedited`, from the lowest of their first edited layers on;
    /// `instances` is a guess at how many node instances there will be. `caches` are used again if
    /// there are some: fresh memory costs as much as what is written to it.
    pub fn new(
        unedited: &'a Model<B>,
        edited: &'a [Model<B>],
        instances: usize,
        caches: Vec<KeyValueCache<B>>,
    ) -> Result<Self> {
        let first = edited.iter().map(Model::first_edited_layer).min();
        Self::from(unedited, edited, first.unwrap_or(unedited.config().layers), instances, caches)
    }

    /// A pass of one model through all of its layers, of which the activation cache keeps nothing
    /// but embeddings.
    pub fn of_all_layers(model: &'a Model<B>, instances: usize) -> Result<Self> {
        Self::from(model, std::slice::from_ref(model), 0, instances, Vec::new())
    }

    fn from(
        unedited: &'a Model<B>,
        edited: &'a [Model<B>],
        from_layer: usize,
        instances: usize,
        mut caches: Vec<KeyValueCache<B>>,
    ) -> Result<Self> {
        let config = unedited.config();
        caches.truncate(config.layers - from_layer);
        caches.iter_mut().for_each(KeyValueCache::clear);
        caches.extend(unedited.caches(from_layer + caches.len()..config.layers, instances)?);
        Ok(Self {
            caches,
            rows: vec![Vec::new(); edited.len()],
            taken: 0,
            final_hidden: unedited.backend().table(instances, config.hidden_size)?,
            is_final: Vec::new(),
            argmax: HashMap::new(),
            unedited,
            edited,
            from_layer,
        })
    }

    /// The caches, for another pass.
    pub fn into_caches(self) -> Vec<KeyValueCache<B>> {
        self.caches
    }

    /// Takes node instances through the edited layers, unless it was done before. What a node sees
    /// must have gone through them under the same candidate, or come before it in `instances`,
    /// which are ordered by candidate; whole sequences come whole. Of the nodes that are not to be
    /// `read`, the last layer computes keys and values only.
    pub fn advance(
        &mut self,
        kept: &mut ActivationCache<B>,
        forest: &Forest,
        instances: &[NodeInstance],
        read: impl Fn(NodeId) -> bool,
    ) -> Result<()> {
        let is_new = |&instance: &NodeInstance| match self.row(instance) {
            Some(row) => read(instance.node) && !self.is_final[row as usize],
            None => true,
        };
        let new: Vec<NodeInstance> = instances.iter().copied().filter(is_new).collect();
        let mut nodes: Vec<NodeId> = new.iter().map(|instance| instance.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        kept.advance_to(self.unedited, forest, &nodes, self.from_layer)?;
        for tile in tiles(&new, self.unedited.backend().rows_together(), |instance| forest.continues(instance.node)) {
            let nodes: Vec<NodeId> = tile.iter().map(|instance| instance.node).collect();
            let reads: Vec<bool> = nodes.iter().map(|&node| read(node)).collect();
            self.run(forest, tile, kept.residual(&nodes)?, &reads)?;
        }
        Ok(())
    }

    fn run(&mut self, forest: &Forest, tile: &[NodeInstance], x: B::Rows, reads: &[bool]) -> Result<()> {
        let first = self.taken;
        for (row, instance) in (first..).zip(tile) {
            let rows = &mut self.rows[instance.candidate];
            rows.resize(forest.len().max(rows.len()), None);
            rows[instance.node as usize] = Some(row);
        }
        self.taken += tile.len() as u32;
        self.is_final.extend(reads);

        let backend = self.unedited.backend();
        let read: Vec<u32> = (0u32..).zip(reads).filter(|(_, read)| **read).map(|(row, _)| row).collect();
        let (mut x, end) = (x, self.from_layer + self.caches.len());
        if self.caches.is_empty() {
            x = backend.select(&x, &backend.indices(&read)?)?;
        } else {
            let batch = self.batch(forest, tile, first)?;
            for layer in self.from_layer..end - 1 {
                x = self.layer(layer, tile, x, &batch)?;
            }
            // Of the others the last layer computes keys and values only. Some row has to come out.
            let batch = if read.len() == tile.len() {
                batch
            } else {
                batch.only(if read.is_empty() { &[0] } else { &read })?
            };
            x = self.layer(end - 1, tile, x, &batch)?;
            x = if read.is_empty() { backend.slice(&x, 0..0)? } else { x };
        }
        let rows: Vec<u32> = read.iter().map(|row| first + row).collect();
        Ok(backend.write(&mut self.final_hidden, &backend.indices(&rows)?, &x)?)
    }

    /// A tile's rows through one layer.
    fn layer(&mut self, layer: usize, tile: &[NodeInstance], x: B::Rows, batch: &Batch<B>) -> Result<B::Rows> {
        let runs = tile.chunk_by(|a, b| a.candidate == b.candidate);
        let models = runs.map(|run| (&self.edited[run[0].candidate], run.len()));
        Ok(self.unedited.run_layer_of(models, layer, x, batch, &mut self.caches[layer - self.from_layer])?)
    }

    /// The batch of a tile whose rows start at `first`.
    fn batch(&self, forest: &Forest, tile: &[NodeInstance], first: u32) -> Result<Batch<B>> {
        let positions: Vec<u32> = tile.iter().map(|instance| forest.position(instance.node)).collect();
        let mut indices = KvIndices::default();
        for &NodeInstance { candidate, node } in tile {
            let seen = forest.visible(node).into_iter().map(|node| self.row(NodeInstance { candidate, node }));
            indices.push(seen.collect::<Option<Vec<u32>>>().unwrap_or_default());
        }
        let rows = (first..).take(tile.len()).collect();
        Ok(self.unedited.batch(&positions, rows, indices)?)
    }

    fn row(&self, instance: NodeInstance) -> Option<u32> {
        self.rows[instance.candidate].get(instance.node as usize).copied().flatten()
    }

    /// The residual stream behind the last layer of node instances that were read, `[rows, hidden]`.
    pub fn final_hidden(&self, instances: &[NodeInstance]) -> Result<B::Rows> {
        let rows: Vec<u32> = instances.iter().filter_map(|&instance| self.row(instance)).collect();
        let backend = self.unedited.backend();
        Ok(backend.gather(&self.final_hidden, &backend.indices(&rows)?)?)
    }

    /// What node instances predict; `wanted[i]` are the tokens whose log-probability is wanted of
    /// `instances[i]`.
    pub fn read(&mut self, instances: &[NodeInstance], wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        let x = self.final_hidden(instances)?;
        let readings = self.unedited.predict(&x, wanted)?;
        self.argmax.extend(instances.iter().zip(&readings).map(|(&instance, reading)| (instance, reading.argmax)));
        Ok(readings)
    }

    /// The id of the most likely token after a node, if it has been read.
    pub fn argmax(&self, instance: NodeInstance) -> Option<u32> {
        self.argmax.get(&instance).copied()
    }
}

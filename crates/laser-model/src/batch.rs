//! The rows of one forward pass: where each stands in its sequence and what it may look at.

use crate::Result;
use crate::kernels::Context;
use crate::model::Model;
use crate::rotary::Rotation;
use std::ops::Range;
use std::sync::Arc;

/// Positions and attention contexts of the rows that go through the blocks together.
#[derive(Debug)]
pub struct Batch {
    /// Where in a block's cache the rows' keys and values go.
    rows: Vec<u32>,
    /// Where the model has rotary positions.
    rotation: Option<Rotation>,
    /// For the layers with a window, where theirs are others.
    local_rotation: Option<Rotation>,
    context: Arc<Context>,
    /// What rows see in layers with a window, for each size of it.
    nearest: Vec<(usize, Arc<Context>)>,
}

impl Batch {
    /// Row `i` stands at `positions[i]`, becomes row `rows[i]` of the caches (all different) and attends to the cache rows of
    /// query `i` of `context`. In layers with a window only the nearest of them count.
    pub fn new(model: &Model, positions: &[u32], rows: Vec<u32>, context: Context) -> Result<Self> {
        let rotation = |rotary: Option<&crate::rotary::Rotary>| {
            rotary.map(|rotary| rotary.at(positions, model.device())).transpose()
        };
        let mut windows: Vec<usize> = model.config().windows.iter().flatten().copied().collect();
        windows.sort_unstable();
        windows.dedup();
        let nearest = windows.into_iter().map(|window| (window, Arc::new(context.nearest(window)))).collect();
        Ok(Self {
            rows,
            rotation: rotation(model.rotary())?,
            local_rotation: rotation(model.local_rotary())?,
            context: Arc::new(context),
            nearest,
        })
    }

    /// The part that concerns the rows `range`.
    pub fn slice(&self, range: Range<usize>) -> Result<Self> {
        let rotation =
            |rotation: &Option<Rotation>| rotation.as_ref().map(|rotation| rotation.slice(range.clone())).transpose();
        let nearest = |(window, context): &(usize, Arc<Context>)| (*window, Arc::new(context.slice(range.clone())));
        Ok(Self {
            rows: self.rows[range.clone()].to_vec(),
            rotation: rotation(&self.rotation)?,
            local_rotation: rotation(&self.local_rotation)?,
            context: Arc::new(self.context.slice(range.clone())),
            nearest: self.nearest.iter().map(nearest).collect(),
        })
    }

    /// The rows' places in the caches.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The rows' rotary positions in a layer with or without a window.
    pub(crate) fn rotation(&self, window: Option<usize>) -> Option<&Rotation> {
        self.local_rotation.as_ref().filter(|_| window.is_some()).or(self.rotation.as_ref())
    }

    /// What the rows see in a layer with or without a window.
    pub(crate) fn context(&self, window: Option<usize>) -> &Arc<Context> {
        let nearest = self.nearest.iter().find(|(size, _)| Some(*size) == window);
        nearest.map_or(&self.context, |(_, context)| context)
    }
}

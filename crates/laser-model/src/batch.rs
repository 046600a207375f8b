//! The rows of one forward pass: where each stands in its sequence and what it may look at.

use crate::Result;
use crate::kernels::Context;
use crate::model::Model;
use crate::rotary::Rotation;
use candle_core::{Device, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// Positions and attention contexts of the rows that go through the blocks together.
#[derive(Debug)]
pub struct Batch {
    /// Where in a block's cache the rows' keys and values go.
    rows: Vec<u32>,
    rotations: Rotations,
    /// The rows that come out of a block, where it is not all of them, and how they turn as queries.
    queries: Option<(Tensor, Rotations)>,
    /// What the rows see that come out of a block.
    context: Arc<Context>,
    /// What rows see in layers with a window, for each size of it.
    nearest: Vec<(usize, Arc<Context>)>,
}

/// How rows turn, where the model has rotary positions.
#[derive(Debug)]
struct Rotations {
    usual: Option<Rotation>,
    /// For the layers with a window, where theirs are others.
    local: Option<Rotation>,
}

impl Rotations {
    fn map(&self, part: impl Fn(&Rotation) -> candle_core::Result<Rotation>) -> Result<Self> {
        let part = |rotation: &Option<Rotation>| rotation.as_ref().map(&part).transpose();
        Ok(Self { usual: part(&self.usual)?, local: part(&self.local)? })
    }

    fn of(&self, window: Option<usize>) -> Option<&Rotation> {
        self.local.as_ref().filter(|_| window.is_some()).or(self.usual.as_ref())
    }
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
            rotations: Rotations { usual: rotation(model.rotary())?, local: rotation(model.local_rotary())? },
            queries: None,
            context: Arc::new(context),
            nearest,
        })
    }

    /// The part that concerns the rows `range`; all of them come out.
    pub fn slice(&self, range: Range<usize>) -> Result<Self> {
        let nearest = |(window, context): &(usize, Arc<Context>)| (*window, Arc::new(context.slice(range.clone())));
        Ok(Self {
            rows: self.rows[range.clone()].to_vec(),
            rotations: self.rotations.map(|rotation| rotation.slice(range.clone()))?,
            queries: None,
            context: Arc::new(self.context.slice(range.clone())),
            nearest: self.nearest.iter().map(nearest).collect(),
        })
    }

    /// The same rows, of which only those with the numbers `queries` come out of a block: the others give keys and values.
    pub fn only(&self, queries: &[u32], device: &Device) -> Result<Self> {
        let numbers = Tensor::from_slice(queries, queries.len(), device)?;
        let nearest = |(window, context): &(usize, Arc<Context>)| (*window, Arc::new(context.select(queries)));
        Ok(Self {
            rows: self.rows.clone(),
            rotations: self.rotations.map(|rotation| Ok(rotation.clone()))?,
            context: Arc::new(self.context.select(queries)),
            nearest: self.nearest.iter().map(nearest).collect(),
            queries: Some((numbers.clone(), self.rotations.map(|rotation| rotation.select(&numbers))?)),
        })
    }

    /// The rows' places in the caches.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Those rows of `x` that come out of a block.
    pub(crate) fn queries(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match &self.queries {
            Some((numbers, _)) => x.index_select(numbers, 0),
            None => Ok(x.clone()),
        }
    }

    /// The rows' rotary positions in a layer with or without a window.
    pub(crate) fn rotation(&self, window: Option<usize>) -> Option<&Rotation> {
        self.rotations.of(window)
    }

    /// Those of the rows that come out of a block.
    pub(crate) fn query_rotation(&self, window: Option<usize>) -> Option<&Rotation> {
        self.queries.as_ref().map_or(&self.rotations, |(_, rotations)| rotations).of(window)
    }

    /// What the rows that come out see in a layer with or without a window.
    pub(crate) fn context(&self, window: Option<usize>) -> &Arc<Context> {
        let nearest = self.nearest.iter().find(|(size, _)| Some(*size) == window);
        nearest.map_or(&self.context, |(_, context)| context)
    }
}
